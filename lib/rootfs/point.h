/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_POINT_H
#define VITRINE_ROOTFS_POINT_H

/*
 * Mount points in the finished root, for what could not be made ready in its layer: they
 * lie below a file system that was mounted meanwhile, or there is no layer.
 */
#include "base/error.h"

#include <sys/types.h>

/*
 * Opens (O_PATH) what `path` is in the root directory `root`, symbolic links followed
 * inside of it. Whatever is missing on the way is made with the process's own rights, the
 * last as a directory (S_IFDIR) or an empty file (S_IFREG); with type 0 nothing is.
 */
neg_errno point_open(int root, const char *path, mode_t type);

#endif
