/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGEFILE_VERIFY_H
#define VITRINE_IMAGEFILE_VERIFY_H

/* What the parts of vitrine_verify() share. The image may be hostile: whatever it says,
 * no block is read twice, and memory is in proportion to its size. */
#include "image/sqfs.h"
#include "imagefile/watch.h"
#include "imagefile/workers.h"
#include "sqfswrite/tree.h"

#include <pthread.h>
#include <stdatomic.h>

/* Of one inode, by its number. */
struct verify_inode {
    uint64_t ref; /* plus 1; 0: not seen yet */
    uint32_t names, links;
};

struct verify_fragment {
    uint32_t size; /* unpacked; 0: not read yet */
};

struct verify {
    struct sqfs *fs; /* borrowed, as the next */
    struct watch *watch;
    struct workers *workers;
    struct arena arena;
    struct map blocks;           /* position and stored size, to the size unpacked */
    struct verify_inode *inodes; /* super.inodes and one, as numbers begin at 1 */
    const char **paths;          /* of those with more names than one, to be told */
    struct verify_fragment *fragments;
    uint8_t *sets;    /* a bit for each set of attributes that was read */
    uint64_t stored;  /* bytes of all blocks that were read */
    uint8_t *scratch; /* for a block, packed and unpacked, or a target */
    atomic_bool failed;
    pthread_mutex_t lock; /* of the next two: the failure that comes first in the image */
    uint64_t failed_turn;
    struct vitrine_error err;
    uint64_t turn; /* of the blocks that were given to workers */
};

/* Where we are, for messages. */
struct verify_place {
    const struct verify_place *up;
    const char *name;
};

/* "/PATH" in fresh memory, cut at the front if it is very long; NULL: no memory. */
char *verify_path(const struct verify_place *place);
/* Sets *err to "PATH: reason"; returns -1. */
int verify_fail(const struct verify_place *place, struct vitrine_error *err,
                const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* verify-data.c. All blocks of a regular file are given to the workers, those that it
 * shares with others once. */
int verify_file(struct verify *v, const struct verify_place *place,
                const struct sqfs_inode *inode, struct vitrine_error *err);
void verify_work(void *arg, void *item, void *scratch);
/* Reads a fragment here and now. NULL or what is wrong with it. */
const char *verify_fragment(struct verify *v, uint32_t number);
/* Memory that a worker needs, and v->scratch. */
size_t verify_scratch(const struct sqfs *fs);

/* verify-tables.c: before and after the tree was walked. */
int verify_indexes(const struct verify *v, struct vitrine_error *err);
int verify_rest(struct verify *v, struct vitrine_error *err);
/* NULL or what is wrong with a set of attributes. */
const char *verify_xattrs(struct verify *v, uint32_t set);

/* verify-tree.c */
int verify_tree(struct verify *v, struct vitrine_error *err);

#endif
