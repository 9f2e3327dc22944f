/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SAVE_LZO_H
#define VITRINE_SAVE_LZO_H

#include <sqfs/compressor.h>

/* A compressor for libsquashfs, which for its licence has none for lzo. NULL: no memory.
 */
sqfs_compressor_t *lzo_compressor_new(uint32_t block_size, bool unpack);

#endif
