/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SPEC_MOUNTSPEC_H
#define VITRINE_SPEC_MOUNTSPEC_H

/* What the text of --container-mounts means, before anybody looks for the files. */
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mountspec_kind {
    MOUNTSPEC_BIND,
    MOUNTSPEC_TMPFS,
    MOUNTSPEC_UMOUNT,   /* takes away what is mounted at the target */
    MOUNTSPEC_SQUASHFS, /* the content of a SquashFS or SIF file */
};

/* What is made where the target is missing. */
enum mountspec_create {
    MOUNTSPEC_CREATE_AUTO, /* what the source is */
    MOUNTSPEC_CREATE_DIR,  /* the source must be one */
    MOUNTSPEC_CREATE_FILE, /* the source must not be a directory */
};

struct mountspec {
    char *text; /* the entry as it was written, for messages */
    enum mountspec_kind kind;
    char *source; /* "/x", "./x", "x", "~/x"; NULL for a tmpfs and an umount */
    char
        *target; /* absolute, normalised, never "/"; NULL: what mountspec_source() says */
    uint64_t attr_set, attr_clear; /* of MOUNT_ATTR_* */
    uint64_t propagation;          /* MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE or 0 */
    bool propagation_recursive;
    bool recursive; /* a bind with the mounts below it */
    bool nofail;    /* passed over if it cannot be done, */
    bool silent;    /* without a word */
    enum mountspec_create create;
    char *data; /* of a tmpfs, "size=1G,huge=within_size", or NULL */
};

/*
 * Reads "SRC[:DST[:FLAG+FLAG...]],...", at most LIMIT_MOUNTS bytes and
 * LIMIT_MOUNT_ENTRIES entries. One that says again what holds at its target already is
 * dropped. Messages do not say where the text comes from. The caller frees *ret with
 * mountspec_free().
 */
int mountspec_parse(const char *text, struct mountspec **ret, size_t *ret_count,
                    struct vitrine_error *err);
void mountspec_free(struct mountspec *list, size_t count);

/*
 * The absolute path of an entry's source, not normalised; cwd and home are absolute, home
 * may be NULL. The caller frees it; NULL: no memory.
 */
char *mountspec_source(const struct mountspec *spec, const char *cwd, const char *home);

/*
 * `path` as seen from "/", without "." and "..", by its text alone: links are not looked
 * at. -EXDEV if it leads above "/". The caller frees *ret.
 */
neg_errno mountspec_normalise(const char *path, char **ret);

/* Sets *err to "mount 'ENTRY': ..." and returns -1; `cause` is a neg_errno, or 0. */
int mountspec_fail(const struct mountspec *spec, struct vitrine_error *err,
                   enum vitrine_errcode code, neg_errno cause, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

#endif
