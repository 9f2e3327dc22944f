// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a task may do with files in the directories that users write to, and where it may
 * not write at all. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static long may_create(void)
{
    return open("file", O_CREAT | O_EXCL | O_WRONLY, 0666);
}

static long may_tmpfile(void)
{
    return open(".", O_TMPFILE | O_WRONLY, 0600);
}

static long may_link(void)
{
    return link("file", "link");
}

static long may_symlink(void)
{
    return symlink("file", "symlink");
}

static long may_rename(void)
{
    return rename("link", "renamed");
}

static long may_fifo(void)
{
    return mkfifo("fifo", 0600);
}

static long may_bind_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    return bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, sizeof(address));
}

static long may_make_device(void)
{
    return mknod("null", S_IFCHR | 0600, 0x103);
}

static long may_give_to_group(void)
{
    gid_t groups[256];
    int count = getgroups(256, groups);
    return chown("file", (uid_t)-1, count > 0 ? groups[count - 1] : getgid());
}

static long may_give_to_user(void)
{
    return chown("file", 0, (gid_t)-1);
}

static long may_chmod(void)
{
    return chmod("file", 02775);
}

static long may_set_attribute(void)
{
    return setxattr("file", "user.vitrine", "x", 1, 0);
}

static long may_allocate(void)
{
    return fallocate(open("file", O_RDWR), 0, 0, 65536);
}

static long may_lock(void)
{
    return flock(open("file", O_RDWR), LOCK_EX | LOCK_NB);
}

static long may_lock_range(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_len = 1};
    return fcntl(open("file", O_RDWR), F_SETLK, &lock);
}

static long may_map_shared(void)
{
    int fd = open("file", O_RDWR);
    return ftruncate(fd, 4096) < 0 || mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
                                           fd, 0) == MAP_FAILED
               ? -1
               : 0;
}

static long may_execute(void)
{
    int fd = open("script", O_CREAT | O_WRONLY, 0755);
    pid_t child;
    int status = 0;

    if (fd < 0 || write(fd, "#!/bin/true\n", 12) < 0 || close(fd) < 0)
        return -1;
    child = fork();
    if (child == 0) {
        execl("./script", "script", NULL);
        _exit(errno);
    }
    (void)waitpid(child, &status, 0);
    errno = WEXITSTATUS(status);
    return status == 0 ? 0 : -1;
}

/* In this order, as later ones use the file that the first makes. */
static const struct act file_acts[] = {
    {"create", may_create},
    {"tmpfile", may_tmpfile},
    {"link", may_link},
    {"symlink", may_symlink},
    {"rename", may_rename},
    {"fifo", may_fifo},
    {"socket", may_bind_socket},
    {"device", may_make_device},
    {"give_to_group", may_give_to_group},
    {"give_to_user", may_give_to_user},
    {"chmod", may_chmod},
    {"attribute", may_set_attribute},
    {"allocate", may_allocate},
    {"lock", may_lock},
    {"lock_range", may_lock_range},
    {"map_shared", may_map_shared},
    {"execute", may_execute},
};

static void remove_directory(const char *path)
{
    static const char *const made[] = {"file", "link",   "symlink", "renamed",
                                       "fifo", "socket", "script",  "null"};
    for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
        (void)unlink(made[i]);
    (void)!chdir("/");
    (void)rmdir(path);
}

/* In a directory of its own below `parent`, with what owner its file then has. */
static void attempt_files(const char *name, const char *parent)
{
    struct stat st;
    char path[PATH_MAX], prefix[64], key[80];

    snprintf(path, sizeof(path), "%s/probe.XXXXXX", parent);
    snprintf(prefix, sizeof(prefix), "in.%s.", name);
    snprintf(key, sizeof(key), "may.%smkdtemp", prefix);
    if (!mkdtemp(path) || chdir(path) < 0) {
        say(key, "%s", outcome(-1));
        return;
    }
    say(key, "ok");
    for (size_t i = 0; i < sizeof(file_acts) / sizeof(*file_acts); i++)
        attempt(prefix, &file_acts[i]);
    snprintf(key, sizeof(key), "may.%sowner", prefix);
    if (stat("file", &st) == 0)
        say(key, "%d:%d %o", st.st_uid, st.st_gid, st.st_mode);
    remove_directory(path);
}

void probe_files(void)
{
    static const char *const not_writable[] = {"/",    "/etc",  "/usr",    "/usr/bin",
                                               "/run", "/home", "/opt",    "/dev",
                                               "/sys", "/proc", "/var/lib"};
    const char *home = getenv("HOME");
    char key[64];

    attempt_files("home", home ? home : "/");
    attempt_files("tmp", "/tmp");
    attempt_files("var_tmp", "/var/tmp");
    attempt_files("dev_shm", "/dev/shm");
    for (size_t i = 0; i < sizeof(not_writable) / sizeof(*not_writable); i++) {
        snprintf(key, sizeof(key), "may.write.%s", not_writable[i]);
        say(key, "%s", outcome(access(not_writable[i], W_OK)));
    }
}
