// SPDX-License-Identifier: LGPL-2.1-or-later
/* Prints some hundred observables of a task, one "key: value" a line, sorted. Nothing in
 * it changes from one run to the next but what 0200-transparency.t knows to be volatile,
 * so bare and contained output must be equal, too. This file: what the process itself is.
 *
 *     probe SUID-PROGRAM       all observables of one task; SUID-PROGRAM is a copy of the
 *                              probe that belongs to root and has the setuid bit
 *     probe --peer DIR         what two tasks on one node see of each other; they meet in
 * DIR probe --euid             the exit code is 0 if the effective user is root */
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define MAX_LINES 2000

extern char **environ;
static char *lines[MAX_LINES];
static size_t count;

// ---- output
// --------------------------------------------------------------------------------

static void add_line(const char *key, const char *format, va_list args)
{
    char *value = NULL, *line = NULL;

    if (count == MAX_LINES || vasprintf(&value, format, args) < 0)
        abort();
    for (char *c = value; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = '|';
    if (asprintf(&line, "%s: %s", key, value) < 0)
        abort();
    free(value);
    lines[count++] = line;
}

void say(const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_line(key, format, args);
    va_end(args);
}

void say_of(const char *prefix, long number, const char *format, ...)
{
    char key[64];
    va_list args;

    snprintf(key, sizeof(key), "%s.%02ld", prefix, number);
    va_start(args, format);
    add_line(key, format, args);
    va_end(args);
}

const char *outcome(long result)
{
    return result >= 0 ? "ok" : strerrorname_np(errno);
}

void say_file(const char *key, const char *path)
{
    char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (length < 0) {
        say(key, "%s", outcome(-1));
    } else {
        while (length > 0 && text[length - 1] == '\n')
            length--;
        say(key, "%.*s", (int)length, text);
    }
    if (fd >= 0)
        close(fd);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_lines(void)
{
    qsort(lines, count, sizeof(*lines), by_text);
    for (size_t i = 0; i < count; i++) {
        puts(lines[i]);
        free(lines[i]);
    }
}

// ---- the kernel's own account
// --------------------------------------------------------------

/* Uid and Gid are real, effective, saved and fs; the Sig lines are before probe does
 * anything; the rest shows capabilities, seccomp and other restrictions. */
static void say_status(void)
{
    static const char *const wanted[] = {
        "Name",
        "Umask",
        "TracerPid",
        "Uid",
        "Gid",
        "Groups",
        "Threads",
        "SigPnd",
        "ShdPnd",
        "SigBlk",
        "SigIgn",
        "SigCgt",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
        "Seccomp_filters",
        "CoreDumping",
        "THP_enabled",
        "Cpus_allowed_list",
        "Mems_allowed_list",
        "Speculation_Store_Bypass",
        "SpeculationIndirectBranch",
        "untag_mask",
    };
    char line[4096], key[64];
    FILE *file = fopen("/proc/self/status", "re");

    while (file && fgets(line, sizeof(line), file)) {
        char *value = strchr(line, ':');
        if (!value)
            continue;
        *value++ = '\0';
        value[strcspn(value, "\n")] = '\0';
        for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
            snprintf(key, sizeof(key), "status.%s", wanted[i]);
            if (strcmp(line, wanted[i]) == 0)
                say(key, "%s", value + strspn(value, " \t"));
        }
    }
    if (file)
        fclose(file);
}

static void say_proc_files(void)
{
    static const char *const names[] = {
        "cgroup",          "cpuset",      "oom_score_adj",  "loginuid",  "sessionid",
        "coredump_filter", "uid_map",     "gid_map",        "setgroups", "attr/current",
        "timerslack_ns",   "personality", "timens_offsets",
    };
    char key[64], path[64];

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(key, sizeof(key), "proc.self.%s", names[i]);
        snprintf(path, sizeof(path), "/proc/self/%s", names[i]);
        say_file(key, path);
    }
}

static void say_namespaces(void)
{
    static const char *const names[] = {"cgroup", "ipc",
                                        "mnt",    "net",
                                        "pid",    "pid_for_children",
                                        "time",   "time_for_children",
                                        "user",   "uts"};
    char key[64], path[64], target[64];

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(key, sizeof(key), "ns.%s", names[i]);
        snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
        ssize_t length = readlink(path, target, sizeof(target));
        say(key, "%.*s", length < 0 ? 0 : (int)length, target);
    }
}

