/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_PLAN_H
#define VITRINE_ROOTFS_PLAN_H

/*
 * Which paths of the host the container shows, most of them at their own path. Every
 * entry is a recursive bind, so an entry makes those below it needless.
 */
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum plan_flags {
    PLAN_REQUIRED = 1 << 0, /* an error if the host does not have it */
    PLAN_COVERS = 1 << 1,   /* may cover a directory of the image that is not empty, also
                               where the operating system lives (see plan_os_owned()) */
};

struct plan_entry {
    char *path;   /* in the container */
    char *source; /* on the host */
    unsigned flags;
    int tree;    /* detached copy of the host's mount tree, or -1 */
    mode_t type; /* of the tree's root: S_IFDIR, or S_IFREG for all else */
    int point;   /* the mount point inside the root, or -1 */
};

struct plan {
    struct plan_entry *entries;
    size_t count;
    const char *hidden; /* a directory that no entry above it shows, or NULL; borrowed */
};

void plan_init(struct plan *plan);
void plan_free(struct plan *plan);
void plan_entry_free(struct plan_entry *entry);

/* Whether one of the entries shows `path` (absolute, normalised). */
bool plan_shows(const struct plan *plan, const char *path);

/* Whether it lies in what is hidden, and whether an entry would else show that. */
bool plan_is_hidden(const struct plan *plan, const char *path);
bool plan_has_to_hide(const struct plan *plan);

/*
 * Adds a path; what is not an absolute normalised path, or is "/", is passed over.
 * Removes entries below it, does nothing if it is shown already. -ENOMEM, -E2BIG
 * (LIMIT_BINDS).
 */
neg_errno plan_add(struct plan *plan, const char *path, unsigned flags);

/* The same for a host path that appears elsewhere. */
neg_errno plan_add_at(struct plan *plan, const char *source, const char *path,
                      unsigned flags);

/*
 * True for directories that belong to an operating system, host's or image's: /usr, /etc,
 * /opt, /var … What the image has there wins over what the host has mounted there.
 */
bool plan_os_owned(const char *path);

#endif
