/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user; on the main thread alone. */
#include "sqfswrite/blocks.h"
#include "sqfswrite/tree.h"

#include <sqfs/block.h>
#include <sqfs/error.h>
#include <sqfs/io.h>
#include <stdlib.h>
#include <string.h>

#define COMPARED 65536U

struct blocks {
    sqfs_block_writer_t base;
    sqfs_file_t *file;
    struct map known;    /* hash and size of a file's blocks, to where they are */
    uint64_t start;      /* of this file's blocks */
    uint64_t hash, size; /* of those that are written */
    uint64_t count;      /* of all blocks */
    uint8_t a[COMPARED], b[COMPARED];
};

static void destroy(sqfs_object_t *object)
{
    struct blocks *blocks = (struct blocks *)object;

    map_free(&blocks->known);
    free(blocks);
}

static sqfs_u64 get_count(const sqfs_block_writer_t *base)
{
    return ((const struct blocks *)base)->count;
}

/* 1 if both ranges are the same bytes. */
static int compare(struct blocks *blocks, uint64_t a, uint64_t b, uint64_t size)
{
    while (size > 0) {
        size_t n = size < COMPARED ? (size_t)size : COMPARED;
        int rc = blocks->file->read_at(blocks->file, a, blocks->a, n);

        if (rc == 0)
            rc = blocks->file->read_at(blocks->file, b, blocks->b, n);
        if (rc != 0)
            return rc;
        if (memcmp(blocks->a, blocks->b, n) != 0)
            return 0;
        a += n;
        b += n;
        size -= n;
    }
    return 1;
}

/* The file is complete, and the last thing that was written. */
static int find_twin(struct blocks *blocks, sqfs_u64 *ret)
{
    union map_value twin = {.position = blocks->start};
    int same = 0;

    *ret = blocks->start;
    if (blocks->size == 0)
        return 0;
    if (!map_find(&blocks->known, blocks->hash, blocks->size, &twin))
        return map_add(&blocks->known, blocks->hash, blocks->size, twin) < 0
                   ? SQFS_ERROR_ALLOC
                   : 0;
    same = compare(blocks, twin.position, blocks->start, blocks->size);
    if (same <= 0)
        return same;
    *ret = twin.position;
    return blocks->file->truncate(blocks->file, blocks->start);
}

static int write_block(sqfs_block_writer_t *base, void *user, sqfs_u32 size,
                       sqfs_u32 checksum, sqfs_u32 flags, const sqfs_u8 *data,
                       sqfs_u64 *ret)
{
    struct blocks *blocks = (struct blocks *)base;
    uint64_t end = blocks->file->get_size(blocks->file);
    int rc = 0;

    *ret = end;
    if (flags & SQFS_BLK_FIRST_BLOCK) {
        blocks->start = end;
        blocks->hash = blocks->size = 0;
    }
    if (size > 0 && !(flags & SQFS_BLK_IS_SPARSE)) {
        rc = blocks->file->write_at(blocks->file, end, data, size);
        blocks->count++;
    }
    if (flags & SQFS_BLK_FRAGMENT_BLOCK || rc != 0)
        return rc;
    if (size > 0 && !(flags & SQFS_BLK_IS_SPARSE)) {
        uint64_t one = (uint64_t)size << 32 | checksum;

        blocks->hash = (blocks->hash ^ one) * UINT64_C(0x9e3779b97f4a7c15);
        blocks->hash ^= blocks->hash >> 32;
        blocks->size += size;
    }
    return flags & SQFS_BLK_LAST_BLOCK ? find_twin(blocks, ret) : 0;
}

sqfs_block_writer_t *blocks_new(sqfs_file_t *file)
{
    struct blocks *blocks = calloc(1, sizeof(*blocks));

    if (!blocks)
        return NULL;
    blocks->base = (sqfs_block_writer_t){
        .base = {.destroy = destroy},
        .write_data_block = write_block,
        .get_block_count = get_count,
    };
    blocks->file = file;
    return &blocks->base;
}
