/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SOURCE_WINDOW_H
#define VITRINE_SOURCE_WINDOW_H

/*
 * The parts of layers that are being fetched or read: planned in the order in which they
 * are read, so that whatever is fetched the reader comes to. Knows nothing of networks.
 * All functions but window_new() and window_free() are called with `lock` held.
 */
#include "base/limits.h"
#include "registry/registry.h"

#include <pthread.h>

struct window_layer {
    struct window_layer *next;
    struct manifest_blob blob;
    struct registry_shortcut shortcut;
    bool is_whole; /* the server gives no parts of it */
    bool is_taken; /* one thread fetches all that is left of it */
    char found[DIGEST_TEXT];
};

struct window_part {
    struct window_layer *layer;
    uint64_t offset; /* in the layer */
    size_t size;
    char *data; /* of `capacity` bytes; kept for the parts that come later */
    size_t capacity;
    size_t filled, read, hashed; /* bytes */
    bool is_hashed;              /* and nothing of it is to come */
};

struct window {
    pthread_mutex_t lock;
    pthread_cond_t readable; /* something was filled or hashed, or has failed */
    pthread_cond_t writable; /* something may be fetched, or has failed */
    struct window_layer *first, *last;
    /* What is given out next; NULL: nothing is left. */
    struct window_layer *at;
    uint64_t offset;
    struct window_part parts[LIMIT_FETCH_WINDOW]; /* a ring */
    size_t head, count;
    bool has_ranges;       /* the server has given a part */
    struct digest *digest; /* of the layer that is being hashed */
    bool is_hashing;
};

int window_init(struct window *window);
void window_done(struct window *window);

neg_errno window_add(struct window *window, const struct manifest_blob *blob);

/* How many threads have something to do. */
size_t window_work(const struct window *window);

/*
 * The next part to be fetched; NULL: none for now. *ret_rest: with all of its layer that
 * comes behind it, by window_next_part().
 */
struct window_part *window_take_part(struct window *window, bool *ret_rest);
/* The one behind it; NULL: no room for now. */
struct window_part *window_next_part(struct window *window,
                                     const struct window_layer *layer);
/* The server gives no parts of this one's layer. Returns *ret_rest of above. */
bool window_refuse_parts(struct window *window, struct window_part *part);

/* The first part that is not yet read; NULL: none. */
struct window_part *window_head(struct window *window);
void window_pop(struct window *window);
bool window_ends_layer(const struct window_part *part);

/* Hashes what there is, unlocking meanwhile. Returns 0 if there was nothing. */
neg_errno window_hash(struct window *window);

#endif
