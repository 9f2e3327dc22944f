/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PRIVILEGED_KMOUNT_H
#define VITRINE_PRIVILEGED_KMOUNT_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Mounts the SquashFS in `image` (opened as the user) at `offset` with the kernel's own
 * driver, read-only, nosuid, nodev, detached. Returns the mount's descriptor. The caller
 * has made sure that the kernel may parse this file (image/trust). For a process with the
 * capabilities of caps_keep(), single-threaded.
 */
neg_errno kmount_squashfs(int image, uint64_t offset);

/*
 * Whether somebody has the file `image` open for writing, as far as its file system can
 * tell: he could have opened it before it became root's. Same conditions.
 */
bool kmount_has_writer(int image);

/*
 * Mounts a FUSE file system of the process's own user, read-only, nosuid, nodev,
 * detached; the kernel checks permissions (default_permissions) and every process that
 * can reach the mount may use it (allow_other). Returns the mount's descriptor and, in
 * *ret_dev, the device that a server must answer. Same conditions.
 */
neg_errno kmount_fuse(int *ret_dev);

/*
 * A detached, nosuid, nodev and, unless `writable`, read-only view of the directory
 * `dir`, which the user opened, without what is mounted below it. Returns the mount's
 * descriptor. Same conditions.
 */
neg_errno kmount_directory(int dir, bool writable);

/*
 * A detached copy of the mount that is "/" in a mount namespace, for another container
 * that shares it. Enters the namespace for the moment; for a single-threaded process.
 */
neg_errno kmount_root_of(int mount_ns);

/*
 * Shows the ids of a detached mount as the user namespace maps them: what 0 owns in the
 * file system belongs to whoever is 0 there, and an id that is not mapped to nobody. Only
 * for the mount of an image (kmount_squashfs). -EINVAL where the kernel cannot: SquashFS
 * can since Linux 6.2. Same conditions.
 */
neg_errno kmount_idmap(int mount, int user_ns);

#endif
