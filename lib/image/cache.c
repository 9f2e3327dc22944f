/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Set-associative: a key has WAYS places where it can be, the least recently used of them
 * makes room. When all of them are in use, the caller gets a block of his own, so nobody
 * ever waits for anything but the block that he wants.
 */
#include "image/cache.h"
#include "base/cleanup.h"

#include <pthread.h>

#define WAYS 8U

enum { BLOCK_EMPTY, BLOCK_LOADING, BLOCK_READY, BLOCK_PRIVATE };

struct cache {
    pthread_mutex_t lock;
    pthread_cond_t loaded;
    size_t sets;
    size_t block_size;
    uint64_t clock;
    cache_slow_f slow;
    struct cache_block *blocks;
};

struct cache *cache_new(size_t blocks, size_t block_size, cache_slow_f slow)
{
    struct cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    cache->sets = (blocks + WAYS - 1) / WAYS;
    cache->block_size = block_size;
    cache->slow = slow;
    cache->blocks = calloc(cache->sets * WAYS, sizeof(*cache->blocks));
    if (!cache->blocks || pthread_mutex_init(&cache->lock, NULL) != 0 ||
        pthread_cond_init(&cache->loaded, NULL) != 0) {
        free(cache->blocks);
        free(cache);
        return NULL;
    }
    return cache;
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < cache->sets * WAYS; i++)
        free(cache->blocks[i].data);
    free(cache->blocks);
    (void)pthread_cond_destroy(&cache->loaded);
    (void)pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static struct cache_block *find_set(const struct cache *cache, uint64_t key)
{
    /* Fibonacci hashing: neighbouring positions in the image go to different sets. */
    uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);

    return cache->blocks + (hash >> 32) % cache->sets * WAYS;
}

static struct cache_block *find_block(struct cache_block *set, uint64_t key)
{
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].state != BLOCK_EMPTY && set[i].key == key)
            return &set[i];
    return NULL;
}

static struct cache_block *find_victim(struct cache_block *set)
{
    struct cache_block *victim = NULL;

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].state == BLOCK_EMPTY)
            return &set[i];
        if (set[i].state == BLOCK_READY && set[i].users == 0 &&
            (!victim || set[i].last_use < victim->last_use))
            victim = &set[i];
    }
    return victim;
}

static neg_errno load_block(const struct cache *cache, struct cache_block *block,
                            cache_load_f load, void *arg)
{
    if (!block->data)
        block->data = malloc(cache->block_size);
    if (!block->data)
        return -ENOMEM;
    return load(arg, block);
}

static neg_errno get_private(const struct cache *cache, uint64_t key, cache_load_f load,
                             void *arg, const struct cache_block **ret)
{
    struct cache_block *block = calloc(1, sizeof(*block));

    if (!block)
        return -ENOMEM;
    block->key = key;
    block->state = BLOCK_PRIVATE;
    int rc = load_block(cache, block, load, arg);
    if (rc < 0) {
        free(block->data);
        free(block);
        return rc;
    }
    *ret = block;
    return 0;
}

neg_errno cache_get(struct cache *cache, uint64_t key, cache_load_f load, void *arg,
                    const struct cache_block **ret)
{
    struct cache_block *set = find_set(cache, key), *block;
    int rc = 0;

    (void)pthread_mutex_lock(&cache->lock);
    block = find_block(set, key);
    if (cache->slow && (!block || block->state == BLOCK_LOADING)) {
        (void)pthread_mutex_unlock(&cache->lock);
        cache->slow();
        (void)pthread_mutex_lock(&cache->lock);
    }
    while ((block = find_block(set, key)) && block->state == BLOCK_LOADING)
        (void)pthread_cond_wait(&cache->loaded, &cache->lock);
    if (!block) {
        block = find_victim(set);
        if (!block) {
            (void)pthread_mutex_unlock(&cache->lock);
            return get_private(cache, key, load, arg, ret);
        }
        block->key = key;
        block->state = BLOCK_LOADING;
        (void)pthread_mutex_unlock(&cache->lock);
        rc = load_block(cache, block, load, arg);
        (void)pthread_mutex_lock(&cache->lock);
        block->state = rc < 0 ? BLOCK_EMPTY : BLOCK_READY;
        (void)pthread_cond_broadcast(&cache->loaded);
    }
    if (rc >= 0) {
        block->users++;
        block->last_use = ++cache->clock;
        *ret = block;
        rc = 0;
    }
    (void)pthread_mutex_unlock(&cache->lock);
    return rc;
}

void cache_put(struct cache *cache, const struct cache_block *block)
{
    /* Callers see blocks as constant; they are ours. */
    struct cache_block *own = (struct cache_block *)block;

    if (own->state == BLOCK_PRIVATE) {
        free(own->data);
        free(own);
        return;
    }
    (void)pthread_mutex_lock(&cache->lock);
    own->users--;
    (void)pthread_mutex_unlock(&cache->lock);
}
