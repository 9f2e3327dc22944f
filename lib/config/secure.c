/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as root, on a path that the administrator wrote.
 *
 * The file is judged by its descriptor. The directories are judged by name, from the root
 * downwards: as long as each one is root's alone, nobody else can exchange the next one,
 * so no race matters. The file's own name is not looked at again: an administrator may
 * have replaced the file in this moment, and what was opened is still what he wrote.
 */
#include "config/secure.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static int check_one(const char *path, const struct stat *st, mode_t forbidden,
                     struct vitrine_error *err)
{
    if (st->st_uid != 0)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "%s must belong to root, but belongs to uid %u", path,
                            (unsigned)st->st_uid);
    if (st->st_mode & forbidden)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "%s must not be writable by group or others, but has mode "
                            "%04o",
                            path, (unsigned)st->st_mode & 07777);
    return 0;
}

static int check_directory(const char *path, bool is_parent, struct vitrine_error *err)
{
    struct stat st;
    mode_t forbidden = S_IWGRP | S_IWOTH;

    if (stat(path, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_ECONFIG, "cannot examine %s", path);
    /* As /tmp is: others can neither remove root's directory from it nor put another of
     * root's directories there. They could put a link to another of root's files there,
     * so it will not do for the directory of the file itself. */
    if ((st.st_mode & S_ISVTX) && !is_parent)
        forbidden = 0;
    return check_one(path, &st, forbidden, err);
}

/* Checks each directory above `path`, a file or a directory, from the root downwards. */
static int check_above(const char *path, bool is_file, struct vitrine_error *err)
{
    char dir[PATH_MAX];
    size_t len = strlen(path);
    const char *name = strrchr(path, '/');

    if (path[0] != '/' || len >= sizeof(dir))
        return vitrine_fail(err, VITRINE_ECONFIG, "%s is not a usable absolute path",
                            path);
    for (const char *p = path; p <= name; p++) {
        size_t n = p == path ? 1 : (size_t)(p - path);

        if (*p != '/')
            continue;
        memcpy(dir, path, n);
        dir[n] = '\0';
        if (check_directory(dir, is_file && p == name, err) < 0)
            return -1;
    }
    return 0;
}

int secure_check_directory(const char *path, struct vitrine_error *err)
{
    char real[PATH_MAX];

    if (!realpath(path, real))
        return vitrine_fail_sys(err, VITRINE_ECONFIG, "cannot examine %s", path);
    return check_directory(real, true, err) < 0 ? -1 : check_above(real, false, err);
}

int secure_check(int fd, const char *path, struct vitrine_error *err)
{
    char link[sizeof("/proc/self/fd/") + 12], real[PATH_MAX];
    struct statfs fs;
    struct stat st;

    if (fstat(fd, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_ECONFIG, "cannot examine %s", path);
    if (!S_ISREG(st.st_mode))
        return vitrine_fail(err, VITRINE_ECONFIG, "%s is not a regular file", path);
    /* What a process of root was started with is root's file there, and a user's text. */
    if (fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC)
        return vitrine_fail(err, VITRINE_ECONFIG, "%s is no file that anybody wrote",
                            path);
    if (check_one(path, &st, S_IWGRP | S_IWOTH, err) < 0 ||
        check_above(path, true, err) < 0)
        return -1;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, real, sizeof(real));
    if (n < 0 || (size_t)n >= sizeof(real)) {
        errno = n < 0 ? errno : ENAMETOOLONG;
        return vitrine_fail_sys(err, VITRINE_ECONFIG, "cannot find out where %s is",
                                path);
    }
    real[n] = '\0';
    return strcmp(real, path) == 0 ? 0 : check_above(real, true, err);
}
