/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONTAINER_IMPORTER_H
#define VITRINE_CONTAINER_IMPORTER_H

/* Images that are imported: from the cache, where the digest is known and the cache is
 * the user's own, or by the program vitrine-import. */
#include "config/config.h"
#include "vitrine.h"

/*
 * The image `source` (docker://...), open for reading, and its digest: spec->image_digest
 * if that is set. On a node (spec->job is set) it is leased.
 */
int importer_open(const struct config *config, const struct vitrine_spec *spec,
                  const char *source, char ret_digest[VITRINE_DIGEST_MAX], int *ret_fd,
                  struct vitrine_error *err);

#endif
