/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/path.h"
#include "base/cleanup.h"
#include "base/syscalls.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

bool path_is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    if (n == 1 && dir[0] == '/')
        return path[0] == '/';
    return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

bool path_is_normal(const char *path)
{
    if (path[0] != '/')
        return false;
    if (path[1] == '\0')
        return true;
    for (const char *p = path; *p;) {
        size_t n = strcspn(++p, "/");

        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += n;
    }
    return true;
}

char *path_join(const char *dir, const char *name)
{
    char *joined;

    if (name[0] == '/')
        return strdup(name);
    if (asprintf(&joined, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name) <
        0)
        return NULL;
    return joined;
}

neg_errno path_open_in_root(int root, const char *path, int flags)
{
    return sys_openat2(root, path, (uint64_t)flags, 0,
                       RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/* Makes the last component of `path` in the directory `parent`, owned by `owner`. */
static neg_errno make_one(int parent, const char *name, mode_t type, uid_t owner)
{
    cleanup_fd int fd = -1;
    char link[1];

    /* A symbolic link that leads to nothing gives way: nothing was to be found there. */
    if (readlinkat(parent, name, link, sizeof(link)) > 0 && unlinkat(parent, name, 0) < 0)
        return -errno;
    if (S_ISDIR(type) && mkdirat(parent, name, 0700) < 0)
        return -errno;
    fd = openat(parent, name,
                O_NOFOLLOW | O_CLOEXEC | O_RDONLY |
                    (S_ISDIR(type) ? O_DIRECTORY : O_CREAT | O_EXCL),
                0600);
    if (fd < 0)
        return -errno;
    /* The creator's umask and ids must not show: the mount point looks like the image's.
     */
    if (fchown(fd, owner, owner) < 0 || fchmod(fd, S_ISDIR(type) ? 0755 : 0644) < 0)
        return -errno;
    return 0;
}

neg_errno path_make_in_root(int root, const char *path, mode_t type, uid_t owner)
{
    char prefix[PATH_MAX];
    size_t len = strlen(path);
    int fd = path_open_in_root(root, path, O_PATH);

    if (fd == -ENOENT && len < sizeof(prefix) && path_is_normal(path)) {
        cleanup_fd int parent = path_open_in_root(root, "/", O_PATH | O_DIRECTORY);

        for (size_t end = 0; end < len;) {
            size_t start = end + 1;

            end = start + strcspn(path + start, "/");
            memcpy(prefix, path, end);
            prefix[end] = '\0';
            fd = path_open_in_root(root, prefix, O_PATH);
            if (fd == -ENOENT) {
                int rc =
                    make_one(parent, prefix + start, end < len ? S_IFDIR : type, owner);

                if (rc < 0)
                    return rc;
                fd = path_open_in_root(root, prefix, O_PATH);
            }
            if (fd < 0)
                return fd;
            if (parent >= 0)
                (void)close(parent);
            parent = fd;
        }
        fd = steal_fd(&parent);
    }
    if (fd < 0)
        return fd;

    struct stat st;
    int rc = 0;

    if (fstat(fd, &st) < 0)
        rc = -errno;
    else if (S_ISDIR(type) && !S_ISDIR(st.st_mode))
        rc = -ENOTDIR;
    else if (!S_ISDIR(type) && S_ISDIR(st.st_mode))
        rc = -EISDIR;
    if (rc < 0)
        (void)close(fd);
    return rc < 0 ? rc : fd;
}
