/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user, in vitrine-save. The image may be hostile: whatever it says, what is
 * copied lies in its file and each byte of it is copied once, so the output is not larger
 * than the image; that blocks overlap or cannot be unpacked is left to who reads them.
 */
#include "save/raw.h"
#include "image/bytes.h"

#include <errno.h>
#include <stdlib.h>

/* Flag in the size of a block: it is stored as it is. Size 0: a hole. */
#define BLOCK_UNPACKED (UINT32_C(1) << 24)

#define FRAGMENT_SIZE 16U /* an entry of the table */

/* Worth to waste up to 4 KiB before it, so that a file system may share it. */
#define ALIGNED_MIN (UINT64_C(1024) * 1024)
#define ALIGN       4096U

#define SIZES 256

neg_errno raw_open(struct raw *raw, const struct sqfs *fs)
{
    *raw = (struct raw){.fs = fs};
    /* The image has room for the index of so many: sqfs_open() has seen to it. */
    raw->fragments = calloc((size_t)fs->super.fragments + 1, sizeof(*raw->fragments));
    return raw->fragments ? 0 : -ENOMEM;
}

void raw_close(struct raw *raw)
{
    free(raw->runs);
    free(raw->fragments);
    *raw = (struct raw){0};
}

static neg_errno add_run(struct raw *raw, uint64_t start, uint64_t size)
{
    struct raw_run *last = raw->nruns > 0 ? &raw->runs[raw->nruns - 1] : NULL;

    if (size == 0)
        return 0;
    if (start < SQUASHFS_SUPER_SIZE || start > raw->fs->super.bytes_used ||
        size > raw->fs->super.bytes_used - start)
        return -EIO;
    if (last && last->start + last->size == start) {
        last->size += size;
        return 0;
    }
    if (!raw->runs || raw->nruns == raw->space) {
        size_t space = raw->space ? raw->space * 2 : 1024;
        struct raw_run *runs = reallocarray(raw->runs, space, sizeof(*runs));

        if (!runs)
            return -ENOMEM;
        raw->runs = runs;
        raw->space = space;
    }
    raw->runs[raw->nruns++] = (struct raw_run){.start = start, .size = size};
    return 0;
}

static uint32_t tail_size(const struct sqfs *fs, const struct sqfs_inode *inode)
{
    return (uint32_t)(inode->size % fs->super.block_size);
}

static bool has_fragment(const struct sqfs *fs, const struct sqfs_inode *inode)
{
    return inode->file.fragment != SQFS_NONE && tail_size(fs, inode) > 0;
}

void raw_blocks_start(struct raw_blocks *blocks, const struct sqfs *fs,
                      const struct sqfs_inode *inode)
{
    bool whole_tail = tail_size(fs, inode) > 0 && !has_fragment(fs, inode);

    blocks->cursor = inode->rest;
    blocks->left = inode->size / fs->super.block_size + (whole_tail ? 1 : 0);
}

neg_errno raw_blocks_next(struct raw_blocks *blocks, const struct sqfs *fs, uint32_t *ret,
                          size_t max)
{
    size_t n = blocks->left < max ? (size_t)blocks->left : max;
    int rc = sqfs_read_metadata(fs, &blocks->cursor, ret, n * sizeof(*ret));

    if (rc < 0)
        return rc;
    blocks->left -= n;
    return (neg_errno)n;
}

static neg_errno read_fragment(const struct sqfs *fs, uint32_t number,
                               uint64_t *ret_start, uint32_t *ret_size)
{
    const uint32_t per_block = SQUASHFS_METADATA / FRAGMENT_SIZE;
    struct sqfs_cursor cursor = {
        .block = fs->fragment_index[number / per_block],
        .end = fs->super.bytes_used,
        .offset = number % per_block * FRAGMENT_SIZE,
    };
    uint8_t entry[FRAGMENT_SIZE];
    int rc = sqfs_read_metadata(fs, &cursor, entry, sizeof(entry));

    if (rc < 0)
        return rc;
    *ret_start = le64(entry);
    *ret_size = le32(entry + 8);
    uint32_t size = *ret_size & ~BLOCK_UNPACKED;
    return size > 0 && size <= fs->super.block_size ? 0 : -EIO;
}