static void say_prctl(void)
{
    int value = -1;

    say("prctl.dumpable", "%d", prctl(PR_GET_DUMPABLE));
    say("prctl.securebits", "%d", prctl(PR_GET_SECUREBITS));
    say("prctl.keepcaps", "%d", prctl(PR_GET_KEEPCAPS));
    say("prctl.timerslack", "%d", prctl(PR_GET_TIMERSLACK));
    say("prctl.no_new_privs", "%d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    say("prctl.thp_disable", "%d", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    say("prctl.timing", "%d", prctl(PR_GET_TIMING));
    (void)prctl(PR_GET_PDEATHSIG, &value);
    say("prctl.pdeathsig", "%d", value);
    (void)prctl(PR_GET_CHILD_SUBREAPER, &value);
    say("prctl.child_subreaper", "%d", value);
    (void)prctl(PR_GET_TSC, &value);
    say("prctl.tsc", "%d", value);
    say("personality", "%#x", personality(0xffffffff));
    say("auxv.secure", "%lu", getauxval(AT_SECURE));
    say("auxv.uid", "%lu %lu", getauxval(AT_UID), getauxval(AT_EUID));
    say("auxv.execfn", "%s", (const char *)getauxval(AT_EXECFN));
}

static void say_keyring(const char *key, int id)
{
    char text[256] = "";
    long serial = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, id, 0);

    if (serial < 0 ||
        syscall(SYS_keyctl, KEYCTL_DESCRIBE, serial, text, sizeof(text)) < 0)
        say(key, "%s", outcome(-1));
    else
        say(key, "%ld %s", serial, text);
}

// ---- limits, scheduling, signals
// -----------------------------------------------------------

static void say_limits(void)
{
    static const char *const names[] = {"cpu",      "fsize", "data",   "stack",
                                        "core",     "rss",   "nproc",  "nofile",
                                        "memlock",  "as",    "locks",  "sigpending",
                                        "msgqueue", "nice",  "rtprio", "rttime"};
    char key[64];
    struct rlimit limit;

    for (int i = 0; i < (int)(sizeof(names) / sizeof(*names)); i++) {
        snprintf(key, sizeof(key), "limit.%s", names[i]);
        if (getrlimit(i, &limit) == 0) // NOLINT: an enum in glibc
            say(key, "%ld %ld", (long)limit.rlim_cur, (long)limit.rlim_max);
    }
}

static void say_scheduling(void)
{
    struct sched_param param = {0};
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    (void)sched_getaffinity(0, sizeof(cpus), &cpus);
    say("sched.affinity", "%d CPUs", CPU_COUNT(&cpus));
    say("sched.policy", "%d", sched_getscheduler(0));
    (void)sched_getparam(0, &param);
    say("sched.priority", "%d", param.sched_priority);
    say("sched.nice", "%d", getpriority(PRIO_PROCESS, 0));
    say("sched.ioprio", "%ld", syscall(SYS_ioprio_get, 1, 0));
}

static void say_signals(void)
{
    struct sigaction action;

    for (int i = 1; i <= SIGRTMAX; i++) {
        if (sigaction(i, NULL, &action) < 0)
            continue;
        say_of("signal", i, "%s",
               action.sa_handler == SIG_DFL   ? "default"
               : action.sa_handler == SIG_IGN ? "ignored"
                                              : "handled");
    }
}

// ---- relations to others
// -------------------------------------------------------------------

static void say_environment(void)
{
    for (char **variable = environ; *variable; variable++) {
        char key[256];
        size_t length = strcspn(*variable, "=");
        snprintf(key, sizeof(key), "env.%.*s", (int)length, *variable);
        say(key, "%s", *variable + length + 1);
    }
}

/* Whose children: how many processes have this parent, zombies included. */
static int count_children(pid_t parent)
{
    int found = 0, ppid;
    char path[300];
    DIR *dir = opendir("/proc");

    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (atoi(entry->d_name) == 0)
            continue;
        snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        if (fscanf(file, "%*d (%*[^)]) %*c %d", &ppid) == 1 && ppid == parent)
            found++;
        fclose(file);
    }
    if (dir)
        closedir(dir);
    return found;
}

