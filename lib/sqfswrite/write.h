/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SQFSWRITE_WRITE_H
#define VITRINE_SQFSWRITE_WRITE_H

/* The last step: a tree, whose content is in the output, gets its metadata. */
#include "sqfswrite/output.h"
#include "sqfswrite/tree.h"

/* Where the content of a file is in the output. */
struct write_content {
    uint64_t size, start, sparse;
    uint32_t fragment; /* UINT32_MAX: none */
    uint32_t fragment_offset;
};

/*
 * For files that nobody packed (tree.h), since their blocks came into the output by
 * another way. Both return neg_errno.
 */
struct write_others {
    neg_errno (*find)(void *arg, const struct tree_node *node, struct write_content *ret);
    /* The next sizes of blocks, at most `max`, of the file that was found last, as they
     * are stored; returns how many, 0 at the end. */
    neg_errno (*sizes)(void *arg, uint32_t *ret, size_t max);
    void *arg;
};

/*
 * Writes all metadata and the superblock, behind what was flushed. `time` is the file
 * system's own; `others` may be NULL if each file was packed.
 */
int write_tree(struct output *output, struct tree_node *root, uint32_t time,
               const struct write_others *others, struct vitrine_error *err);

#endif
