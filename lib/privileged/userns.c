/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user with raised capabilities; as root while it creates and maps.
 *
 * All ids are mapped to themselves. This is safe because no process but the builder is
 * ever in the namespace: its owner is root, so setns(2) to it is refused to the user, who
 * can at most hold a descriptor of it. The builder needs the whole map to give mount
 * points the ids of the image's own directories, and copy-up in the overlay (which acts
 * with the builder's credentials) needs it for any file that is not the user's. What a
 * compromised builder could do with it is bounded by its four capabilities, three of
 * which it holds only while it works inside of the detached root (rootfs/rootfs.c).
 */
#include "privileged/userns.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "privileged/caps.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>

neg_errno userns_create(int more)
{
    int rc = caps_raise();

    if (rc < 0)
        return rc;
    if (seteuid(0) < 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS | more) < 0)
        return -errno;
    return 0;
}

/*
 * This is safe because the user owns that namespace already: whatever is in it, or is
 * created in it, is in his power anyway, and power there is none outside of it.
 */
neg_errno userns_enter(int user_ns, int more)
{
    int rc = caps_raise();

    if (rc < 0)
        return rc;
    if (setns(user_ns, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS | more) < 0)
        return -errno;
    return 0;
}

static neg_errno write_map(pid_t builder, const char *name)
{
    static const char identity[] = "0 0 4294967295\n";
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)builder, name);
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    return fd_write_full(fd, identity, strlen(identity));
}

neg_errno userns_map(pid_t builder)
{
    uid_t user = geteuid();
    int rc = caps_raise();

    /* The builder is our own child and not yet reaped, so its pid cannot be another's. */
    if (rc == 0 && seteuid(0) < 0)
        rc = -errno;
    if (rc == 0)
        rc = write_map(builder, "uid_map");
    if (rc == 0)
        rc = write_map(builder, "gid_map");
    if (seteuid(user) < 0 || caps_lower() < 0)
        return -EPERM;
    return rc;
}

neg_errno userns_settle(uid_t user)
{
    int rc = caps_builder_start();

    if (rc < 0)
        return rc;
    if (setresuid(user, user, user) < 0)
        return -errno;
    return caps_builder_settle();
}

static neg_errno join_all(const struct userns_set *set)
{
    const struct {
        int fd, type;
    } others[] = {
        {set->net, CLONE_NEWNET},
        {set->ipc, CLONE_NEWIPC},
        {set->uts, CLONE_NEWUTS},
    };

    if (set->user >= 0 && setns(set->user, CLONE_NEWUSER) < 0)
        return -errno;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (others[i].fd >= 0 && setns(others[i].fd, others[i].type) < 0)
            return -errno;
    return setns(set->mnt, CLONE_NEWNS) < 0 ? -errno : 0;
}

/*
 * After setns(2) to the user's own namespace the process has all capabilities there and
 * none outside; these it keeps, being root in it. Elsewhere everything is given up.
 */
neg_errno userns_join(const struct userns_set *set)
{
    int rc = caps_raise();

    if (rc == 0)
        rc = join_all(set);
    int dropped = rc == 0 && set->user >= 0 ? caps_stay_root() : caps_drop();
    return rc < 0 ? rc : dropped;
}