static void say_relations(void)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/comm", getppid());
    say_file("parent.comm", path);
    say("parent.children", "%d", count_children(getppid()));
    say("children", "%d", count_children(getpid()));
    say("leader.group", "%s", getpgrp() == getpid() ? "self" : "other");
    say("leader.session", "%s",
        getsid(0) == getpid()    ? "self"
        : getsid(0) == getppid() ? "parent"
                                 : "other");
    say("parent.session", "%s", getsid(getppid()) == getsid(0) ? "same" : "other");
}

// ---- open files
// ----------------------------------------------------------------------------

static const char *type_of(mode_t mode)
{
    return S_ISREG(mode)    ? "file"
           : S_ISDIR(mode)  ? "directory"
           : S_ISCHR(mode)  ? "device"
           : S_ISFIFO(mode) ? "pipe"
           : S_ISSOCK(mode) ? "socket"
                            : "other";
}

/* A device has a name that both sides must know; other names differ from run to run. */
static void say_fd(int fd)
{
    struct stat st;
    char path[64], target[256] = "";

    if (fstat(fd, &st) < 0)
        return;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (S_ISCHR(st.st_mode) && !isatty(fd))
        (void)!readlink(path, target, sizeof(target) - 1);
    say_of("fd", fd, "%s%s%s, flags %#o%s", type_of(st.st_mode), target[0] ? " " : "",
           target, fcntl(fd, F_GETFL),
           fcntl(fd, F_GETFD) & FD_CLOEXEC ? ", close-on-exec" : "");
}

static void say_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");

    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(dir))
            say_fd(atoi(entry->d_name));
    if (dir)
        closedir(dir);
}

/* The number of a terminal is volatile; that its name leads to it is not. */
static void say_terminal(int fd)
{
    struct termios termios;
    struct winsize size = {0};
    struct stat by_fd, by_name;
    char *name = ttyname(fd);

    if (!isatty(fd)) {
        say_of("tty", fd, "none");
        return;
    }
    (void)tcgetattr(fd, &termios);
    (void)ioctl(fd, TIOCGWINSZ, &size);
    (void)fstat(fd, &by_fd);
    say_of("tty", fd, "%d x %d, modes %o %o %o %o", size.ws_row, size.ws_col,
           termios.c_iflag, termios.c_oflag, termios.c_cflag, termios.c_lflag);
    say_of("tty.name", fd, "%.9s, %s", name ? name : outcome(-1),
           name && stat(name, &by_name) == 0 && by_name.st_ino == by_fd.st_ino &&
                   by_name.st_rdev == by_fd.st_rdev
               ? "is it"
               : "is another");
    say_of("tty.owner", fd, "%d:%d %o", by_fd.st_uid, by_fd.st_gid, by_fd.st_mode);
    say_of("tty.foreground", fd, "%s", tcgetpgrp(fd) == getpgrp() ? "self" : "other");
    say_of("tty.session", fd, "%s", tcgetsid(fd) == getsid(0) ? "self" : "other");
}

void probe_process(void)
{
    say_status();
    say_signals();
    say_fds();
    for (int fd = 0; fd < 3; fd++)
        say_terminal(fd);
    say_relations();
    say_proc_files();
    say_namespaces();
    say_prctl();
    say_keyring("keyring.session", KEY_SPEC_SESSION_KEYRING);
    say_keyring("keyring.user", KEY_SPEC_USER_KEYRING);
    say_keyring("keyring.user_session", KEY_SPEC_USER_SESSION_KEYRING);
    say_keyring("keyring.process", KEY_SPEC_PROCESS_KEYRING);
    say_limits();
    say_scheduling();
    say_environment();
}

int main(int argc, char **argv)
{
    const char *rank = getenv("SLURM_LOCALID");

    if (argc == 2 && strcmp(argv[1], "--euid") == 0)
        return geteuid() != 0;
    if (argc == 3 && strcmp(argv[1], "--peer") == 0) {
        probe_peer(argv[2], rank ? atoi(rank) : 0);
    } else {
        probe_process();
        (void)signal(SIGCHLD, SIG_DFL);
        probe_host();
        probe_permissions(argc > 1 ? argv[1] : NULL);
        probe_files();
    }
    print_lines();
    return 0;
}
