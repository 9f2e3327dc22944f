/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_HOSTMOUNTS_H
#define VITRINE_ROOTFS_HOSTMOUNTS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Is a mount of this type, at this place, one that users keep their data or software on?
 */
bool hostmounts_wanted(const char *fstype, const char *target);

typedef neg_errno (*hostmounts_f)(void *arg, const char *target);

/* Calls `each` for the wanted mounts of the process's namespace, in mount order; stops at
 * the first error and returns it. */
neg_errno hostmounts_each(hostmounts_f each, void *arg);

/*
 * Whether something is mounted below the canonical path `dir`: 1, with where in `buf`, or
 * 0.
 */
neg_errno hostmounts_below(const char *dir, char *buf, size_t size);

#endif
