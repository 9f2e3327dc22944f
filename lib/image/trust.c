/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user.
 *
 * The descriptor is what will be mounted; its path, as the kernel tells it, only serves
 * to find the directories above it. Each of them is opened once, without following links,
 * from the one before it, and judged by that descriptor; at the end the name must lead to
 * the very file that is open.
 *
 * No race matters: as long as all that was seen is trusted, none but the trusted could
 * change any part of it, before, during or after the walk. If somebody else can change a
 * part, that part is seen as untrusted, unless he made it look trusted, and for that he
 * would have to be trusted: chown(2) to root takes root. The exception is a file system
 * whose server a user runs, so FUSE is never trusted. All other file systems are mounted
 * by root (in the host's user namespace), who answers for what they say.
 *
 * Nor does it matter what was before: who opened the file for writing when it was not
 * yet trusted is seen by the lease that he does not let us have (a file server does not
 * tell, so an image should be copied to its place, not given to root there).
 *
 * POSIX access control lists need no look of their own: whoever they let write also shows
 * in the group bits, which hold their mask (acl(5)). Those of NFSv4 need not show there.
 */
#include "image/trust.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "privileged/kmount.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

struct walk {
    const uid_t *owners;
    size_t nowners;
    dev_t dev; /* file system that was looked at last */
    bool dev_known;
    struct vitrine_error *why;
};

static bool refuse(struct vitrine_error *why, const char *path, const char *reason)
{
    (void)vitrine_fail(why, VITRINE_EPOLICY, "%s %s", path, reason);
    return false;
}

static bool is_owner(const struct walk *w, uid_t uid)
{
    if (uid == 0)
        return true;
    for (size_t i = 0; i < w->nowners; i++)
        if (w->owners[i] == uid)
            return true;
    return false;
}

/* Judges what fd refers to, which `path` names in the reason. */
static bool is_safe(struct walk *w, int fd, const char *path, struct stat *ret)
{
    struct statfs fs;

    if (fstat(fd, ret) < 0)
        return refuse(w->why, path, "cannot be examined");
    if (!is_owner(w, ret->st_uid))
        return refuse(w->why, path, "belongs to a user who is not trusted");
    /* A sticky bit does not help: it lets others make a file of the same name. */
    if (ret->st_mode & (S_IWGRP | S_IWOTH))
        return refuse(w->why, path, "can be written by its group or by others");
    if (w->dev_known && w->dev == ret->st_dev)
        return true;
    if (fstatfs(fd, &fs) < 0)
        return refuse(w->why, path, "cannot be examined");
    if (fs.f_type == FUSE_SUPER_MAGIC)
        return refuse(w->why, path, "is on a FUSE file system");
    w->dev = ret->st_dev;
    w->dev_known = true;
    return true;
}

/* Walks from "/" to `path`, which it takes apart; *ret is the last component's status. */
static bool is_safe_path(struct walk *w, char *path, struct stat *ret)
{
    cleanup_fd int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (at < 0)
        return refuse(w->why, "/", "cannot be opened");
    if (!is_safe(w, at, "/", ret))
        return false;
    for (char *name = path + 1;;) {
        size_t n = strcspn(name, "/");
        bool last = name[n] == '\0';

        name[n] = '\0';
        int fd =
            openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | (last ? 0 : O_DIRECTORY));
        if (fd < 0)
            return refuse(w->why, path, "cannot be opened");
        (void)close(at);
        at = fd;
        if (!is_safe(w, fd, path, ret))
            return false;
        if (last)
            return true;
        name[n] = '/';
        name += n + 1;
    }
}

/* The path of what is open; a pipe has none. That of a file outside of our root leads
 * nowhere, or to another file. */
static bool path_of(int fd, char path[PATH_MAX])
{
    char link[sizeof("/proc/self/fd/") + 12];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX);
    if (n <= 0 || n >= PATH_MAX || path[0] != '/')
        return false;
    path[n] = '\0';
    return true;
}

/* The file itself, without what is above it. */
static bool is_safe_file(struct walk *w, int fd, const char *path, struct stat *ret)
{
    if (!is_safe(w, fd, path, ret))
        return false;
    if (!S_ISREG(ret->st_mode))
        return refuse(w->why, path, "is no file");
    /* " (deleted)" is then behind the path, but a file may really have that name. */
    if (ret->st_nlink == 0)
        return refuse(w->why, path, "has been deleted");
    return true;
}

static bool has_no_writer(const struct walk *w, int fd, const char *path)
{
    return !kmount_has_writer(fd) || refuse(w->why, path, "is open for writing");
}

bool image_is_trusted(int fd, const uid_t *owners, size_t nowners,
                      struct vitrine_error *ret_why)
{
    struct walk w = {.owners = owners, .nowners = nowners, .why = ret_why};
    char path[PATH_MAX];
    struct stat opened, found;

    if (!path_of(fd, path))
        return refuse(ret_why, "the image", "has no path");
    if (!is_safe_file(&w, fd, path, &opened) || !is_safe_path(&w, path, &found))
        return false;
    if (found.st_dev != opened.st_dev || found.st_ino != opened.st_ino)
        return refuse(ret_why, path, "is no longer the file that was opened");
    return has_no_writer(&w, fd, path);
}

bool image_is_trusted_below(int fd, const char *dir, uid_t owner,
                            struct vitrine_error *ret_why)
{
    struct walk w = {.owners = &owner, .nowners = 1, .why = ret_why};
    cleanup_fd int top = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char path[PATH_MAX], above[PATH_MAX];
    struct stat st;

    if (top < 0 || !path_of(top, above) || !path_of(fd, path))
        return refuse(ret_why, dir, "cannot be opened");
    if (!path_is_below(path, above))
        return refuse(ret_why, path, "is not in the directory");
    return is_safe_file(&w, fd, path, &st) && is_safe_path(&w, above, &st) &&
           has_no_writer(&w, fd, path);
}
