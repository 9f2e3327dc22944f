/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SQFSWRITE_LISTING_H
#define VITRINE_SQFSWRITE_LISTING_H

/* The names of one directory, sorted as strcmp(3) does, as SquashFS wants them. */
#include "image/sqfs.h"
#include "sqfswrite/tree.h"

struct listing_item {
    const char *name;
    uint64_t ref; /* of its inode, in an image */
    mode_t type;
};

struct listing {
    struct arena arena;
    struct listing_item *items;
    size_t n, space;
    int error;
};

/* Both return neg_errno; -EIO: the image is damaged. Zero *ret before; free it in any
 * case. */
neg_errno listing_read_image(const struct sqfs *fs, const struct sqfs_inode *dir,
                             struct listing *ret);
neg_errno listing_read_host(int fd, struct listing *ret);
void listing_free(struct listing *listing);

#endif
