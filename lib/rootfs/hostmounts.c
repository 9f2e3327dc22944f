/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MountHost=auto. Runs in the builder; the only user of libmount. */
#include "rootfs/hostmounts.h"
#include "base/path.h"
#include "rootfs/plan.h"

#include <errno.h>
#include <libmount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Shown wherever they are mounted: data or software that the site shares. */
static const char *const shared_types[] = {
    "9p",    "acfs",  "afs",    "autofs", "beegfs",   "ceph",   "cifs",   "fuse",
    "gfs2",  "gpfs",  "lustre", "ncpfs",  "nfs",      "nfs4",   "ocfs2",  "orangefs",
    "panfs", "pvfs2", "smb3",   "smbfs",  "virtiofs", "wekafs", "yas3fs",
};

/* FUSE file systems that serve a desktop or another container, not data. */
static const char *const odd_fuse[] = {
    "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fuse.vitrine", "fuse.fuse-overlayfs",
};

/* A node's own disk or memory, shown where no operating system keeps its things. */
static const char *const local_types[] = {
    "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4",
    "f2fs",     "jfs",   "ntfs3", "tmpfs", "xfs",  "zfs",
};

/* Besides what plan_os_owned() names. */
static const char *const kernel_dirs[] = {"/dev", "/efi", "/proc", "/snap", "/sys"};

static bool is_one_of(const char *value, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(value, list[i]) == 0)
            return true;
    return false;
}

bool hostmounts_wanted(const char *fstype, const char *target)
{
    if (strcmp(target, "/") == 0)
        return false;
    if (strncmp(fstype, "fuse.", 5) == 0)
        return !is_one_of(fstype, odd_fuse, COUNT(odd_fuse));
    if (is_one_of(fstype, shared_types, COUNT(shared_types)))
        return true;
    if (!is_one_of(fstype, local_types, COUNT(local_types)))
        return false;
    for (size_t i = 0; i < COUNT(kernel_dirs); i++)
        if (path_is_below(target, kernel_dirs[i]))
            return false;
    return !plan_os_owned(target);
}

/* FUSE without allow_other is for the user who runs it alone, not even for root. He may
 * have a thousand of them, and none of them is another's to show. */
static bool is_private(struct libmnt_fs *fs)
{
    char *owner;
    size_t size;
    const char *options = mnt_fs_get_fs_options(fs);

    return options && mnt_optstr_get_option(options, "allow_other", NULL, NULL) != 0 &&
           mnt_optstr_get_option(options, "user_id", &owner, &size) == 0 &&
           strtoul(owner, NULL, 10) != geteuid();
}

neg_errno hostmounts_each(hostmounts_f each, void *arg)
{
    struct libmnt_fs *fs;
    struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
    struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
    int rc = table && iter ? 0 : -ENOMEM;

    while (rc == 0 && mnt_table_next_fs(table, iter, &fs) == 0) {
        const char *type = mnt_fs_get_fstype(fs), *target = mnt_fs_get_target(fs);

        if (type && target && hostmounts_wanted(type, target) && !is_private(fs))
            rc = each(arg, target);
    }
    mnt_free_iter(iter);
    mnt_unref_table(table);
    return rc;
}

neg_errno hostmounts_below(const char *dir, char *buf, size_t size)
{
    struct libmnt_fs *fs;
    struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
    struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
    int rc = table && iter ? 0 : -ENOMEM;

    while (rc == 0 && mnt_table_next_fs(table, iter, &fs) == 0) {
        const char *target = mnt_fs_get_target(fs);

        if (target && strcmp(target, dir) != 0 && path_is_below(target, dir)) {
            (void)snprintf(buf, size, "%s", target);
            rc = 1;
        }
    }
    mnt_free_iter(iter);
    mnt_unref_table(table);
    return rc;
}
