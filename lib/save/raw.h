/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SAVE_RAW_H
#define VITRINE_SAVE_RAW_H

/*
 * Content that goes from the base image to the output as it is, compressed. First all
 * files are told that will be there, then what they use of the image is copied, once and
 * in its order, however they share it; then it can be asked where things are now.
 */
#include "image/sqfs.h"
#include "sqfswrite/output.h"

struct raw_run {
    uint64_t start, size; /* in the image */
    uint64_t place;       /* in the output */
};

struct raw {
    const struct sqfs *fs; /* borrowed */
    struct raw_run *runs;
    size_t nruns, space;
    uint32_t *fragments; /* old number to new one, plus 1; 0: not used */
};

/* The blocks of a file, one after the other, from where the inode has their sizes. */
struct raw_blocks {
    struct sqfs_cursor cursor;
    uint64_t left;
};

neg_errno raw_open(struct raw *raw, const struct sqfs *fs);
void raw_close(struct raw *raw);

/* A regular file whose content is wanted. -EIO if it is damaged. */
neg_errno raw_want(struct raw *raw, const struct sqfs_inode *inode);

int raw_copy(struct raw *raw, struct output *output, struct vitrine_error *err);

/* Where `position` of the image, which lies in a wanted file, is in the output. */
uint64_t raw_place(const struct raw *raw, uint64_t position);
/* Whether the tail of the file is in a fragment, and in which of the output. */
bool raw_fragment(const struct raw *raw, const struct sqfs_inode *inode, uint32_t *ret);

void raw_blocks_start(struct raw_blocks *blocks, const struct sqfs *fs,
                      const struct sqfs_inode *inode);
/* Reads up to `max` sizes, as they are stored; returns how many, 0 at the end. */
neg_errno raw_blocks_next(struct raw_blocks *blocks, const struct sqfs *fs, uint32_t *ret,
                          size_t max);

#endif
