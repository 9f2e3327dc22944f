/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_CACHE_H
#define VITRINE_IMAGE_CACHE_H

/* Unpacked blocks, shared by the threads of the FUSE server. */
#include "base/error.h"

#include <stdint.h>

struct cache;

struct cache_block {
    uint64_t key;
    uint8_t *data;   /* as large as cache_new() was told; never changes once loaded */
    uint32_t size;   /* how much of it counts; the loader sets it */
    uint32_t packed; /* for the loader's use */
    uint32_t users;  /* from here on the cache's own */
    uint32_t state;
    uint64_t last_use;
};

/* Fills data and size of the block with that key; called without any lock. */
typedef neg_errno (*cache_load_f)(void *arg, struct cache_block *block);

/* Called without any lock when cache_get() will take its time: to load, or to wait for
 * somebody else who does. */
typedef void (*cache_slow_f)(void);

/* At least `blocks` blocks of block_size bytes, whose memory is taken when they are
 * first needed. `slow` may be NULL. NULL: no memory. */
struct cache *cache_new(size_t blocks, size_t block_size, cache_slow_f slow);
void cache_free(struct cache *cache);

/*
 * The block with that key, loaded by whoever asks first; others wait for him. What load
 * returns below 0 is returned and not kept. Give the block back with cache_put().
 */
neg_errno cache_get(struct cache *cache, uint64_t key, cache_load_f load, void *arg,
                    const struct cache_block **ret);
void cache_put(struct cache *cache, const struct cache_block *block);

#endif
