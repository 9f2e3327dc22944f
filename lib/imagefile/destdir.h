/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGEFILE_DESTDIR_H
#define VITRINE_IMAGEFILE_DESTDIR_H

/*
 * The directory that is filled. One that does not exist appears under its name when it is
 * whole, and is called ".NAME.vitrine-" and six letters before; what a process left that
 * was killed, the next one with the same NAME removes. One that exists and is empty,
 * which may be a mount point, is filled in place, and emptied again after a failure.
 */
#include "base/error.h"

#include <limits.h>
#include <stdbool.h>

struct destdir {
    int fd; /* what is to be filled; O_RDONLY */
    int parent;
    bool in_place, committed;
    char name[NAME_MAX + 1], temporary[NAME_MAX + 1];
};

/* Nothing is open after a failure. */
int destdir_open(struct destdir *dest, const char *path, struct vitrine_error *err);
int destdir_commit(struct destdir *dest, struct vitrine_error *err);
/* Without a commit before, nothing is left. */
void destdir_close(struct destdir *dest);

#endif
