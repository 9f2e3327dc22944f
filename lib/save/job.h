/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SAVE_JOB_H
#define VITRINE_SAVE_JOB_H

/* What the parts of vitrine-save share, and the way from one to the next. */
#include "image/sqfs.h"
#include "save/raw.h"
#include "sqfswrite/host.h"
#include "sqfswrite/place.h"
#include "sqfswrite/write.h"

struct job {
    struct host host;
    const struct sqfs *fs; /* the base; NULL: it is a directory */
    struct raw raw;
    struct map xattr_sets; /* of the base image, to those of the output */
    struct tree_node *root;
    uint64_t entries;
};

/* image.c. What is no directory, of the base image. */
int image_add(struct job *job, struct tree_node *parent, const char *name,
              const struct sqfs_inode *inode, struct vitrine_error *err);
/* A node with attributes; NULL and *err otherwise. */
struct tree_node *image_node(struct job *job, const struct sqfs_inode *inode,
                             struct vitrine_error *err);
/* Enters a directory; fails if that was done before. */
int image_enter(struct job *job, uint64_t ref, struct vitrine_error *err);

/* merge.c. Fills job->root; base is a directory, or -1 with job->fs; upper may be -1. */
int merge(struct job *job, int base, int upper, struct vitrine_error *err);

/* image.c. For write_tree(): where files of the base image are now. */
struct image_files {
    struct job *job;
    struct raw_blocks blocks;
};
struct write_others image_files(struct image_files *files, struct job *job);

#endif
