/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rootfs/point.h"
#include "base/cleanup.h"
#include "base/path.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* In a directory that was opened, without following anything. Somebody else may have been
 * faster. */
static neg_errno make(int dir, const char *name, mode_t type)
{
    if (S_ISDIR(type))
        return mkdirat(dir, name, 0755) < 0 && errno != EEXIST ? -errno : 0;
    cleanup_fd int fd =
        openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
    return fd < 0 ? -errno : 0;
}

/* Makes the next component behind path[*end], which is where the existing part stops. */
static neg_errno make_next(int root, char *path, size_t *end, mode_t type)
{
    char *name = path + *end + strspn(path + *end, "/");
    size_t n = strcspn(name, "/");
    bool is_last = name[n + strspn(name + n, "/")] == '\0';
    char saved = path[*end], after = name[n];

    path[*end] = '\0';
    cleanup_fd int dir = path_open_in_root(root, *end ? path : "/", O_PATH | O_DIRECTORY);
    path[*end] = saved;
    if (dir < 0)
        return dir;
    name[n] = '\0';
    int rc = make(dir, name, is_last ? type : S_IFDIR);
    name[n] = after;
    *end = (size_t)(name - path) + n;
    return rc;
}

neg_errno point_open(int root, const char *path, mode_t type)
{
    char copy[PATH_MAX];
    size_t len = strlen(path), end = len;
    int rc = path_open_in_root(root, path, O_PATH);

    if (rc != -ENOENT || !type)
        return rc;
    if (len >= sizeof(copy))
        return -ENAMETOOLONG;
    memcpy(copy, path, len + 1);
    /* Back to what exists, then forward again. */
    while (rc == -ENOENT && end > 0) {
        while (end > 0 && copy[--end] != '/')
            ;
        copy[end] = '\0';
        rc = path_open_in_root(root, end ? copy : "/", O_PATH | O_DIRECTORY);
    }
    if (rc < 0)
        return rc;
    (void)close(rc);
    memcpy(copy, path, len + 1);
    for (rc = 0; rc == 0 && copy[end + strspn(copy + end, "/")];)
        rc = make_next(root, copy, &end, type);
    return rc < 0 ? rc : path_open_in_root(root, path, O_PATH);
}
