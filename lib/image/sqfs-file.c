/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The content of regular files: blocks that lie one behind the other, and a tail that may
 * share a "fragment" block with other files. Where a block lies is the sum of the sizes
 * of those before it, so for large files we remember some sums as hints.
 */
#include "image/bytes.h"
#include "image/cache.h"
#include "image/sqfs.h"
#include "image/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Flag in the size of a block: it is stored as it is. Size 0: a hole. */
#define BLOCK_UNPACKED (UINT32_C(1) << 24)

/* Sizes read at a time, and blocks from one hint to the next: a multiple of that. */
#define SIZES      128U
#define HINT_CHUNK 1024U

struct load {
    const struct sqfs *fs;
    uint32_t size; /* with the flag */
};

struct walk {
    struct sqfs *fs;
    const struct sqfs_inode *inode;
    struct sqfs_cursor cursor;
    uint64_t blocks;   /* how many the file has */
    uint64_t next;     /* which one comes next */
    uint64_t position; /* and where it lies */
    uint32_t sizes[SIZES];
    unsigned used, have;
};

static neg_errno load_data(void *arg, struct cache_block *block)
{
    const struct load *load = arg;
    const struct sqfs *fs = load->fs;
    uint32_t size = load->size & ~BLOCK_UNPACKED;
    int rc;

    if (size == 0 || size > fs->super.block_size)
        return -EIO;
    if (load->size & BLOCK_UNPACKED) {
        block->size = size;
        return sqfs_pread(fs, block->data, size, block->key);
    }
    uint8_t *packed = malloc(size);
    if (!packed)
        return -ENOMEM;
    rc = sqfs_pread(fs, packed, size, block->key);
    if (rc == 0)
        rc = unpack_block(fs->super.compressor, packed, size, block->data,
                          fs->super.block_size);
    free(packed);
    if (rc < 0)
        return rc;
    block->size = (uint32_t)rc;
    return 0;
}

/* n bytes at `offset` of the block of that size at position. */
static neg_errno copy_block(const struct sqfs *fs, uint64_t position, uint32_t size,
                            uint32_t offset, uint8_t *buf, size_t n)
{
    struct load load = {.fs = fs, .size = size};
    const struct cache_block *block;
    int rc = cache_get(fs->data, position, load_data, &load, &block);

    if (rc < 0)
        return rc;
    if (offset > block->size || block->size - offset < n)
        rc = -EIO;
    else
        memcpy(buf, block->data + offset, n);
    cache_put(fs->data, block);
    return rc;
}

static neg_errno copy_fragment(const struct sqfs *fs, const struct sqfs_inode *inode,
                               uint32_t offset, uint8_t *buf, size_t n)
{
    const uint32_t per_block = SQUASHFS_METADATA / 16;
    uint32_t fragment = inode->file.fragment;
    uint8_t entry[16];
    int rc;

    if (fragment >= fs->super.fragments ||
        inode->file.fragment_offset >= fs->super.block_size)
        return -EIO;
    struct sqfs_cursor cursor = {
        .block = fs->fragment_index[fragment / per_block],
        .end = fs->super.bytes_used,
        .offset = fragment % per_block * 16,
    };
    rc = sqfs_read_metadata(fs, &cursor, entry, sizeof(entry));
    if (rc < 0)
        return rc;
    return copy_block(fs, le64(entry), le32(entry + 8),
                      inode->file.fragment_offset + offset, buf, n);
}

static struct sqfs_hint *hint_slot(struct sqfs *fs, uint64_t inode, uint64_t chunk)
{
    uint64_t hash = (inode + (chunk << 48)) * UINT64_C(0x9e3779b97f4a7c15);

    return &fs->hints[(hash >> 32) % SQFS_HINTS];
}

static void hint_store(const struct walk *w)
{
    struct sqfs *fs = w->fs;
    uint64_t chunk = w->next / HINT_CHUNK;
    struct sqfs_hint *hint = hint_slot(fs, w->inode->ref, chunk);

    (void)pthread_mutex_lock(&fs->hints_lock);
    *hint = (struct sqfs_hint){.inode = w->inode->ref,
                               .chunk = chunk,
                               .position = w->position,
                               .cursor = w->cursor};
    (void)pthread_mutex_unlock(&fs->hints_lock);
}

/* Starts at the last hint before block `target`, or at the file's start. */
static void walk_start(struct walk *w, struct sqfs *fs, const struct sqfs_inode *inode,
                       uint64_t blocks, uint64_t target)
{
    uint64_t chunk = target / HINT_CHUNK;

    w->fs = fs;
    w->inode = inode;
    w->cursor = inode->rest;
    w->blocks = blocks;
    w->next = 0;
    w->position = inode->file.start;
    w->used = w->have = 0;
    (void)pthread_mutex_lock(&fs->hints_lock);
    /* Each hint that is stored has one for the chunk before it, unless that was pushed
     * out: looking at as many as there are is enough. */
    for (unsigned tries = 0; chunk > 0 && tries < SQFS_HINTS; chunk--, tries++) {
        const struct sqfs_hint *hint = hint_slot(fs, inode->ref, chunk);

        if (hint->inode != inode->ref || hint->chunk != chunk)
            continue;
        w->cursor = hint->cursor;
        w->next = chunk * HINT_CHUNK;
        w->position = hint->position;
        break;
    }
    (void)pthread_mutex_unlock(&fs->hints_lock);
}

