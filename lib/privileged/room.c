/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as root, in slurmstepd. It names nothing that a user chose: the base is the
 * administrator's, and below it every directory but the last is root's, is opened without
 * following links, and is refused if it is anybody else's.
 */
#include "privileged/room.h"
#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PASSED 0711

bool room_is_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= 64 && name[0] != '.' &&
           strspn(name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "._+-") == len;
}

neg_errno room_boot(char ret[ROOM_BOOT_MAX])
{
    cleanup_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, ROOM_BOOT_MAX - 1);

    if (n < 0)
        return -errno;
    ret[n] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
    return room_is_name(ret) ? 0 : -EIO;
}

static neg_errno check_roots(int dir)
{
    struct stat st;

    if (fstat(dir, &st) < 0)
        return -errno;
    return st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)) ? 0 : -EPERM;
}

/* A directory of root's that users may pass through, but not list. The umask may have
 * kept them out when it was made, perhaps by somebody who was killed before he came here.
 */
static neg_errno enter(int parent, const char *name)
{
    if (mkdirat(parent, name, PASSED) < 0 && errno != EEXIST)
        return -errno;
    cleanup_fd int dir =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = dir < 0 ? -errno : check_roots(dir);
    if (rc == 0 && fchmod(dir, PASSED) < 0)
        rc = -errno;
    return rc < 0 ? rc : steal_fd(&dir);
}

/* The user's own. One that is still root's was left by a maker who was killed. */
static neg_errno enter_users(int parent, const char *name, uid_t uid, gid_t gid)
{
    struct stat st;

    if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
        return -errno;
    cleanup_fd int dir =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 || fstat(dir, &st) < 0)
        return -errno;
    if (st.st_uid != uid && st.st_uid != 0)
        return -EPERM;
    /* What a job of root's has left there is not given away with it. */
    if (st.st_uid != uid && !fd_is_empty_dir(dir))
        return -ENOTEMPTY;
    if (st.st_uid != uid && (fchmod(dir, 0700) < 0 || fchown(dir, uid, gid) < 0))
        return -errno;
    return steal_fd(&dir);
}

static neg_errno open_base(const char *base)
{
    bool fresh = mkdir(base, PASSED) == 0;

    if (!fresh && errno != EEXIST)
        return -errno;
    cleanup_fd int dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = dir < 0 ? -errno : check_roots(dir);
    /* An old one has the mode that the administrator wants. */
    if (rc == 0 && fresh && fchmod(dir, PASSED) < 0)
        rc = -errno;
    return rc < 0 ? rc : steal_fd(&dir);
}

neg_errno room_make(const char *base, uid_t uid, gid_t gid, const char *job)
{
    char boot[ROOM_BOOT_MAX], user[16];

    if (job && !room_is_name(job))
        return -EINVAL;
    (void)snprintf(user, sizeof(user), "%u", (unsigned)uid);
    cleanup_fd int top = open_base(base);
    cleanup_fd int kind = top < 0 ? top : enter(top, job ? "job" : "user");
    if (kind < 0)
        return kind;
    if (!job)
        return enter_users(kind, user, uid, gid);
    int rc = room_boot(boot);
    cleanup_fd int here = rc < 0 ? rc : enter(kind, boot);
    return here < 0 ? here : enter_users(here, job, uid, gid);
}
