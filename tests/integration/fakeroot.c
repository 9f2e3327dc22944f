/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What root may do and others not: each call, what it answers, and what has come of it.
 * The argument is a directory that can be made. Statically linked. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void say(const char *what, long rc)
{
    printf("%s: %s", what, rc >= 0 ? "works" : strerrorname_np(errno));
}

static void say_owner(const char *what, long rc, const char *path)
{
    struct stat st = {0};

    say(what, rc);
    (void)lstat(path, &st);
    printf(", %u:%u\n", st.st_uid, st.st_gid);
}

static void say_node(const char *what, long rc, const char *path)
{
    struct stat st;

    say(what, rc);
    puts(lstat(path, &st) < 0   ? ", nothing"
         : S_ISFIFO(st.st_mode) ? ", fifo"
                                : ", device");
}

static void make(const char *name)
{
    (void)close(open(name, O_CREAT | O_WRONLY, 0644));
}

int main(int argc, char **argv)
{
    uid_t real, effective, saved;
    gid_t rgid, egid, sgid, group = 34;

    if (argc != 2 || mkdir(argv[1], 0755) < 0 || chdir(argv[1]) < 0)
        return 1;
    make("a");
    make("b");
    make("c");
    (void)symlink("nowhere", "link");
    say_owner("chown", chown("a", 33, 34), "a");
    say_owner("lchown", lchown("link", 33, 34), "link");
    say_owner("fchown", fchown(open("b", O_RDONLY), 33, 34), "b");
    say_owner("fchownat", fchownat(open("c", O_RDONLY), "", 33, 34, AT_EMPTY_PATH), "c");
    say_node("mknod fifo", mknod("fifo", S_IFIFO | 0600, 0), "fifo");
    say_node("mknod device", mknod("device", S_IFCHR | 0600, makedev(1, 3)), "device");
    say("setgroups", setgroups(1, &group));
    puts("");
    say("setgid", setgid(34));
    puts("");
    say("setuid", setuid(33));
    if (getresuid(&real, &effective, &saved) == 0 && getresgid(&rgid, &egid, &sgid) == 0)
        printf("\nwho: %u %u %u %u\n", real, effective, rgid, egid);
    return 0;
}
