// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a task sees of the host: names, network, time, machine, files. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <gnu/libc-version.h>
#include <ifaddrs.h>
#include <langinfo.h>
#include <locale.h>
#include <netdb.h>
#include <pwd.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

// ---- names of users and groups
// -------------------------------------------------------------

static void say_user(const char *key, const struct passwd *user)
{
    if (user)
        say(key, "%s:%d:%d:%s:%s:%s", user->pw_name, user->pw_uid, user->pw_gid,
            user->pw_gecos, user->pw_dir, user->pw_shell);
    else
        say(key, "none");
}

static void say_group(const char *key, const struct group *group)
{
    char members[1024] = "";
    size_t used = 0;

    for (char **name = group ? group->gr_mem : NULL; name && *name; name++)
        used += (size_t)snprintf(members + used, sizeof(members) - used, " %s", *name);
    if (group)
        say(key, "%s:%d:%s", group->gr_name, group->gr_gid, members);
    else
        say(key, "none");
}

static void say_names(void)
{
    gid_t groups[256];
    int count = getgroups(256, groups);
    char key[64];
    struct passwd *user = getpwuid(getuid());

    say_user("name.user", user);
    say_user("name.user.by_name", user ? getpwnam(user->pw_name) : NULL);
    say_user("name.root", getpwuid(0));
    say_user("name.nobody", getpwuid(65534));
    say_group("name.group", getgrgid(getgid()));
    say_group("name.group.root", getgrgid(0));
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "name.group.%d", groups[i]);
        say_group(key, getgrgid(groups[i]));
    }
    count = 256;
    say("name.login", "%s", getlogin() ? getlogin() : "none");
    user = getpwuid(getuid());
    say("name.grouplist", "%d",
        user ? getgrouplist(user->pw_name, user->pw_gid, groups, &count) : -1);
}

// ---- network
// -------------------------------------------------------------------------------

static void say_address(const char *key, const char *host)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME};
    struct addrinfo *list = NULL;
    char text[1024] = "", address[INET6_ADDRSTRLEN];
    size_t used = 0;
    int rc = getaddrinfo(host, NULL, &hints, &list);

    for (struct addrinfo *info = list; info && used < sizeof(text);
         info = info->ai_next) {
        const void *binary =
            info->ai_family == AF_INET
                ? (void *)&((struct sockaddr_in *)info->ai_addr)->sin_addr
                : (void *)&((struct sockaddr_in6 *)info->ai_addr)->sin6_addr;
        inet_ntop(info->ai_family, binary, address, sizeof(address));
        used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", address);
    }
    say(key, "%s%s", rc == 0 ? list->ai_canonname : gai_strerror(rc), text);
    if (list)
        freeaddrinfo(list);
}

static void say_network(void)
{
    char host[256] = "", text[1024] = "";
    struct utsname names;
    struct ifaddrs *list = NULL;
    struct hostent *entry;
    size_t used = 0;

    (void)gethostname(host, sizeof(host));
    (void)uname(&names);
    say("host.name", "%s", host);
    say("host.uname", "%s %s %s %s %s %s", names.sysname, names.nodename, names.release,
        names.version, names.machine, names.domainname);
    say_address("host.address", host);
    say_address("host.address.localhost", "localhost");
    entry = gethostbyname(host);
    say("host.gethostbyname", "%s", entry ? entry->h_name : hstrerror(h_errno));
    (void)getifaddrs(&list);
    for (struct ifaddrs *i = list; i && used < sizeof(text); i = i->ifa_next)
        used += (size_t)snprintf(text + used, sizeof(text) - used, " %s:%d", i->ifa_name,
                                 i->ifa_addr ? i->ifa_addr->sa_family : 0);
    freeifaddrs(list);
    say("host.interfaces", "%s", text);
}

// ---- files of /etc, time, locale
// -----------------------------------------------------------

/* FNV-1a, enough to see a difference. */
static void say_checksum(const char *path)
{
    unsigned long hash = 0xcbf29ce484222325UL;
    char key[64];
    FILE *file = fopen(path, "re");

    snprintf(key, sizeof(key), "checksum.%s", path);
    for (int c; file && (c = fgetc(file)) != EOF;)
        hash = (hash ^ (unsigned)c) * 0x100000001b3UL;
    if (file) {
        say(key, "%016lx", hash);
        fclose(file);
    } else {
        say(key, "%s", outcome(-1));
    }
}

static void say_time_and_locale(void)
{
    char text[64];
    const time_t summer = 1750000000;

    tzset();
    strftime(text, sizeof(text), "%F %T %Z %z", localtime(&summer));
    say("time.zone", "%s %s", tzname[0], tzname[1]);
    say("time.local", "%s", text);
    say("locale", "%s", setlocale(LC_ALL, "") ? setlocale(LC_ALL, NULL) : "refused");
    say("locale.codeset", "%s, %zu bytes", nl_langinfo(CODESET), MB_CUR_MAX);
    say("libc", "%s", gnu_get_libc_version());
}

// ---- the machine
// ---------------------------------------------------------------------------

