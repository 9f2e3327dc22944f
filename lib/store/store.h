/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_STORE_STORE_H
#define VITRINE_STORE_STORE_H

/*
 * The cache of imported images: files called by a key, on a file system that many nodes
 * may share (NFS, Lustre: no flock, no exact clocks). The key is the digest of the
 * image's manifest, or, where users share the cache, of that and of where it came from
 * (import/sharing.h); here it is "sha256:" and 64 digits, which name what cannot change.
 *
 *   DIR/images/sha256-HEX.sqfs  whole images, mode 0444 (0400 in a shared cache)
 *   DIR/locks/NAME              who is making what; see lock.h
 *   DIR/records/NAME            one short text each: what a step agreed on, what an index
 *                               says; anybody may remove them
 *   DIR/leases/sha256-HEX.used  empty; its time is when the image was used last
 *   DIR/leases/sha256-HEX.WHO   empty; the image is in use until its time
 *   DIR/grants/UID/HEX          empty; in a shared cache: the registry gave it to the
 * user
 *
 * The time of last use is not the image's own, since to change that would have other
 * nodes throw away what they have in memory of a file on NFS.
 *
 * Nothing but a file's own name makes it valid, so every state in which a process may be
 * killed is a good one; what is too old to belong to anybody is removed by whoever comes
 * next. Directories are made with mode 0700.
 */
#include "base/error.h"

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct store {
    int dir; /* DIR */
    int images, locks, records, leases, grants;
    uint64_t limit; /* bytes of images to keep; 0: any number */
    bool is_shared; /* by all users, each of whom sees only what was granted to him */
    char path[PATH_MAX];
};

/*
 * Opens DIR with the rights of the process, makes what is missing. Refuses a directory
 * that is somebody else's, or that others may write to. `path` is absolute. Free *ret
 * with store_close(), also after an error.
 */
int store_open(const char *path, uint64_t limit, bool is_shared, struct store *ret,
               struct vitrine_error *err);
void store_close(struct store *store);

/* The name of an image's file: DIR/images/ and this. */
#define STORE_NAME_MAX 80
void store_name(const char *key, char ret[STORE_NAME_MAX]);

/* Whether it is there, whole; if so it counts as used now. `ret_fd` (may be NULL) is
 * opened for reading. */
int store_find(const struct store *store, const char *key, int *ret_fd, bool *ret_found,
               struct vitrine_error *err);

/* Asks a file server anew what there is, for one who waits for something. */
void store_refresh(struct store *store);

/* A file that gets its name when it is whole. */
struct store_file;
int store_create(const struct store *store, const char *key, struct store_file **ret,
                 int *ret_fd, struct vitrine_error *err);
/* Syncs it and gives it its name; if another has been faster, that one counts. */
int store_commit(struct store_file *file, struct vitrine_error *err);
/* NULL: nothing; after a commit: frees. */
void store_discard(struct store_file *file);
/* Removes its temporary name and nothing else, for a process that ends at once; any
 * thread. */
void store_abandon(const struct store_file *file);
/* Removes what others have begun for that key: for the owner of its lock. */
void store_sweep(const struct store *store, const char *key);

/* Says that `who` ("JOB", "HOST.PID") uses an image until `until`. */
int store_lease(const struct store *store, const char *key, const char *who, time_t until,
                struct vitrine_error *err);

struct store_collected {
    unsigned images;
    uint64_t bytes;
};

/*
 * Removes the images that were used least recently until the others fit the limit, and
 * `need` bytes more have become free, but none that is leased or was used within the last
 * hour; and leases, records, locks, grants and temporary files that nobody can need any
 * more. What cannot be removed stays.
 */
int store_collect(const struct store *store, uint64_t need, struct store_collected *ret,
                  struct vitrine_error *err);

#endif
