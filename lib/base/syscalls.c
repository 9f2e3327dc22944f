/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/syscalls.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

static neg_errno result(long rc)
{
    return rc < 0 ? -errno : (neg_errno)rc;
}

neg_errno sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode,
                      uint64_t resolve)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};

    /* EAGAIN: a rename elsewhere on the system raced with a ".."; the call may be
     * repeated (openat2(2)), and a bound keeps a hostile renamer from holding us here. */
    for (int tries = 0; tries < 128; tries++) {
        long rc = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

        if (rc >= 0 || errno != EAGAIN)
            return result(rc);
    }
    return -EAGAIN;
}

neg_errno sys_fsopen(const char *fstype)
{
    return result(syscall(SYS_fsopen, fstype, FSOPEN_CLOEXEC));
}

neg_errno sys_fsconfig_flag(int fs, const char *key)
{
    return result(syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, key, NULL, 0));
}

neg_errno sys_fsconfig_string(int fs, const char *key, const char *value)
{
    return result(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0));
}

neg_errno sys_fsconfig_create(int fs)
{
    return result(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
}

neg_errno sys_fsmount(int fs, unsigned attr)
{
    return result(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attr));
}

neg_errno sys_open_tree(int dirfd, const char *path, unsigned flags)
{
    return result(
        syscall(SYS_open_tree, dirfd, path, flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
}

neg_errno sys_move_mount(int mount, int target)
{
    return result(syscall(SYS_move_mount, mount, "", target, "",
                          MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

neg_errno sys_mount_setattr(int mount, unsigned flags, uint64_t set)
{
    const struct mount_attr attr = {.attr_set = set};

    return sys_mount_change(mount, flags, &attr);
}

neg_errno sys_mount_change(int mount, unsigned flags, const struct mount_attr *attr)
{
    return result(syscall(SYS_mount_setattr, mount, "", flags | AT_EMPTY_PATH, attr,
                          sizeof(*attr)));
}

neg_errno sys_mount_idmap(int mount, int user_ns)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP,
                              .userns_fd = (uint64_t)user_ns};

    return result(
        syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
}

neg_errno sys_pivot_root(const char *new_root, const char *put_old)
{
    return result(syscall(SYS_pivot_root, new_root, put_old));
}

neg_errno sys_pidfd_open(pid_t pid)
{
    return result(syscall(SYS_pidfd_open, pid, 0));
}

neg_errno sys_close_range(unsigned first, unsigned last, unsigned flags)
{
    return result(syscall(SYS_close_range, first, last, flags));
}

neg_errno sys_seccomp_filter(struct sock_filter *code, size_t n)
{
    struct sock_fprog program = {.len = (unsigned short)n, .filter = code};

    return result(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                          SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program));
}
