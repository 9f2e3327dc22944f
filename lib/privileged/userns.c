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

neg_errno userns_create(void)
{
    int rc = caps_raise();

    if (rc < 0)
        return rc;
    if (seteuid(0) < 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
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

neg_errno userns_join(int mount_ns)
{
    int rc = caps_raise();

    if (rc == 0 && setns(mount_ns, CLONE_NEWNS) < 0)
        rc = -errno;
    int dropped = caps_drop();
    return rc < 0 ? rc : dropped;
}
