/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_BASE_TARGET_H
#define VITRINE_BASE_TARGET_H

/* The file that appears under its name when it is whole, and not before. */
#include "base/error.h"

#include <linux/limits.h>
#include <sys/stat.h>

struct target {
    int directory;    /* borrowed */
    const char *name; /* borrowed */
    int fd;
    bool replaces; /* there is a file of that name */
    bool yields;   /* the caller's wish, before target_commit(): one that is there by then
                      stays, and ours was for nothing */
    bool unsynced; /* likewise: what a crash takes away is no loss */
    mode_t mode;
    char temporary[NAME_MAX + 1]; /* its name now, "" if it has none */
};

/*
 * Checks that `name` may be written in `directory`: it must be new, or a regular file,
 * which then is replaced; a symbolic link is refused, since neither to replace it nor to
 * write where it leads is what all users want. Where the file system has no nameless
 * files (NFS), nothing is left open either and target_open() makes one with a name.
 */
int target_check(struct target *target, int directory, const char *name,
                 struct vitrine_error *err);
int target_open(struct target *target, struct vitrine_error *err);
/* Puts the file on the disk and gives it its name. */
int target_commit(struct target *target, struct vitrine_error *err);
/* Whatever was not committed is gone. */
void target_close(struct target *target);
/* Removes a temporary name and nothing else; from any thread of a process that ends. */
void target_abandon(const struct target *target);
/* Whether a name is one of those that files of `name` have before they are whole (NULL:
 * files of any name). */
bool target_is_temporary(const char *entry, const char *name);

#endif
