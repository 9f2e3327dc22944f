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
 * Mounts the layer over the image, read-only, nosuid and nodev, below OVERLAY_BASE in the
 * process's own mount namespace, and returns a descriptor of its root.
 */
int overlay_mount(struct vitrine_error *err);

#endif
