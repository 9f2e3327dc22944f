/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_UNPACK_H
#define VITRINE_IMAGE_UNPACK_H

/* One compressed block of SquashFS. Thread-safe. Part of the FUSE server. */
#include "base/error.h"

#include <stdint.h>

/*
 * Unpacks `size` bytes into at most `space` bytes at ret; returns how many there are, or
 * -EIO if they are damaged or need more space, -ENOSYS for a compressor not built in.
 */
neg_errno unpack_block(unsigned compressor, const uint8_t *data, size_t size,
                       uint8_t *ret, size_t space);

#endif
