/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CLI_PEEK_H
#define VITRINE_CLI_PEEK_H

/* Single files of an image that nobody has mounted. */
#include "image/sqfs.h"

/*
 * Reads up to `max` bytes of the regular file at an absolute path; symbolic links lead to
 * where they would for a process whose root the image is. *ret_mode may be NULL. Returns
 * the number of bytes or -errno; the caller frees *ret, which has a NUL behind them.
 */
neg_errno peek_read(struct sqfs *fs, const char *path, size_t max, char **ret,
                    mode_t *ret_mode);

/*
 * A directory with those files of the image that lib/image/meta.c may want to read, at
 * their places: it is the caller's to remove, and ret_path its path. Returns a descriptor
 * of it, or -errno.
 */
#define PEEK_PATH 4096
neg_errno peek_copy_meta(struct sqfs *fs, char ret_path[PEEK_PATH]);

#endif
