/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_FSMOUNT_H
#define VITRINE_ROOTFS_FSMOUNT_H

#include "base/error.h"

#include <stddef.h>

struct fsmount_option {
    const char *key, *value; /* value NULL: a flag */
};

/* A detached mount of a new file system; attr is of MOUNT_ATTR_*, to which nosuid and
 * nodev are added. For a process that may mount in its namespace. */
neg_errno fsmount_new(const char *fstype, const struct fsmount_option *options,
                      size_t count, unsigned attr);

/* Attaches a detached mount at a path, on which a directory is. */
neg_errno fsmount_attach(int mount, const char *path);

#endif
