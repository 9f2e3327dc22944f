/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_OVERLAY_H
#define VITRINE_ROOTFS_OVERLAY_H

#include "base/error.h"

/* Where the builder puts its scratch tmpfs: a directory that every host has. What the
 * host keeps there must be cloned before overlay_mount() and is out of sight after it. */
#define OVERLAY_BASE "/tmp"

/*
 * Mounts an overlay over the image (a detached mount, consumed) with an upper layer in
 * memory, nosuid and nodev, and returns a descriptor of its root. It is attached at
 * OVERLAY_BASE "/root" in the process's own mount namespace. -1 with *err set.
 */
int overlay_mount(int image, struct vitrine_error *err);

#endif