static neg_errno want_fragment(struct raw *raw, const struct sqfs_inode *inode)
{
    const struct sqfs *fs = raw->fs;
    uint32_t number = inode->file.fragment, size;
    uint64_t start;
    int rc;

    if (number >= fs->super.fragments ||
        inode->file.fragment_offset > fs->super.block_size - tail_size(fs, inode))
        return -EIO;
    if (raw->fragments[number])
        return 0;
    rc = read_fragment(fs, number, &start, &size);
    if (rc == 0)
        rc = add_run(raw, start, size & ~BLOCK_UNPACKED);
    if (rc == 0)
        raw->fragments[number] = SQFS_NONE;
    return rc;
}

neg_errno raw_want(struct raw *raw, const struct sqfs_inode *inode)
{
    struct raw_blocks blocks;
    uint32_t sizes[SIZES];
    uint64_t total = 0;
    int n;

    raw_blocks_start(&blocks, raw->fs, inode);
    while ((n = raw_blocks_next(&blocks, raw->fs, sizes, SIZES)) > 0) {
        for (int i = 0; i < n; i++) {
            uint32_t size = le32((const uint8_t *)&sizes[i]) & ~BLOCK_UNPACKED;

            if (size > raw->fs->super.block_size)
                return -EIO;
            total += size;
        }
        if (total > raw->fs->super.bytes_used)
            return -EIO;
    }
    if (n == 0)
        n = add_run(raw, inode->file.start, total);
    if (n == 0 && has_fragment(raw->fs, inode))
        n = want_fragment(raw, inode);
    return n;
}

static int compare_runs(const void *a, const void *b)
{
    const struct raw_run *x = a, *y = b;

    return x->start < y->start ? -1 : x->start > y->start;
}

/* Afterwards they are sorted and do not touch. */
static void join_runs(struct raw *raw)
{
    size_t n = 0;

    if (raw->nruns == 0)
        return;
    qsort(raw->runs, raw->nruns, sizeof(*raw->runs), compare_runs);
    for (size_t i = 1; i < raw->nruns; i++) {
        struct raw_run *last = &raw->runs[n], *next = &raw->runs[i];

        if (next->start > last->start + last->size)
            raw->runs[++n] = *next;
        else if (next->start + next->size > last->start + last->size)
            last->size = next->start + next->size - last->start;
    }
    raw->nruns = n + 1;
}

/* Numbers what is used in its old order, and tells the output where it is now. */
static int place_fragments(struct raw *raw, struct output *output,
                           struct vitrine_error *err)
{
    for (uint32_t i = 0; i < raw->fs->super.fragments; i++) {
        uint64_t start;
        uint32_t size, number;

        if (!raw->fragments[i])
            continue;
        int rc = read_fragment(raw->fs, i, &start, &size);
        if (rc < 0)
            return error_from(err, VITRINE_EFORMAT, rc,
                              "the image's table of fragments cannot be read");
        rc = sqfs_frag_table_append(output->fragments, raw_place(raw, start), size,
                                    &number);
        if (rc != 0)
            return output_fail(output, rc, err);
        raw->fragments[i] = number + 1;
    }
    return 0;
}

int raw_copy(struct raw *raw, struct output *output, struct vitrine_error *err)
{
    join_runs(raw);
    for (size_t i = 0; i < raw->nruns; i++) {
        struct raw_run *run = &raw->runs[i];
        uint64_t position = raw->fs->offset + run->start;

        if (run->size >= ALIGNED_MIN)
            output->file.size += (position - output->file.size) % ALIGN;
        run->place = output->file.size;
        if (output_copy(output, raw->fs->fd, position, run->size, err) < 0)
            return -1;
    }
    return place_fragments(raw, output, err);
}

uint64_t raw_place(const struct raw *raw, uint64_t position)
{
    size_t low = 0, high = raw->nruns;

    /* The last run that does not begin behind it. */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (raw->runs[middle].start <= position)
            low = middle;
        else
            high = middle;
    }
    if (low == high || position < raw->runs[low].start ||
        position - raw->runs[low].start >= raw->runs[low].size)
        return 0;
    return raw->runs[low].place + (position - raw->runs[low].start);
}

bool raw_fragment(const struct raw *raw, const struct sqfs_inode *inode, uint32_t *ret)
{
    /* Compared again, since the inode was read again. */
    if (!has_fragment(raw->fs, inode) || inode->file.fragment >= raw->fs->super.fragments)
        return false;
    *ret = raw->fragments[inode->file.fragment] - 1;
    return true;
}
