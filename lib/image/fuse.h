/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_FUSE_H
#define VITRINE_IMAGE_FUSE_H

#include "base/error.h"
#include "image/fuse-owners.h"

#include <stdint.h>

/*
 * Mounts the SquashFS at `offset` of `image` through FUSE, served by a process of the
 * user's: no child of the caller, in a session of its own, without any descriptor but the
 * image, the device, `log` (a pipe's write end for its last words, or -1) and `alive`
 * (what it shall hold as long as it lives, or -1). It ends
 * when the mount goes. Files belong to whom `owners` says, or with NULL to whom the image
 * says. Returns the detached mount in *ret_mount. For the conditions see kmount_fuse().
 */
int fuse_serve(int image, uint64_t offset, const struct fuse_owners *owners, int log,
               int alive, int *ret_mount, struct vitrine_error *err);

#endif
