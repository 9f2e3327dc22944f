/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_HOSTMOUNTS_H
#define VITRINE_ROOTFS_HOSTMOUNTS_H

#include "base/error.h"

#include <stdbool.h>

/* Is a mount of this type, at this place, one that users keep their data or software on?
 */
bool hostmounts_wanted(const char *fstype, const char *target);

typedef neg_errno (*hostmounts_f)(void *arg, const char *target);

/* Calls `each` for the wanted mounts of the process's namespace, in mount order; stops at
 * the first error and returns it. */
neg_errno hostmounts_each(hostmounts_f each, void *arg);

#endif
