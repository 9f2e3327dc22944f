/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_OVERLAY_H
#define VITRINE_ROOTFS_OVERLAY_H

#include "rootfs/skeleton.h"
#include "vitrine.h"

/* Where the builder puts its scratch tmpfs: a directory that every host has. What the
 * host keeps there must be cloned before overlay_open() and is out of sight after it. */
#define OVERLAY_BASE "/tmp"

/*
 * Attaches the image (a detached mount, consumed) below OVERLAY_BASE and makes an empty
 * layer beside it. *ret has what else skeleton.h wants to know; the caller closes both of
 * its descriptors. -1 with *err set.
 */
int overlay_open(int image, struct skeleton *ret, struct vitrine_error *err);

/*
 * Gives the overlay a third layer, which can be written: the directory `upper` with
 * another, `work`, beside it, in the root of the detached mount `writable` (consumed), or
 * for -1 of a new tmpfs of at most `size` bytes ("" or NULL: half of the memory). Returns
 * a descriptor of it, close-on-exec, in *ret_upper.
 */
int overlay_add_upper(const struct skeleton *skeleton, int writable, const char *size,
                      int *ret_upper, struct vitrine_error *err);

/*
 * Mounts the layers over each other, nosuid and nodev, below OVERLAY_BASE in the
 * process's own mount namespace, and returns a descriptor of its root. Without an
 * upper layer it cannot be written anyway. `tag` is what it is called in mountinfo.
 */
int overlay_mount(const char *tag, bool has_upper, bool read_only,
                  struct vitrine_error *err);

/*
 * Attaches a root that is complete (a detached mount, consumed) where overlay_mount()
 * would put one, and returns a descriptor of it. The layer of *ret lies under nothing.
 */
int overlay_adopt(int mount, struct skeleton *ret, struct vitrine_error *err);

#endif
