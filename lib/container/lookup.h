/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONTAINER_LOOKUP_H
#define VITRINE_CONTAINER_LOOKUP_H

#include "base/error.h"
#include "config/config.h"
#include "vitrine.h"

/*
 * From an image reference to an open file (or directory): opens it as the calling user,
 * read-only. Relative names are looked up in spec->search, bare names after that in the
 * administrator's ImageDir list; the first that exists counts, whether it can be opened
 * or not. *ret_name is its absolute path, for messages; the caller frees it.
 */
int lookup_image(const struct config *config, const struct vitrine_spec *spec,
                 int *ret_fd, char **ret_name, struct vitrine_error *err);

/*
 * Opens a user's file or directory read-only. O_NONBLOCK: a FIFO put there must not hang
 * the task. No magic links: /proc/self is still slurmstepd, whose descriptors and
 * directories are none of the user's.
 */
neg_errno lookup_open(const char *path);

#endif
