/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_FOREIGN_H
#define VITRINE_IMAGE_FOREIGN_H

/* Names what somebody gave as an image although it is none. */
#include <stddef.h>
#include <stdint.h>

/* So many bytes of the file's beginning are enough. */
#define FOREIGN_HEAD 4096

/*
 * A description for "it is X, not an image", or NULL. head holds the first `size` bytes
 * of the file, FOREIGN_HEAD or all there are; a few more are read from fd, which may be
 * -1.
 */
const char *foreign_describe(int fd, const uint8_t *head, size_t size,
                             uint64_t file_size);

#endif
