/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The content of files. Each block is read and unpacked once, whoever shares it. */
#include "base/cleanup.h"
#include "image/bytes.h"
#include "image/unpack.h"
#include "imagefile/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Flag in the size of a block: it is stored as it is. Size 0: a hole. */
#define BLOCK_UNPACKED (UINT32_C(1) << 24)

#define FRAGMENT_ENTRY 16U

/* Sizes read at a time. */
#define SIZES 128U

struct block {
    uint64_t position, turn;
    uint32_t stored, wanted; /* sizes; the first with the flag */
    uint64_t number;         /* in its file */
    char *path;              /* of that */
};

size_t verify_scratch(const struct sqfs *fs)
{
    return (size_t)fs->super.block_size * 2;
}

/* Returns how many bytes a block holds. */
static neg_errno read_block(const struct sqfs *fs, uint64_t position, uint32_t stored,
                            uint8_t *scratch)
{
    uint32_t size = stored & ~BLOCK_UNPACKED, most = fs->super.block_size;

    if (size == 0 || size > most)
        return -EIO;
    int rc = sqfs_pread(fs, scratch, size, position);
    if (rc < 0 || (stored & BLOCK_UNPACKED))
        return rc < 0 ? rc : (neg_errno)size;
    return unpack_block(fs->super.compressor, scratch, size, scratch + most, most);
}

void verify_work(void *arg, void *item, void *scratch)
{
    struct verify *v = arg;
    struct block *block = item;
    int n = (int)block->wanted;

    if (!atomic_load(&v->failed))
        n = read_block(v->fs, block->position, block->stored, scratch);
    if (n != (int)block->wanted) {
        (void)pthread_mutex_lock(&v->lock);
        if (block->turn < v->failed_turn) {
            v->failed_turn = block->turn;
            if (n == -EIO || n >= 0)
                (void)vitrine_fail(&v->err, VITRINE_EFORMAT,
                                   "%s: its block %" PRIu64 " (at byte %" PRIu64 ") %s",
                                   block->path, block->number, block->position,
                                   n < 0 ? "cannot be unpacked" : "has another size");
            else
                (void)error_from(&v->err, VITRINE_EINTERNAL, n, "%s: it cannot be read",
                                 block->path);
        }
        (void)pthread_mutex_unlock(&v->lock);
        atomic_store(&v->failed, true);
    }
    free(block->path);
    free(block);
}

/* No block is stored in another one, so that all together are no larger than the image;
 * this bounds the work that a hostile one can ask for. */
static bool count_stored(struct verify *v, uint32_t stored)
{
    v->stored += stored & ~BLOCK_UNPACKED;
    v->watch->progress.bytes_done = v->stored;
    return v->stored <= v->fs->super.bytes_used;
}

static int give_to_workers(struct verify *v, const struct verify_place *place,
                           const struct block *what, struct vitrine_error *err)
{
    struct block *block = malloc(sizeof(*block));
    char *path = verify_path(place);
    int rc = 0;

    while (block && path && (rc = watch_look(v->watch, err)) == 0 &&
           !workers_have_room(v->workers))
        ;
    if (!block || !path || rc < 0) {
        free(block);
        free(path);
        return rc < 0 ? -1
                      : error_from(err, VITRINE_EINTERNAL, -ENOMEM, "it is too large");
    }
    *block = *what;
    block->path = path;
    block->turn = v->turn++;
    workers_add(v->workers, block);
    return 0;
}

static int add_block(struct verify *v, const struct verify_place *place,
                     struct block *block, struct vitrine_error *err)
{
    const uint64_t end = v->fs->super.bytes_used;
    uint32_t size = block->stored & ~BLOCK_UNPACKED;
    union map_value known;

