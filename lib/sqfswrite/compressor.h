/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SQFSWRITE_COMPRESSOR_H
#define VITRINE_SQFSWRITE_COMPRESSOR_H

#include <sqfs/compressor.h>

/*
 * Two compressors for libsquashfs: for its licence it has none for lzo, and up to 1.3 its
 * lz4 makes blocks that are larger than what is in them. NULL: no memory.
 */
sqfs_compressor_t *compressor_lzo(uint32_t block_size, bool unpack);
sqfs_compressor_t *compressor_lz4(uint32_t block_size, bool unpack);

#endif
