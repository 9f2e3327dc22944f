/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_TARGET_H
#define VITRINE_ROOTFS_TARGET_H

/* Places in a finished root where something shall be mounted. */
#include "base/error.h"

#include <stdbool.h>
#include <sys/stat.h>

/*
 * Makes what `path` (absolute, normalised) lacks inside `root`: directories, and at its
 * end a directory (S_IFDIR) or an empty file (S_IFREG). What is there is resolved as in
 * path_open_in_root(); of what is new no link is followed. Returns an O_PATH descriptor.
 */
neg_errno target_make(int root, const char *path, mode_t type);

/* Whether `fd` is the root directory `root` itself, reached by whatever links. */
bool target_is_root(int root, int fd);

/* Whether `fd` is the root of a mount, so that this can be taken away. */
bool target_is_mount(int fd);

/* S_IFDIR, or S_IFREG for all else, from what is cached: a file server that hangs must
 * not hold up a job that does not use it. */
neg_errno target_type(int fd, mode_t *ret);

#endif
