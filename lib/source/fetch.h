/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SOURCE_FETCH_H
#define VITRINE_SOURCE_FETCH_H

/*
 * Layers of a registry, fetched ahead of who reads them. All that was announced is one
 * sequence of parts of LIMIT_FETCH_PART bytes; LIMIT_FETCH_THREADS threads, each with
 * connections of its own, fetch them in their order into a window of LIMIT_FETCH_WINDOW
 * buffers, which the reader reads while they fill. A server that gives no parts of a
 * layer is read by one thread, which waits where the window is full.
 *
 * fetch_want(), fetch_new() and fetch_free() are for the thread that opened the registry,
 * fetch_read() for any one, the others for all.
 */
#include "registry/registry.h"

struct fetch;

/* `stop` is the registry's. */
struct fetch *fetch_new(struct registry *registry, atomic_bool *stop,
                        struct vitrine_error *err);
void fetch_free(struct fetch *fetch);

/* As in struct source_ops. */
int fetch_want(struct fetch *fetch, const struct manifest_blob *layers, size_t n,
               struct vitrine_error *err);
int fetch_read(struct fetch *fetch, const void **ret_data, size_t *ret_size,
               struct vitrine_error *err);
uint64_t fetch_arrived(struct fetch *fetch);
void fetch_stop(struct fetch *fetch);

#endif
