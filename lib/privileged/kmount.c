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
#include <linux/magic.h>
#include <sched.h>
#include <sys/vfs.h>

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

/* File systems whose leases the kernel itself keeps. */
static bool is_local(int file)
{
    static const long magics[] = {EXT4_SUPER_MAGIC,      XFS_SUPER_MAGIC,
                                  BTRFS_SUPER_MAGIC,     TMPFS_MAGIC,
                                  OVERLAYFS_SUPER_MAGIC, F2FS_SUPER_MAGIC};
    struct statfs fs;

    if (fstatfs(file, &fs) < 0)
        return false;
    for (size_t i = 0; i < sizeof(magics) / sizeof(*magics); i++)
        if (fs.f_type == magics[i])
            return true;
    return false;
}

/* Root is needed to open devices; whose mode a node's udev rules may have left at 0600.
 */
static neg_errno become_root(void)
{
    int rc = caps_raise();

    return rc == 0 && seteuid(0) < 0 ? -errno : rc;
}

/* Passes on `fd`, or closes it: nobody goes on with privilege that is not given back. */
static neg_errno become_user(uid_t user, int fd)
{
    if (seteuid(user) == 0 && caps_lower() == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -EPERM;
}

neg_errno kmount_squashfs(int image, uint64_t offset)
{
    uid_t user = geteuid();
    int rc = become_root();

    if (rc == 0)
        rc = mount_loop(image, offset);
    return become_user(user, rc);
}

bool kmount_has_writer(int image)
{
    uid_t user = geteuid();

    if (caps_raise() < 0)
        return false;
    /* A lease is for the owner of a file, and refused as long as there is a writer. File
     * servers refuse it for other reasons, or know none: then nothing can be said. */
    bool has = seteuid(0) == 0 && fcntl(image, F_SETLEASE, F_RDLCK) < 0 &&
               errno == EAGAIN && is_local(image);
    (void)fcntl(image, F_SETLEASE, F_UNLCK);
    return become_user(user, 0) < 0 || has;
}

static neg_errno mount_fuse(int dev, uid_t user)
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
    (void)snprintf(uid_text, sizeof(uid_text), "%u", (unsigned)user);
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
    uid_t user = geteuid();
    cleanup_fd int dev = -1;
    int rc = become_root();

    if (rc == 0) {
        dev = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        rc = dev < 0 ? -errno : mount_fuse(dev, user);
    }
    rc = become_user(user, rc);
    if (rc >= 0)
        *ret_dev = steal_fd(&dev);
    return rc;
}

/* A detached copy of the one mount that `dir` is in, from `dir` downwards. */
static neg_errno clone_mount(int dir, unsigned flags)
{
    int mount = sys_open_tree(dir, "", AT_EMPTY_PATH);

    if (mount < 0)
        return mount;
    int rc = sys_mount_setattr(mount, 0, flags);
    if (rc < 0) {
        (void)close(mount);
        return rc;
    }
    return mount;
}

neg_errno kmount_directory(int dir, bool writable)
{
    uid_t user = geteuid();
    int rc = caps_raise();

    if (rc == 0)
        rc = clone_mount(dir, writable ? MOUNT_FLAGS & ~MOUNT_ATTR_RDONLY : MOUNT_FLAGS);
    return become_user(user, rc);
}

static neg_errno clone_root_of(int mount_ns)
{
    cleanup_fd int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    cleanup_fd int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (own < 0 || cwd < 0 || setns(mount_ns, CLONE_NEWNS) < 0)
        return -errno;
    int rc = sys_open_tree(AT_FDCWD, "/", 0);
    if (setns(own, CLONE_NEWNS) < 0 || fchdir(cwd) < 0) {
        int cause = -errno;

        if (rc >= 0)
            (void)close(rc);
        return cause;
    }
    return rc;
}

neg_errno kmount_root_of(int mount_ns)
{
    uid_t user = geteuid();
    int rc = caps_raise();

    if (rc == 0)
        rc = clone_root_of(mount_ns);
    return become_user(user, rc);
}

neg_errno kmount_idmap(int mount, int user_ns)
{
    uid_t user = geteuid();
    struct statfs fs;
    int rc = fstatfs(mount, &fs) < 0 ? -errno : 0;

    /* Never a directory of the host: root's files there would be the user's. An image's
     * are his to read anyway, and nobody's to write. */
    if (rc == 0 && fs.f_type != SQUASHFS_MAGIC)
        rc = -EINVAL;
    if (rc == 0)
        rc = caps_raise();
    if (rc == 0)
        rc = sys_mount_idmap(mount, user_ns);
    return become_user(user, rc);
}
