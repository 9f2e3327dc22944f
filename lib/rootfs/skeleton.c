/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs in the builder. In the image it only looks, in the layer it only follows names
 * that it made itself (O_NOFOLLOW), so a hostile image can at most misplace its own mount
 * points.
 */
#include "rootfs/skeleton.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/syscalls.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

/* As many as the kernel follows. */
#define LINKS_MAX 40

/* The path, seen from the image's root, of a descriptor in it. */
static neg_errno path_of(const struct skeleton *skeleton, int fd, char *buf, size_t size)
{
    char link[64];
    size_t base = strlen(skeleton->image_path);

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, buf, size - 1);
    if (n < 0)
        return -errno;
    if ((size_t)n >= size - 1)
        return -ENAMETOOLONG;
    buf[n] = '\0';
    if (!path_is_below(buf, skeleton->image_path))
        return -EXDEV;
    memmove(buf, buf + base, (size_t)n - base + 1);
    return 0;
}

/*
 * Where `path` leads in the image, links followed; what the image lacks is appended as it
 * is. "" is the root. A link that leads to nothing counts as lacking: the layer hides it.
 */
static neg_errno resolve(const struct skeleton *skeleton, const char *path, char *buf,
                         size_t size)
{
    char prefix[PATH_MAX];
    size_t len = strlen(path);

    if (len >= sizeof(prefix) || !path_is_normal(path))
        return -EINVAL;
    memcpy(prefix, path, len + 1);
    for (size_t end = len;; prefix[end] = '\0') {
        cleanup_fd int fd =
            path_open_in_root(skeleton->image, end ? prefix : "/", O_PATH | O_CLOEXEC);

        if (fd >= 0) {
            int rc = path_of(skeleton, fd, buf, size);

            if (rc < 0)
                return rc;
            size_t used = strlen(buf);
            if (used + (len - end) >= size)
                return -ENAMETOOLONG;
            memcpy(buf + used, path + end, len - end + 1);
            return 0;
        }
        if (fd != -ENOENT || end == 0)
            return fd;
        end = (size_t)(strrchr(prefix, '/') - prefix);
    }
}

/* Makes an absolute path a normal one; above the root is the root. */
static void normalise(char *path)
{
    size_t used = 0, n;

    for (const char *p = path + strspn(path, "/"); *p; p += n + strspn(p + n, "/")) {
        n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            while (used > 0 && path[--used] != '/')
                ;
        } else if (n != 1 || p[0] != '.') {
            path[used++] = '/';
            memmove(path + used, p, n);
            used += n;
        }
    }
    path[used] = '\0';
    if (used == 0)
        (void)strcpy(path, "/");
}

/* Reads the first link in a resolved path, which leads to nothing in the image, and puts
 * its text in the place of what it stands for. Whether there is one. */
