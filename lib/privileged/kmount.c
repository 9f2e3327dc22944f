/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user with raised capabilities, as root where a device must be opened.
 *
 * Mounting is safe because no path of a user takes part: the device comes from
 * loop_attach(), and the mounts stay detached until the builder, without any privilege
 * outside of its own namespace, puts them in place. They carry nosuid and nodev, so
 * neither a trusted nor a hostile image can hold privilege.
 */
#include "privileged/kmount.h"
#include "base/cleanup.h"
#include "base/syscalls.h"
#include "privileged/caps.h"
#include "privileged/loop.h"

#include <fcntl.h>

#define MOUNT_FLAGS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

static neg_errno mount_loop(int image, uint64_t offset)
{
    char source[sizeof("/dev/loop") + 12];
    int number, rc;
    cleanup_fd int device = loop_attach(image, offset, &number);

    if (device < 0)
        return device;
    cleanup_fd int fs = sys_fsopen("squashfs");
    if (fs < 0)
        return fs;
    (void)snprintf(source, sizeof(source), "/dev/loop%d", number);
    if ((rc = sys_fsconfig_string(fs, "source", source)) < 0 ||
        (rc = sys_fsconfig_flag(fs, "ro")) < 0 || (rc = sys_fsconfig_create(fs)) < 0)
        return rc;
    return sys_fsmount(fs, MOUNT_FLAGS);
}

neg_errno kmount_squashfs(int image, uint64_t offset)
{
    uid_t user = geteuid();
    int rc = caps_raise();

    if (rc == 0 && seteuid(0) < 0)
        rc = -errno;
    if (rc == 0)
        rc = mount_loop(image, offset);
    if (seteuid(user) < 0 || caps_lower() < 0) {
        /* Never go on with privilege that could not be given back. */
        if (rc >= 0)
            (void)close(rc);
        return -EPERM;
    }
    return rc;
}

static neg_errno mount_fuse(int dev)
{
    char fd_text[16], uid_text[16], gid_text[16];
    const char *const options[][2] = {
        {"source", "vitrine"},  {"fd", fd_text},
        {"rootmode", "40000"},  {"user_id", uid_text},
        {"group_id", gid_text}, {"subtype", "vitrine"},
        {"allow_other", NULL},  {"default_permissions", NULL},
        {"ro", NULL},
    };
    int rc;
    cleanup_fd int fs = sys_fsopen("fuse");

    if (fs < 0)
        return fs;
    (void)snprintf(fd_text, sizeof(fd_text), "%d", dev);
    (void)snprintf(uid_text, sizeof(uid_text), "%u", (unsigned)geteuid());
    (void)snprintf(gid_text, sizeof(gid_text), "%u", (unsigned)getegid());
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
        rc = options[i][1] ? sys_fsconfig_string(fs, options[i][0], options[i][1])
                           : sys_fsconfig_flag(fs, options[i][0]);
        if (rc < 0)
            return rc;
    }
    rc = sys_fsconfig_create(fs);
    return rc < 0 ? rc : sys_fsmount(fs, MOUNT_FLAGS);
}

neg_errno kmount_fuse(int *ret_dev)
{
    cleanup_fd int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (dev < 0)
        return -errno;
    int rc = caps_raise();
    if (rc == 0)
        rc = mount_fuse(dev);
    if (caps_lower() < 0) {
        if (rc >= 0)
            (void)close(rc);
        return -EPERM;
    }
    if (rc >= 0)
        *ret_dev = steal_fd(&dev);
    return rc;
}

neg_errno kmount_directory(int dir)
{
    int rc = caps_raise();

    if (rc == 0)
        rc = sys_open_tree(dir, "", AT_EMPTY_PATH);
    if (rc >= 0) {
        int set = sys_mount_setattr(rc, 0, MOUNT_FLAGS);

        if (set < 0) {
            (void)close(rc);
            rc = set;
        }
    }
    if (caps_lower() < 0) {
        if (rc >= 0)
            (void)close(rc);
        return -EPERM;
    }
    return rc;
}
