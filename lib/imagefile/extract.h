/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGEFILE_EXTRACT_H
#define VITRINE_IMAGEFILE_EXTRACT_H

/*
 * The tree of an image as files of the host. The image may be hostile: all is made by
 * descriptors of directories that were made here, with O_EXCL, and no link is followed.
 */
#include "image/sqfs.h"
#include "imagefile/watch.h"
#include "imagefile/workers.h"
#include "sqfswrite/tree.h"

#include <pthread.h>
#include <stdatomic.h>

/* A directory and where it is; lives as long as all of it. */
struct extract_dir {
    const struct extract_dir *up; /* NULL: the root */
    mode_t late_mode;
    struct extract_dir *late_next; /* of those that get their mode at the end */
    char name[];
};

/* What could not be made as it is in the image, for want of rights. */
struct extract_lost {
    atomic_ullong owners, devices, xattrs, bits; /* set-user-ID and set-group-ID */
};

struct extract {
    struct sqfs *fs; /* borrowed, as the next two */
    struct watch *watch;
    int root;       /* the directory to fill, empty */
    bool keep_root; /* its own owner, mode, times and attributes */
    struct workers *workers;
    struct arena arena;
    struct map entered; /* references of directories */
    struct map links;   /* of files with many names, to the first of them */
    struct extract_dir *late;
    uint64_t entries;
    atomic_ullong bytes; /* written */
    struct extract_lost lost;
    atomic_bool failed;
    pthread_mutex_t lock; /* of the following, which is the first failure */
    struct vitrine_error err;
};

/* Fills x->root; the caller zeroes the rest of *x and frees it with extract_free(). */
int extract_tree(struct extract *x, struct vitrine_error *err);
void extract_free(struct extract *x);

/* extract-file.c. What the workers do, with as much memory of their own. */
#define EXTRACT_BUFFER ((size_t)1024 * 1024)
void extract_work(void *arg, void *item, void *scratch);
/* Makes a regular file, and has its content written by others. */
int extract_file(struct extract *x, int dir, const struct extract_dir *where,
                 const char *name, const struct sqfs_inode *inode,
                 struct vitrine_error *err);

/*
 * extract-attrs.c. Gives a file its owner, attributes, mode and times: `fd`, or without
 * one (-1) what is called `name` in `dir`, which is no directory. With `late` the mode is
 * left as it is.
 */
int extract_attrs(struct extract *x, int fd, int dir, const char *name,
                  const struct sqfs_inode *inode, bool late, struct vitrine_error *err);
/* The mode as the file may have it that has this owner now. */
mode_t extract_mode(struct extract *x, const struct stat *st,
                    const struct sqfs_inode *inode);
/* Tells in one line what was lost. */
void extract_tell_lost(const struct extract *x);

/* Puts "/PATH: " before the text of *err, which is of a file called `name` (NULL: of the
 * directory itself); returns -1. */
int extract_wrap(const struct extract_dir *where, const char *name,
                 struct vitrine_error *err);

#endif
