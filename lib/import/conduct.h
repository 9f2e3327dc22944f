/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMPORT_CONDUCT_H
#define VITRINE_IMPORT_CONDUCT_H

/*
 * From a reference to an image in the cache, of many processes at once: who asks the
 * registry, who makes the image, who waits for whom.
 */
#include "base/target.h"
#include "import/sharing.h"
#include "source/source.h"
#include "store/lock.h"

#include <pthread.h>

/* What would be left of a process that ends without ado. */
#define IMPORT_HOLD_LOCKS 2
struct import_hold {
    pthread_mutex_t mutex;
    const struct store_file *file;
    const struct target *target;
    const struct lock *locks[IMPORT_HOLD_LOCKS]; /* of the step, of the image */
};
#define IMPORT_HOLD_NONE                                                                 \
    (struct import_hold)                                                                 \
    {                                                                                    \
        .mutex = PTHREAD_MUTEX_INITIALIZER                                               \
    }

/* Removes it, in any thread. The process must end then: whoever lets go of something
 * later waits for ever. */
void import_hold_abandon(struct import_hold *hold);

struct conduct {
    const struct config *config;
    const struct vitrine_import_spec *spec;
    struct registryref ref; /* with the digest, if one is known for sure */
    char name[512];         /* the reference, for messages */
    struct manifest_platform platform;
    struct sharing sharing;
    struct store store;
    struct source *source; /* open, or NULL */
    struct import_hold *hold;
    bool is_granted; /* the registry has been asked */
    char step[220];  /* name of the step's record; "": no step */
    uint64_t need;   /* bytes that the image may take, once that is known */
};

/* vitrine_import(), for which `hold` and `ret_fd`, a descriptor of the image, may be
 * NULL.
 */
int conduct_import(const struct config *config, const struct vitrine_import_spec *spec,
                   struct import_hold *hold, struct vitrine_imported *ret, int *ret_fd,
                   struct vitrine_error *err);
int conduct_import_file(const struct config *config,
                        const struct vitrine_import_spec *spec, const char *file,
                        struct import_hold *hold, char ret_digest[VITRINE_DIGEST_MAX],
                        struct vitrine_error *err);

/* --- for the files that share it: agree.c, make.c
 * ---------------------------------------
 */

bool conduct_is_cancelled(const struct conduct *c);
int conduct_fail_cancelled(struct vitrine_error *err);
void conduct_remark(const struct conduct *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Waits a little, longer each time, for the owner of a lock. */
struct conduct_wait {
    struct lock_watch watch;
    unsigned pause_ms;
    char told[256]; /* of whom the user knows that we wait for him */
};
int conduct_wait(struct conduct *c, struct conduct_wait *wait, struct vitrine_error *err);

/* lock_try() and lock_release() of `which`, 0: the step's lock, 1: the image's, which a
 * process that ends at once removes. */
int conduct_lock(struct conduct *c, int which, const char *name,
                 struct conduct_wait *wait, struct lock **ret, struct vitrine_error *err);
void conduct_unlock(struct conduct *c, int which, struct lock *lock);

/* Images may be removed for want of space: true if some were, and it is worth to try
 * again. Otherwise *err says what the user can do. */
bool conduct_make_room(struct conduct *c, struct vitrine_error *err);

int conduct_open_source(struct conduct *c, struct vitrine_error *err);
void conduct_close_source(struct conduct *c);

/* agree.c: the digest of the platform's manifest. */
int agree_on_digest(struct conduct *c, char ret[DIGEST_TEXT], struct vitrine_error *err);
/* In a shared cache: that the user may have it. */
int agree_grant(struct conduct *c, const char *digest, const char *key,
                struct vitrine_error *err);
/* The failure of another node of the step: *ret_failed, and *err is what it said. */
int agree_read_failure(struct conduct *c, bool *ret_failed, struct vitrine_error *err);
void agree_write_failure(struct conduct *c, const struct vitrine_error *failure);

/* make.c: writes the image to `fd`; its digest must be `digest` unless that is "". */
int make_image(struct conduct *c, const char *digest, int fd,
               char ret_digest[DIGEST_TEXT], struct vitrine_error *err);
int make_in_store(struct conduct *c, const char *digest, const char *key,
                  struct vitrine_error *err);

#endif
