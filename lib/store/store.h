/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_STORE_STORE_H
#define VITRINE_STORE_STORE_H

/*
 * The cache of imported images: files called by the digest of their manifest, on a file
 * system that many nodes may share (NFS, Lustre: no flock, no exact clocks).
 *
 *   DIR/images/sha256-HEX.sqfs  whole images, mode 0444 (0400 in a private cache)
 *   DIR/locks/NAME              who is making what; see lock.h
 *   DIR/steps/JOB.STEP-HEX      the digest that a step agreed on (HEX: of the reference)
 *   DIR/leases/sha256-HEX.WHO   in use until its time of modification; an empty file
 *
 * Nothing but a file's own name makes it valid, so every state in which a process may be
 * killed is a good one; what is too old to belong to anybody is removed by whoever comes
 * next. Directories are made with mode 0700.
 */
#include "base/error.h"

#include <stdint.h>
#include <time.h>

struct store {
    int dir; /* DIR */
    int images, locks, steps, leases;
    uint64_t limit; /* bytes of images to keep; 0: any number */
    char path[4096];
};

/* Opens DIR with the rights of the process, makes what is missing. Refuses a directory
 * that others may write to. `path` is absolute. */
int store_open(const char *path, uint64_t limit, struct store *ret,
               struct vitrine_error *err);
void store_close(struct store *store);

/* The name of an image's file: DIR/images/ and this. */
#define STORE_NAME_MAX 80
void store_name(const char *digest, char ret[STORE_NAME_MAX]);

/* Whether it is there, whole; if so it counts as used now. `ret_fd` (may be NULL) is
 * opened for reading. */
int store_find(struct store *store, const char *digest, int *ret_fd, bool *ret_found,
               struct vitrine_error *err);

/* A file that gets its name when it is whole. */
struct store_file;
int store_create(struct store *store, const char *digest, struct store_file **ret,
                 int *ret_fd, struct vitrine_error *err);
/* Syncs it, gives it its name (if another has been faster, that one counts), then removes
 * images that are beyond the limit. */
int store_commit(struct store_file *file, struct vitrine_error *err);
void store_discard(struct store_file *file); /* NULL: nothing; after a commit: frees */

/* Says that `who` ("JOB", "HOST.PID") uses an image until `until`. */
int store_lease(struct store *store, const char *digest, const char *who, time_t until,
                struct vitrine_error *err);

/* Removes the images that were used least recently until the others fit the limit, but
 * none that is leased or younger than an hour; leases, steps, locks and temporary files
 * that nobody can need any more. `need`: so many bytes shall become free beyond that. */
int store_collect(struct store *store, uint64_t need, struct vitrine_error *err);

/* The digest that a step agreed on. */
int store_step_read(struct store *store, const char *step, const char *reference,
                    char *ret, size_t size, bool *ret_found, struct vitrine_error *err);
int store_step_write(struct store *store, const char *step, const char *reference,
                     const char *digest, struct vitrine_error *err);

#endif
