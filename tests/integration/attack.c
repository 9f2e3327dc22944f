/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an attacker does and a shell cannot: for the tests 9000 and 9010. Statically
 * linked, it also serves as a set-user-ID program in an image. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <unistd.h>

static void say(const char *what, long rc)
{
    printf("%s: %s\n", what, rc >= 0 ? "works" : strerrorname_np(errno));
}

static int try_open(const char *pid, const char *name, int flags)
{
    char path[256];

    snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
    return open(path, flags);
}

/* How many sets of capabilities are not empty, and no_new_privs. */
static int tell_caps(void)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    int sets = 0, no_new = 0;

    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "Cap", 3) == 0 && strncmp(line, "CapBnd", 6) != 0)
            sets += strtoull(line + 7, NULL, 16) != 0;
        (void)sscanf(line, "NoNewPrivs: %d", &no_new);
    }
    printf("%d %d\n", sets, no_new);
    return 0;
}

/* Every way into another process. */
static int intrude(const char *pid)
{
    static const char *const names[] = {"mem",  "environ", "maps",   "auxv",   "fd",
                                        "root", "cwd",     "ns/mnt", "ns/user"};

    say("ptrace", ptrace(PTRACE_SEIZE, atoi(pid), 0, 0));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        say(names[i], try_open(pid, names[i], O_RDONLY));
    return 0;
}

static int enter_owner(const char *pid)
{
    int ns = try_open(pid, "ns/mnt", O_RDONLY),
        owner = ns < 0 ? -1 : ioctl(ns, NS_GET_USERNS);
    uid_t uid = 1;

    say("descriptor", owner);
    if (owner < 0)
        return 1;
    if (ioctl(owner, NS_GET_OWNER_UID, &uid) == 0)
        printf("owner: %u\n", uid);
    say("user namespace", setns(owner, CLONE_NEWUSER));
    say("mount namespace", setns(ns, CLONE_NEWNS));
    if (unshare(CLONE_NEWUSER) == 0) {
        say("user namespace, from an own one", setns(owner, CLONE_NEWUSER));
        say("mount namespace, from an own one", setns(ns, CLONE_NEWNS));
    }
    return 0;
}

/* Leaves at `dir` what fusermount3 would for a user; `server` answers, or nobody. */
static int serve(const char *dir, int uid, int gid, char **server)
{
    int device = open("/dev/fuse", O_RDWR), image;
    char options[128];

    snprintf(options, sizeof(options),
             "fd=%d,rootmode=40000,user_id=%d,group_id=%d,default_permissions", device,
             uid, gid);
    if (mount("x", dir, "fuse.x", MS_NOSUID | MS_NODEV | MS_RDONLY, options) < 0 ||
        setgid(gid) < 0 || setuid(uid) < 0)
        return 1;
    puts("mounted");
    fflush(stdout);
    if (!server[0]) {
        pause();
        return 0;
    }
    device = fcntl(device, F_DUPFD, 20);
    image = fcntl(open(server[0], O_RDONLY), F_DUPFD, 20);
    if (dup2(image, 3) < 0 || dup2(device, 4) < 0 || dup2(1, 5) < 0)
        return 1;
    execl(server[1], "vitrine-fuse", "0", NULL);
    return 1;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    if (strcmp(name, "caps") == 0)
        return tell_caps();
    if (argc > 2 && strcmp(name, "intrude") == 0)
        return intrude(argv[2]);
    if (argc > 2 && strcmp(name, "owner") == 0)
        return enter_owner(argv[2]);
    if (argc > 4 && strcmp(name, "serve") == 0)
        return serve(argv[2], atoi(argv[3]), atoi(argv[4]), argv + 5);
    printf("%u %u %u %u\n", getuid(), geteuid(), getgid(), getegid());
    return 0;
}