static bool replace_link(const struct skeleton *skeleton, const char *path, char *buf,
                         size_t size)
{
    char prefix[PATH_MAX], text[PATH_MAX];

    for (size_t end = path[0] ? strcspn(path + 1, "/") + 1 : 0; end > 0;
         end += strcspn(path + end + 1, "/") + 1) {
        (void)snprintf(prefix, sizeof(prefix), "%.*s", (int)end, path);
        cleanup_fd int fd = sys_openat2(skeleton->image, prefix + 1, O_PATH | O_NOFOLLOW,
                                        0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        ssize_t n = fd < 0 ? -1 : readlinkat(fd, "", text, sizeof(text) - 1);

        if (n > 0) {
            text[n] = '\0';
            *strrchr(prefix, '/') = '\0';
            return snprintf(buf, size, "%s/%s%s", text[0] == '/' ? "" : prefix, text,
                            path + end) < (int)size;
        }
        if (fd < 0 || path[end] == '\0')
            break;
    }
    return false;
}

neg_errno skeleton_leads(const struct skeleton *skeleton, const char *path,
                         char buf[PATH_MAX])
{
    char text[PATH_MAX];
    int rc = resolve(skeleton, path, buf, PATH_MAX);

    for (int links = 0; rc == 0 && replace_link(skeleton, buf, text, sizeof(text));) {
        normalise(text);
        rc = ++links > LINKS_MAX ? -ELOOP : resolve(skeleton, text, buf, PATH_MAX);
    }
    return rc;
}

/*
 * What the image has at a resolved path. Nothing is followed: the path was resolved, and
 * in a directory somebody may meanwhile have put a link where a directory was.
 */
static neg_errno stat_image(const struct skeleton *skeleton, const char *path,
                            struct stat *ret)
{
    cleanup_fd int fd =
        sys_openat2(skeleton->image, path[0] ? path + 1 : ".", O_PATH | O_NOFOLLOW, 0,
                    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

    return fd < 0 ? fd : fstat(fd, ret) < 0 ? -errno : 0;
}

mode_t skeleton_mode(const struct skeleton *skeleton, mode_t image)
{
    mode_t search = image & (S_IXUSR | S_IXGRP | S_IXOTH);

    return (image & 07777) | (skeleton->searchable_is_readable ? search << 2 : 0);
}

/* Gives a new directory of the layer what the image's directory there has. */
static neg_errno copy_attributes(const struct skeleton *skeleton, const char *path,
                                 int dir)
{
    struct stat st;
    bool found = stat_image(skeleton, path, &st) == 0 && S_ISDIR(st.st_mode);
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    int owned =
        fchown(dir, found ? st.st_uid : skeleton->uid, found ? st.st_gid : skeleton->gid);

    /* EINVAL: an owner that the builder's namespace does not know; in a container that
     * can be written it becomes the user's. */
    if ((owned < 0 && errno != EINVAL) ||
        fchmod(dir, found ? skeleton_mode(skeleton, st.st_mode) : 0755) < 0 ||
        (found && futimens(dir, times) < 0))
        return -errno;
    return 0;
}

static neg_errno enter(const struct skeleton *skeleton, int parent, const char *name,
                       const char *path)
{
    bool fresh = mkdirat(parent, name, 0700) == 0;

    if (!fresh && errno != EEXIST)
        return -errno;
    cleanup_fd int fd =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = fresh ? copy_attributes(skeleton, path, fd) : 0;
    return rc < 0 ? rc : steal_fd(&fd);
}

/* Makes all directories of a resolved path; it is changed and restored on the way. */
static neg_errno make_dirs(const struct skeleton *skeleton, char *path)
{
    int dir = fcntl(skeleton->layer, F_DUPFD_CLOEXEC, 0);

    for (char *end = path; dir >= 0 && *end;) {
        char *name = end + 1;
        char *slash = name + strcspn(name, "/");
        char saved = *slash;

        *slash = '\0';
        int next = enter(skeleton, dir, name, path);
        *slash = saved;
        (void)close(dir);
        if (next < 0)
            return next;
        dir = next;
        end = slash;
    }
    return dir < 0 ? -errno : dir;
}

/* What the image has at a resolved path: 0 for nothing, or a dangling link. */
static mode_t image_type(const struct skeleton *skeleton, const char *path)
{
    struct stat st;

    if (stat_image(skeleton, path, &st) < 0 || S_ISLNK(st.st_mode))
        return 0;
    return st.st_mode & S_IFMT;
}

neg_errno skeleton_dir(const struct skeleton *skeleton, const char *path)
{
    char real[PATH_MAX];
    int rc = resolve(skeleton, path, real, sizeof(real));

    if (rc < 0)
        return rc;
    mode_t type = image_type(skeleton, real);
    return type && !S_ISDIR(type) ? -ENOTDIR : make_dirs(skeleton, real);
}

neg_errno skeleton_point(const struct skeleton *skeleton, const char *path, mode_t type)
{
    char real[PATH_MAX];
    int rc = resolve(skeleton, path, real, sizeof(real));

    if (rc < 0)
        return rc;
    mode_t there = image_type(skeleton, real);
    if (there && S_ISDIR(there) != S_ISDIR(type))
        return S_ISDIR(type) ? -ENOTDIR : -EISDIR;
    if (there)
        return 0;
    char *name = S_ISDIR(type) ? NULL : strrchr(real, '/');
    if (name)
        *name++ = '\0';
    cleanup_fd int dir = make_dirs(skeleton, real);
    if (dir < 0)
        return dir;
    rc = name ? skeleton_file(skeleton, dir, name, "", 0) : 0;
    return rc == -EEXIST ? 0 : rc;
}

neg_errno skeleton_file(const struct skeleton *skeleton, int dir, const char *name,
                        const char *text, size_t size)
{
    cleanup_fd int fd =
        openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return -errno;
    int rc = fd_write_full(fd, text, size);
    if (rc == 0 && (fchown(fd, skeleton->uid, skeleton->gid) < 0 || fchmod(fd, 0644) < 0))
        rc = -errno;
    return rc;
}
