/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs in the builder, as the user with CAP_SYS_ADMIN alone: it makes what the user could
 * make. Others may change the directories meanwhile; each step is therefore taken from a
 * descriptor, and leads into a directory or nowhere.
 */
#include "rootfs/target.h"
#include "base/cleanup.h"
#include "base/path.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

/* The deepest directory on the way to `path` that is there; `*ret_rest` follows it. */
static neg_errno open_deepest(int root, const char *path, const char **ret_rest)
{
    char prefix[PATH_MAX];
    size_t end = strlen(path);

    if (end >= sizeof(prefix) || !path_is_normal(path))
        return -EINVAL;
    memcpy(prefix, path, end + 1);
    do {
        end = (size_t)(strrchr(prefix, '/') - prefix);
        prefix[end] = '\0';
        int fd = path_open_in_root(root, end ? prefix : "/", O_PATH | O_DIRECTORY);

        if (fd >= 0)
            *ret_rest = path + end + 1;
        if (fd != -ENOENT)
            return fd;
    } while (end > 0);
    return -ENOENT;
}

/* Another task, on another node, may have made the same meanwhile: all the better. */
static neg_errno make_dir(int parent, const char *name)
{
    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static neg_errno make_file(int parent, const char *name)
{
    struct stat st;
    cleanup_fd int made =
        openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (made < 0 && errno != EEXIST)
        return -errno;
    cleanup_fd int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    return S_ISLNK(st.st_mode) ? -ELOOP : steal_fd(&fd);
}

neg_errno target_make(int root, const char *path, mode_t type)
{
    const char *rest;
    int dir = open_deepest(root, path, &rest);

    while (dir >= 0 && *rest) {
        char name[NAME_MAX + 1];
        size_t n = strcspn(rest, "/");
        bool is_file = rest[n] == '\0' && !S_ISDIR(type);

        if (n >= sizeof(name)) {
            (void)close(dir);
            return -ENAMETOOLONG;
        }
        memcpy(name, rest, n);
        name[n] = '\0';
        int next = is_file ? make_file(dir, name) : make_dir(dir, name);
        (void)close(dir);
        dir = next;
        rest += n + (rest[n] == '/');
    }
    return dir;
}

bool target_is_root(int root, int fd)
{
    struct statx a, b;

    if (statx(root, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &a) < 0 ||
        statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
              STATX_INO | STATX_MNT_ID, &b) < 0)
        return false;
    return a.stx_mnt_id == b.stx_mnt_id && a.stx_ino == b.stx_ino;
}

bool target_is_mount(int fd)
{
    struct statx st;

    return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE,
                 &st) == 0 &&
           (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

neg_errno target_type(int fd, mode_t *ret)
{
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE,
              &st) < 0)
        return -errno;
    *ret = S_ISDIR(st.stx_mode) ? S_IFDIR : S_IFREG;
    return 0;
}
