/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_LAYERS_FEED_H
#define VITRINE_LAYERS_FEED_H

/*
 * A thread that reads layers from a source and decompresses them, into a ring of a few
 * MiB, while its reader works on what came before. Runs as the user.
 */
#include "source/source.h"

struct feed;

/* Announces the layers to the source, and begins. All are borrowed. */
struct feed *feed_start(struct source *source, const struct manifest_blob *layers,
                        size_t n, struct vitrine_error *err);
/*
 * The next piece of the layer, valid until the next call. Size 0: it ends here, and is
 * what its digest says; the next call begins the next one. Waits for `patience_ms` at
 * most; *ret_data is NULL if nothing came and it did not end.
 */
int feed_read(struct feed *feed, unsigned patience_ms, const void **ret_data,
              size_t *ret_size, struct vitrine_error *err);
/* Ends the thread, and with it what the source does, wherever they are. */
void feed_stop(struct feed *feed);

#endif
