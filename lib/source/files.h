/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SOURCE_FILES_H
#define VITRINE_SOURCE_FILES_H

/*
 * What sources that are files have in common: blobs are stretches of files, verified
 * while they are read. A kind of source says where a file is; the rest is here.
 */
#include "source/source.h"

#include <pthread.h>
#include <stdatomic.h>

struct files_stretch {
    int fd; /* -1: there is none */
    uint64_t offset, size;
};

/* Of what is in memory as a whole. */
#define FILES_NAME_MAX 256

struct files {
    struct source source; /* first */
    const struct registryref *ref;
    struct manifest_platform platform;
    /* By its name in the layout or archive; the caller closes the descriptor. */
    int (*open)(struct files *files, const char *name, struct files_stretch *ret,
                struct vitrine_error *err);
    /* The name of a blob by its digest; false: there is none. */
    bool (*name_blob)(struct files *files, const char *digest, char ret[FILES_NAME_MAX]);

    pthread_mutex_t mutex; /* of the next three */
    struct manifest_blob *queue;
    size_t queued, next;

    /* Of the thread that reads. */
    struct files_stretch current;
    struct manifest_blob blob; /* of it */
    struct digest *digest;
    uint64_t done;
    char *buffer;

    atomic_uint_fast64_t arrived;
    atomic_bool is_stopped;
};

/* Of a new object, all zero; files_free() is for one that this has failed for, too. */
int files_init(struct files *files, const struct registryref *ref, const char *platform,
               struct vitrine_error *err);
/* Frees what is in it, not itself. */
void files_free(struct files *files);

/* blobs/sha256/HEX, as in an OCI layout. */
bool files_name_layout_blob(struct files *files, const char *digest,
                            char ret[FILES_NAME_MAX]);

/* A file that has LIMIT_JSON_SIZE bytes at most, with a NUL behind. *ret NULL: there is
 * none. The caller frees it. */
int files_load(struct files *files, const char *name, char **ret, size_t *ret_size,
               struct vitrine_error *err);
/* A small blob of any size, verified; `size` is UINT64_MAX if it is not known. */
int files_load_blob(struct files *files, const char *digest, uint64_t size, char **ret,
                    size_t *ret_size, struct vitrine_error *err);

/* What a file says costs no more to read than its digest. */
int files_find_digest(struct source *source, char ret_digest[DIGEST_TEXT],
                      struct vitrine_error *err);

/* What all have the same of struct source_ops. */
int files_blob(struct source *source, const struct manifest_blob *blob, char **ret,
               struct vitrine_error *err);
int files_want(struct source *source, const struct manifest_blob *layers, size_t n,
               struct vitrine_error *err);
int files_read(struct source *source, const void **ret_data, size_t *ret_size,
               struct vitrine_error *err);
uint64_t files_arrived(struct source *source);
void files_stop(struct source *source);

/* From oci-layout and index.json to the platform's manifest: for what has them. */
int layout_resolve(struct files *files, char ret_digest[DIGEST_TEXT],
                   struct manifest *ret, struct vitrine_error *err);

#endif
