/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an attacker does and a shell cannot: for the tests 9000 to 9020. Statically
 * linked, it also serves as a set-user-ID program in an image. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
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

/* --- writable roots --- */

static void beside(char *buf, size_t size, const char *path, const char *suffix)
{
    snprintf(buf, size, "%s.%s", path, suffix);
}

/* Everything that could make an overlay copy a file of the image to the host's disk. */
static void copy_up(const char *path)
{
    static const int flags[] = {O_RDWR, O_WRONLY | O_APPEND, O_WRONLY | O_TRUNC};
    char other[512];

    (void)utimensat(AT_FDCWD, path, NULL, 0);
    (void)setxattr(path, "user.x", "x", 1, 0);
    (void)chown(path, getuid(), getgid());
    (void)chown(path, 0, 0);
    beside(other, sizeof(other), path, "link");
    (void)link(path, other);
    beside(other, sizeof(other), path, "moved");
    (void)rename(path, other);
    (void)renameat2(AT_FDCWD, other, AT_FDCWD, path, RENAME_WHITEOUT);
    beside(other, sizeof(other), path, "swapped");
    (void)close(open(other, O_CREAT | O_WRONLY, 06777));
    (void)renameat2(AT_FDCWD, other, AT_FDCWD, path, RENAME_EXCHANGE);
    (void)renameat2(AT_FDCWD, other, AT_FDCWD, path, RENAME_EXCHANGE);
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        int fd = open(path, flags[i]);

        (void)!fallocate(fd, 0, 0, 1);
        (void)fchmod(fd, 06777);
        (void)mmap(NULL, 1, PROT_WRITE, MAP_SHARED, fd, 0);
        (void)close(fd);
    }
    (void)!truncate(path, 1);
    (void)chmod(path, 06777);
    (void)chown(path, 0, 0);
    (void)chmod(path, 06777);
    beside(other, sizeof(other), path, "null");
    (void)mknod(other, S_IFCHR | 0666, makedev(1, 3));
    beside(other, sizeof(other), path, "disk");
    (void)mknod(other, S_IFBLK | 0666, makedev(254, 0));
}

static int copy_up_all(char **paths)
{
    for (; *paths; paths++)
        copy_up(*paths);
    return 0;
}

/* What only root of the node may do. */
static int try_power(const char *disk)
{
    static const char *const files[] = {"/proc/sysrq-trigger",
                                        "/proc/sys/kernel/hostname",
                                        "/proc/1/oom_score_adj"},
                             *const secrets[] = {"/proc/1/environ", "/proc/1/root",
                                                 "/dev/mem"};
    static const char *const namespaces[] = {"mnt", "user", "net", "ipc", "uts", "pid"};
    struct timeval now = {0};

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        if (open(files[i], O_WRONLY) >= 0)
            printf("%s can be written\n", files[i]);
    for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
        if (open(secrets[i], O_RDONLY) >= 0)
            printf("%s can be read\n", secrets[i]);
    for (size_t i = 0; i < sizeof(namespaces) / sizeof(*namespaces); i++) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/1/ns/%s", namespaces[i]);
        if (setns(open(path, O_RDONLY), 0) == 0)
            printf("%s can be entered\n", path);
    }
    if (kill(1, 0) == 0) /* SIGCONT may always be sent within a session */
        puts("1 can be signalled");
    if (sethostname("mine", 4) == 0)
        puts("the host's name can be set");
    if (gettimeofday(&now, NULL) == 0 && settimeofday(&now, NULL) == 0)
        puts("time can be set");
    if (setpriority(PRIO_PROCESS, 0, -20) == 0)
        puts("priority can be raised");
    if (swapon(disk, 0) == 0 || reboot(RB_DISABLE_CAD) == 0)
        puts("the node can be controlled");
    if (mount(disk, "/tmp", "ext4", MS_RDONLY, NULL) == 0)
        puts("a disk can be mounted");
    if (open(disk, O_RDONLY) >= 0)
        puts("a disk can be opened");
    puts("tried");
    return 0;
}

/* Takes nodev and the like from a mount, and uses the device in it. */
static int remount(const char *mount_point, const char *device)
{
    int fd;

    say("remount", mount(NULL, mount_point, NULL, MS_REMOUNT | MS_BIND, NULL));
    say("device", fd = open(device, O_RDONLY));
    (void)close(fd);
    return 0;
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
    if (argc > 2 && strcmp(name, "copy-up") == 0)
        return copy_up_all(argv + 2);
    if (argc > 2 && strcmp(name, "power") == 0)
        return try_power(argv[2]);
    if (argc > 3 && strcmp(name, "remount") == 0)
        return remount(argv[2], argv[3]);
    printf("%u %u %u %u\n", getuid(), geteuid(), getgid(), getegid());
    return 0;
}
