/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_LAYERS_LOOKUP_H
#define VITRINE_LAYERS_LOOKUP_H

/*
 * Where a path leads among what has been merged so far (merge.c): through symbolic links,
 * but never out of the root.
 */
#include "base/limits.h"
#include "layers/spots.h"

struct lookup_step {
    struct spot *spot; /* NULL: it is not there, and so is nothing behind it */
    const char *name;
    size_t len;
};

struct lookup {
    struct spots *spots;
    struct lookup_step steps[LIMIT_IMPORT_DEPTH];
    size_t n;
    uint64_t taken; /* steps of all paths so far */
    /* What was made last, as entries of a directory come together. Set `last` to NULL
     * when something is removed. */
    const char *last_path;
    size_t last_len;
    struct spot *last;
};

/* The directory that the first `len` bytes of `path` lead to, if it is there; *ret is
 * NULL otherwise. */
int lookup_dir(struct lookup *lookup, const char *path, size_t len, struct spot **ret,
               struct vitrine_error *err);
/* The same, and what is missing is made. */
int lookup_make_dir(struct lookup *lookup, const char *path, size_t len,
                    struct spot **ret, struct vitrine_error *err);

#endif
