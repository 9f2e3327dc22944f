/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs in the builder. */
#include "rootfs/fsmount.h"
#include "base/cleanup.h"
#include "base/syscalls.h"

neg_errno fsmount_new(const char *fstype, const struct fsmount_option *options,
                      size_t count, unsigned attr)
{
    int rc = 0;
    cleanup_fd int fs = sys_fsopen(fstype);

    if (fs < 0)
        return fs;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = options[i].value ? sys_fsconfig_string(fs, options[i].key, options[i].value)
                              : sys_fsconfig_flag(fs, options[i].key);
    if (rc == 0)
        rc = sys_fsconfig_create(fs);
    return rc < 0 ? rc : sys_fsmount(fs, attr | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

neg_errno fsmount_attach(int mount, const char *path)
{
    cleanup_fd int target = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return target < 0 ? -errno : sys_move_mount(mount, target);
}
