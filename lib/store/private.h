/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_STORE_PRIVATE_H
#define VITRINE_STORE_PRIVATE_H

/* What the files of this folder share. */
#include "store/store.h"

#include <dirent.h>

/* Who has a lease that says when an image was used last. */
#define STORE_USED "used"

/* An image that is about to be removed; see collect.c. */
#define STORE_GONE ".gone."

DIR *store_list(int fd);
int store_lease_name(const char *key, const char *who, char ret[NAME_MAX + 1],
                     struct vitrine_error *err);
neg_errno store_stamp(int dir, const char *name, const struct timespec *when);

#endif