/* Takes the next block: where it lies, and its size with the flag. */
static neg_errno walk_next(struct walk *w, uint64_t *ret_position, uint32_t *ret_size)
{
    uint32_t size;

    if (w->used == w->have) {
        uint64_t left = w->blocks - w->next;

        if (w->next > 0 && w->next % HINT_CHUNK == 0)
            hint_store(w);
        w->used = 0;
        w->have = left < SIZES ? (unsigned)left : SIZES;
        int rc =
            sqfs_read_metadata(w->fs, &w->cursor, w->sizes, w->have * sizeof(*w->sizes));
        if (rc < 0)
            return rc;
    }
    size = le32((const uint8_t *)&w->sizes[w->used]);
    if ((size & ~BLOCK_UNPACKED) > w->fs->super.block_size)
        return -EIO;
    *ret_position = w->position;
    *ret_size = size;
    /* Cannot wrap: 1 MiB at most for each 4 bytes of an image. */
    w->position += size & ~BLOCK_UNPACKED;
    w->used++;
    w->next++;
    return 0;
}

/* n bytes at `offset` of the file's block `target`. */
static neg_errno read_block(struct walk *w, uint64_t target, uint32_t offset,
                            uint8_t *buf, size_t n)
{
    uint64_t position;
    uint32_t size;
    int rc;

    do {
        rc = walk_next(w, &position, &size);
    } while (rc == 0 && w->next <= target);
    if (rc < 0)
        return rc;
    if (size == 0) {
        memset(buf, 0, n);
        return 0;
    }
    return copy_block(w->fs, position, size, offset, buf, n);
}

/* Without the tail that lies in a fragment. */
static uint64_t count_blocks(const struct sqfs *fs, const struct sqfs_inode *inode)
{
    uint32_t block_size = fs->super.block_size;
    bool has_tail = inode->file.fragment == SQFS_NONE && inode->size % block_size;

    return inode->size / block_size + (has_tail ? 1 : 0);
}

neg_errno sqfs_file_read(struct sqfs *fs, const struct sqfs_inode *inode, uint64_t offset,
                         uint8_t *buf, size_t size)
{
    uint32_t block_size = fs->super.block_size;
    uint64_t blocks = count_blocks(fs, inode);
    size_t done = 0;
    struct walk w;

    if (!S_ISREG(inode->mode))
        return -EINVAL;
    if (offset >= inode->size)
        return 0;
    if (size > inode->size - offset)
        size = (size_t)(inode->size - offset);
    if (size > INT32_MAX)
        size = INT32_MAX;
    walk_start(&w, fs, inode, blocks, offset / block_size);
    while (done < size) {
        uint64_t target = (offset + done) / block_size;
        uint32_t at = (uint32_t)((offset + done) % block_size);
        size_t n = block_size - at < size - done ? block_size - at : size - done;
        int rc = target < blocks ? read_block(&w, target, at, buf + done, n)
                                 : copy_fragment(fs, inode, at, buf + done, n);

        if (rc < 0)
            return rc;
        done += n;
    }
    return (neg_errno)done;
}

neg_errno sqfs_file_data(struct sqfs *fs, const struct sqfs_inode *inode, uint64_t offset,
                         uint64_t most, uint64_t *ret_begin, uint64_t *ret_end)
{
    uint64_t block_size = fs->super.block_size;
    uint64_t blocks = count_blocks(fs, inode), target = offset / block_size;
    uint64_t begin = inode->size, end = inode->size, position;
    bool found = false;
    struct walk w;

    if (!S_ISREG(inode->mode))
        return -EINVAL;
    walk_start(&w, fs, inode, blocks, target);
    for (; target < blocks; target++) {
        uint32_t size;
        int rc;

        do {
            rc = walk_next(&w, &position, &size);
        } while (rc == 0 && w.next <= target);
        if (rc < 0)
            return rc;
        if (size > 0 && !found)
            begin = target * block_size;
        found = found || size > 0;
        if (found && (size == 0 || target * block_size - begin >= most)) {
            end = target * block_size;
            break;
        }
    }
    /* The tail is no hole. */
    if (!found && offset < inode->size && inode->file.fragment != SQFS_NONE)
        begin = blocks * block_size;
    *ret_begin = begin < offset ? offset : begin;
    *ret_end = end < *ret_begin ? *ret_begin : end;
    return 0;
}
