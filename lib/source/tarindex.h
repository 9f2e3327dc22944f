/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SOURCE_TARINDEX_H
#define VITRINE_SOURCE_TARINDEX_H

/*
 * Where the files in a tar archive are, so that they can be read in any order: of the
 * archive around an image, not of its layers. POSIX ustar and pax, GNU's long names and
 * sizes in base 256; not compressed, not sparse.
 */
#include "base/error.h"

#include <stdint.h>

struct tarindex;

/* Reads all headers of the archive of `size` bytes. */
int tarindex_read(int fd, uint64_t size, struct tarindex **ret,
                  struct vitrine_error *err);
void tarindex_free(struct tarindex *index); /* NULL: nothing */

/* The last regular file of a name, through links: false if there is none. */
bool tarindex_find(const struct tarindex *index, const char *name, uint64_t *ret_offset,
                   uint64_t *ret_size);

#endif
