/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/entrypoint.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/syscalls.h"
#include "environ/changes.h"
#include "privileged/caps.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* Far from what a shell script uses. */
#define TELL_FD 100

/* What no entry point decides: the shell's own, which are about the shell that said them,
 * and what tells tasks apart, which is the leader's that it has seen. */
static const char *const kept[] = {"_",       "SHLVL", "PWD",    "OLDPWD",
                                   "SLURM_*", "PMI_*", "PMI2_*", "PMIX_*"};

static bool is_kept(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
        size_t n = strlen(kept[i]);

        if (kept[i][n - 1] == '*' ? len >= n - 1 && memcmp(kept[i], name, n - 1) == 0
                                  : len == n && memcmp(kept[i], name, n) == 0)
            return true;
    }
    return false;
}

/* --- in the child --- */

static bool change(void *arg, const char *name, const char *value)
{
    struct envlist *list = arg;

    if (value)
        return envlist_set(list, name, strlen(name), value) == 0;
    envlist_unset(list, name, strlen(name));
    return true;
}

static char **make_args(const char *args)
{
    char **argv;
    size_t n = 0;
    static char fd[16];

    for (const char *p = args; *p; p += strlen(p) + 1)
        n++;
    argv = calloc(n + 3, sizeof(*argv));
    if (!argv)
        return NULL;
    n = 0;
    for (const char *p = args; *p; p += strlen(p) + 1)
        argv[n++] = (char *)p;
    (void)snprintf(fd, sizeof(fd), "%d", TELL_FD);
    argv[n++] = (char *)ENTRYPOINT_COMMAND;
    argv[n] = fd;
    return argv;
}

static neg_errno place_fds(const struct entrypoint *e, int tell)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(e->log ? STDERR_FILENO : null, STDOUT_FILENO) < 0 ||
        (!e->log && dup2(null, STDERR_FILENO) < 0) || dup2(tell, TELL_FD) < 0)
        return -errno;
    (void)sys_close_range(STDERR_FILENO + 1, TELL_FD - 1, CLOSE_RANGE_CLOEXEC);
    (void)sys_close_range(TELL_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    return 0;
}

static int start(const struct entrypoint *e, int tell, struct vitrine_error *err)
{
    struct envlist env = {0};
    sigset_t none;

    if (vitrine_join(e->container, e->ready, err) < 0)
        return -1;
    if (e->ready->workdir[0] ? chdir(e->ready->workdir) < 0
                             : chdir(e->cwd) < 0 && chdir("/") < 0)
        return vitrine_fail_sys(err, VITRINE_EUSAGE, "cannot change to %s",
                                e->ready->workdir);
    if (envlist_copy(&env, e->environ) < 0 ||
        changes_each(e->container->fd[VITRINE_FD_ENVIRON], change, &env, err) < 0)
        return -1;
    char **argv = make_args(e->args);
    int rc = argv ? place_fds(e, tell) : -ENOMEM;
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot start it");
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    environ = env.list;
    (void)execvp(argv[0], argv);
    return vitrine_fail_sys(err, VITRINE_EUSAGE, "cannot execute %s", argv[0]);
}

/* Never returns. Says on `report` who it is, and what went wrong before the program runs.
 */
static void child(const struct entrypoint *e, int tell, int report)
{
    struct vitrine_error err = {0};
    pid_t self = getpid();

    (void)!write(report, &self, sizeof(self));
    (void)start(e, tell, &err);
    (void)!write(report, &err, sizeof(err));
    _exit(1);
}

/* --- in the leader --- */

/* Forks twice: what the entry point leaves is no child of a task. */
static int fork_child(const struct entrypoint *e, int tell[2], int report[2],
                      struct vitrine_error *err)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        pid = fork();
        if (pid == 0)
            child(e, tell[1], report[1]);
        _exit(pid < 0 ? 1 : 0);
    }
    if (pid < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot start a process");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0 ? 0
                       : vitrine_fail(err, VITRINE_EINTERNAL, "cannot start a process");
}

/* Waits for more. False if there will be none: who has ended without saying anything may
 * have left others, who hold the pipe for ever. */
static bool await(int fd, int process)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                           {.fd = process, .events = POLLIN}};

    /* One that is not there any more has said all that it had to say. */
    while (poll(fds, 2, process < 0 ? 0 : -1) < 0 && errno == EINTR)
        ;
    return fds[0].revents & POLLIN;
}

/* Until an empty record, or 0 at the end without one. */
static ssize_t read_environ(int fd, int process, char *buf, size_t size)
{
    size_t used = 0;

    while (used < size && await(fd, process)) {
        ssize_t n = read(fd, buf + used, size - used);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        used += (size_t)n;
        if (used >= 2 && buf[used - 1] == '\0' && buf[used - 2] == '\0')
            return (ssize_t)used;
    }
    return 0;
}

static int keep_environ(const struct entrypoint *e, const char *told,
                        struct vitrine_error *err)
{
    int fd = e->container->fd[VITRINE_FD_ENVIRON];
    struct envlist list = {0};
    int rc = 0;

    for (const char *p = told; *p && rc == 0; p += strlen(p) + 1) {
        size_t n = envlist_name_length(p);

        if (n > 0 && !is_kept(p, n))
            rc = envlist_set(&list, p, n, p + n + 1);
    }
    for (const char *const *var = e->environ; var && *var && rc == 0; var++) {
        size_t n = envlist_name_length(*var);

        if (n > 0 && is_kept(*var, n))
            rc = envlist_set(&list, *var, n, *var + n + 1);
    }
    if (rc == 0 && (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0))
        rc = -errno;
    rc = rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "cannot keep its environment")
                : changes_write(e->environ, &list, fd, err);
    envlist_free(&list);
    return rc;
}

static int run(const struct entrypoint *e, int tell[2], int report[2],
               struct vitrine_error *err)
{
    struct vitrine_error told;
    pid_t pid = 0;
    cleanup_free char *text = malloc(LIMIT_ENV_CHANGES);

    if (!text)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    int rc = fork_child(e, tell, report, err);
    (void)close(tell[1]);
    (void)close(report[1]);
    tell[1] = report[1] = -1;
    if (rc < 0)
        return -1;
    (void)!read(report[0], &pid, sizeof(pid));
    cleanup_fd int process = sys_pidfd_open(pid);
    if (read(report[0], &told, sizeof(told)) == (ssize_t)sizeof(told)) {
        if (err)
            *err = told;
        return -1;
    }
    if (read_environ(tell[0], process, text, LIMIT_ENV_CHANGES) == 0)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "it ended without running the command that it was given%s",
                            e->log ? ""
                                   : "; --container-entrypoint-log shows what it said");
    return keep_environ(e, text, err);
}

int entrypoint_run(const struct entrypoint *entrypoint, struct vitrine_error *err)
{
    int tell[2] = {-1, -1}, report[2] = {-1, -1};
    int rc;

    if (pipe2(tell, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0)
        rc = vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot make a pipe");
    else
        rc = run(entrypoint, tell, report, err);
    const int fds[] = {tell[0], tell[1], report[0], report[1]};
    for (size_t i = 0; i < 4; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    return rc < 0 ? vitrine_wrap(err, "cannot run the entry point of image %s",
                                 entrypoint->ready->image)
                  : 0;
}