static int count_in(const char *path, const char *start)
{
    char line[4096];
    int found = 0;
    FILE *file = fopen(path, "re");

    while (file && fgets(line, sizeof(line), file))
        found += strncmp(line, start, strlen(start)) == 0;
    if (file)
        fclose(file);
    return found;
}

static void say_machine(void)
{
    struct sysinfo info = {0};

    (void)sysinfo(&info);
    say("machine.processors", "%ld %ld", sysconf(_SC_NPROCESSORS_CONF),
        sysconf(_SC_NPROCESSORS_ONLN));
    say("machine.nprocs", "%d", get_nprocs());
    say("machine.cpuinfo", "%d", count_in("/proc/cpuinfo", "processor"));
    say("machine.memory", "%lu %d", info.totalram, count_in("/proc/meminfo", "MemTotal"));
    say("machine.pages", "%ld %ld", sysconf(_SC_PAGESIZE), sysconf(_SC_PHYS_PAGES));
    say("machine.open_max", "%ld %ld", sysconf(_SC_OPEN_MAX), sysconf(_SC_CHILD_MAX));
    say_file("machine.cpus", "/sys/devices/system/cpu/online");
    say_file("machine.nodes", "/sys/devices/system/node/online");
    say_file("machine.boot", "/proc/sys/kernel/random/boot_id");
    say_file("machine.osrelease", "/proc/sys/kernel/osrelease");
    say_file("machine.hostname", "/proc/sys/kernel/hostname");
    say_file("machine.core_pattern", "/proc/sys/kernel/core_pattern");
    say_file("machine.pid_max", "/proc/sys/kernel/pid_max");
    say_file("machine.shmmax", "/proc/sys/kernel/shmmax");
    say_file("machine.overcommit", "/proc/sys/vm/overcommit_memory");
    say_file("machine.randomize", "/proc/sys/kernel/randomize_va_space");
    say_file("machine.init", "/proc/1/comm");
    say_file("machine.memory_limit", "/sys/fs/cgroup/memory/memory.limit_in_bytes");
}

// ---- files and mounts
// ----------------------------------------------------------------------

/* What it is, on which file system; and for what must be the host's very own, the inode.
 */
static void say_path(const char *name, const char *path, bool same_inode)
{
    char key[64];
    struct stat st;
    struct statfs fs;

    snprintf(key, sizeof(key), "path.%s", name);
    if (stat(path, &st) < 0 || statfs(path, &fs) < 0) {
        say(key, "%s", outcome(-1));
        return;
    }
    say(key, "%o %d:%d, device %u:%u", st.st_mode, st.st_uid, st.st_gid,
        major(st.st_rdev), minor(st.st_rdev));
    snprintf(key, sizeof(key), "mount.%s", name);
    say(key, "type %#lx, flags %#lx", (unsigned long)fs.f_type,
        (unsigned long)fs.f_flags);
    if (!same_inode)
        return;
    snprintf(key, sizeof(key), "inode.%s", name);
    say(key, "%#lx:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
}

static void say_paths(void)
{
    static const char *const hosts[] = {
        "/tmp",           "/var/tmp",   "/dev",        "/dev/shm",       "/dev/pts",
        "/dev/null",      "/dev/zero",  "/dev/full",   "/dev/urandom",   "/dev/tty",
        "/dev/ptmx",      "/proc",      "/proc/sys",   "/sys",           "/sys/class/net",
        "/sys/fs/cgroup", "/dev/stdin", "/dev/mqueue", "/dev/hugepages", "/run/munge",
    };
    static const char *const own[] = {
        "/",        "/etc",        "/usr/bin",   "/bin/sh",       "/run",
        "/var/run", "/home",       "/root",      "/opt",          "/srv",
        "/mnt",     "/etc/passwd", "/etc/group", "/etc/localtime"};
    char run_user[64];
    const char *home = getenv("HOME");

    snprintf(run_user, sizeof(run_user), "/run/user/%d", getuid());
    say_path("home", home ? home : "", true);
    say_path("run_user", run_user, true);
    say_path("cwd", ".", true);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++)
        say_path(hosts[i], hosts[i], strcmp(hosts[i], "/dev/stdin") != 0);
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        say_path(own[i], own[i], false);
}

static void say_working_directory(void)
{
    char cwd[4096], exe[4096] = "";
    const char *pwd = getenv("PWD");
    struct stat here, there;

    say("cwd", "%s", getcwd(cwd, sizeof(cwd)) ? cwd : outcome(-1));
    say("cwd.PWD", "%s",
        pwd && stat(".", &here) == 0 && stat(pwd, &there) == 0 &&
                here.st_ino == there.st_ino
            ? "leads here"
            : "leads elsewhere");
    (void)!readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    say("exe", "%s", exe);
}

void probe_host(void)
{
    static const char *const files[] = {
        "/etc/hosts",    "/etc/resolv.conf", "/etc/localtime",
        "/etc/hostname", "/etc/passwd",      "/etc/group",
        "/proc/cmdline", "/proc/version",    "/proc/sys/kernel/cap_last_cap",
    };

    say_names();
    say_network();
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        say_checksum(files[i]);
    say_time_and_locale();
    say_machine();
    say_paths();
    say_working_directory();
}
