/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SAVE_JOB_H
#define VITRINE_SAVE_JOB_H

/* What the parts of vitrine-save share, and the way from one to the next. */
#include "image/sqfs.h"
#include "save/raw.h"
#include "sqfswrite/output.h"
#include "sqfswrite/tree.h"
#include "sqfswrite/write.h"

#include <sys/stat.h>

struct job {
    struct output *output;
    const struct sqfs *fs; /* the base; NULL: it is a directory */
    struct raw raw;
    struct arena arena;
    dev_t own_dev; /* of the file that is written, which may lie in what is saved */
    ino_t own_ino;
    struct map seen;       /* inodes of the inputs that may come again, to nodes */
    struct map xattr_sets; /* of the base image, to those of the output */
    struct tree_node *root;
    struct tree_packed *packed; /* all of them */
    uint64_t entries;
    uint32_t newest; /* time of modification */
    char *names;     /* XATTR_LIST_MAX bytes */
    char *value;     /* XATTR_SIZE_MAX bytes; also for the target of a link */
};

/* Where we are, for messages. */
struct place {
    const struct place *up;
    const char *name;
};

/* Puts the path before the text of *err; returns -1. */
int place_wrap(const struct place *place, struct vitrine_error *err);

/* What overlayfs says with attributes of a file or directory in its upper layer. */
struct marks {
    bool opaque;     /* nothing of the lower directory shows */
    bool xwhiteouts; /* whiteouts in it may be files with an attribute */
    bool foreign;    /* redirect or metacopy, which our mounts do not make */
};

/* host.c. Texts of errors go behind a path. */

/* Reads the attributes of `fd`, or if `path` is given of that (no link is followed), into
 * the node's; `marks` may be NULL. */
int host_xattrs(struct job *job, int fd, const char *path, struct tree_node *node,
                struct marks *ret_marks, struct vitrine_error *err);
/* Adds what is called `name` in the directory `dir`, which is on `dev`, and no directory.
 * What has vanished is passed over. */
int host_add(struct job *job, struct tree_node *parent, int dir, dev_t dev,
             const char *name, const struct stat *st, bool is_upper,
             struct vitrine_error *err);
struct tree_node *host_node(struct job *job, const struct stat *st);

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
