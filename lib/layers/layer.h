/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_LAYERS_LAYER_H
#define VITRINE_LAYERS_LAYER_H

/*
 * The entries of one layer, which is a tar archive: ustar, GNU or PAX. The only user of
 * libarchive. Runs as the user; the archive is hostile. Texts of errors do not name the
 * layer.
 */
#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

struct layer_input {
    /* As feed_read() without patience: size 0 is the end. */
    int (*read)(void *arg, const void **ret_data, size_t *ret_size,
                struct vitrine_error *err);
    void *arg;
    uint64_t *budget; /* bytes that may still come, of all layers */
};

/* All is as the archive has it, any byte but NUL, and valid until the next entry. */
struct layer_entry {
    const char *path;
    const char *target; /* of a symbolic or hard link, or NULL */
    bool is_hardlink;
    mode_t mode; /* with its type; not of hard links */
    uint32_t uid, gid, mtime;
    uint32_t major, minor;
    uint64_t size; /* of a regular file */
};

struct layer;

struct layer *layer_open(const struct layer_input *input, struct vitrine_error *err);
/* The next entry: 1, or 0 at the end, when the input has been read to its own. */
int layer_next(struct layer *layer, struct layer_entry *ret, struct vitrine_error *err);
/* The entry's extended attributes, one after the other: false if there are no more. */
bool layer_xattr(struct layer *layer, const char **ret_name, const void **ret_value,
                 size_t *ret_size);
/* The next piece of a regular file: 1, or 0 at the end. What lies between two pieces, and
 * behind the last one, is a hole. */
int layer_data(struct layer *layer, const void **ret_data, size_t *ret_size,
               uint64_t *ret_position, struct vitrine_error *err);
void layer_close(struct layer *layer);

#endif
