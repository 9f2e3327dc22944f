/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SQFSWRITE_BLOCKS_H
#define VITRINE_SQFSWRITE_BLOCKS_H

#include <sqfs/block_writer.h>

/*
 * Writes the blocks that libsquashfs has compressed to the end of `file` (borrowed), and
 * a file that is equal to one before only once. libsquashfs' own writer compares each
 * file with all blocks there are: for a directory of 100,000 large files that takes
 * longer than to compress them. NULL: no memory.
 */
sqfs_block_writer_t *blocks_new(sqfs_file_t *file);

#endif