    if (size > v->fs->super.block_size || block->position > end ||
        end - block->position < size)
        return verify_fail(place, err, "its block %" PRIu64 " lies outside of the image",
                           block->number);
    if (map_find(&v->blocks, block->position, block->stored, &known))
        return known.set == block->wanted
                   ? 0
                   : verify_fail(place, err, "its block %" PRIu64 " has another size",
                                 block->number);
    if (!count_stored(v, block->stored))
        return verify_fail(place, err, "its block %" PRIu64 " lies partly in another one",
                           block->number);
    known.set = block->wanted;
    if (map_add(&v->blocks, block->position, block->stored, known) < 0)
        return error_from(err, VITRINE_EINTERNAL, -ENOMEM, "it is too large");
    return give_to_workers(v, place, block, err);
}

static int add_blocks(struct verify *v, const struct verify_place *place,
                      const struct sqfs_inode *inode, uint64_t blocks,
                      struct vitrine_error *err)
{
    struct sqfs_cursor cursor = inode->rest;
    struct block block = {.position = inode->file.start};
    uint32_t block_size = v->fs->super.block_size;
    uint8_t sizes[SIZES * sizeof(uint32_t)];

    for (uint64_t i = 0; i < blocks && !atomic_load(&v->failed); i++) {
        uint64_t left = inode->size - i * block_size;
        size_t n = blocks - i < SIZES ? (size_t)(blocks - i) : SIZES;

        if (i % SIZES == 0 && watch_look(v->watch, err) < 0)
            return -1;
        if (i % SIZES == 0 &&
            sqfs_read_metadata(v->fs, &cursor, sizes, n * sizeof(uint32_t)) < 0)
            return verify_fail(place, err, "its list of blocks is damaged");
        block.stored = le32(sizes + i % SIZES * sizeof(uint32_t));
        block.wanted = left < block_size ? (uint32_t)left : block_size;
        block.number = i;
        if (block.stored == 0)
            continue;
        if (add_block(v, place, &block, err) < 0)
            return -1;
        block.position += block.stored & ~BLOCK_UNPACKED;
    }
    return 0;
}

const char *verify_fragment(struct verify *v, uint32_t number)
{
    const struct sqfs *fs = v->fs;
    const uint32_t per_block = SQUASHFS_METADATA / FRAGMENT_ENTRY;
    uint8_t entry[FRAGMENT_ENTRY];
    struct sqfs_cursor cursor = {
        .block = fs->fragment_index[number / per_block],
        .end = fs->super.bytes_used,
        .offset = number % per_block * FRAGMENT_ENTRY,
    };

    if (v->fragments[number].size > 0)
        return NULL;
    if (sqfs_read_metadata(fs, &cursor, entry, sizeof(entry)) < 0)
        return "its place cannot be read";
    uint32_t stored = le32(entry + 8);
    int n = read_block(fs, le64(entry), stored, v->scratch);
    if (n <= 0)
        return "it cannot be unpacked";
    if (!count_stored(v, stored))
        return "it lies partly in another block";
    v->fragments[number].size = (uint32_t)n;
    return NULL;
}

static int check_tail(struct verify *v, const struct verify_place *place,
                      const struct sqfs_inode *inode, struct vitrine_error *err)
{
    uint32_t number = inode->file.fragment;
    uint64_t tail = inode->size % v->fs->super.block_size;
    const char *wrong;

    if (number >= v->fs->super.fragments)
        return verify_fail(place, err, "its end is in a fragment that does not exist");
    wrong = verify_fragment(v, number);
    if (wrong)
        return verify_fail(place, err, "its end is in fragment %" PRIu32 ", and %s",
                           number, wrong);
    if (inode->file.fragment_offset > v->fragments[number].size ||
        v->fragments[number].size - inode->file.fragment_offset < tail)
        return verify_fail(place, err, "its end lies outside of fragment %" PRIu32,
                           number);
    return 0;
}

int verify_file(struct verify *v, const struct verify_place *place,
                const struct sqfs_inode *inode, struct vitrine_error *err)
{
    uint32_t block_size = v->fs->super.block_size;
    bool has_fragment = inode->file.fragment != SQFS_NONE;
    uint64_t blocks = inode->size / block_size;

    if (!has_fragment && inode->size % block_size)
        blocks++;
    if (add_blocks(v, place, inode, blocks, err) < 0)
        return -1;
    return has_fragment ? check_tail(v, place, inode, err) : 0;
}
