/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "source/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int window_init(struct window *window)
{
    memset(window, 0, sizeof(*window));
    if (pthread_mutex_init(&window->lock, NULL) != 0)
        return -1;
    if (pthread_cond_init(&window->readable, NULL) == 0) {
        if (pthread_cond_init(&window->writable, NULL) == 0)
            return 0;
        (void)pthread_cond_destroy(&window->readable);
    }
    (void)pthread_mutex_destroy(&window->lock);
    return -1;
}

void window_done(struct window *window)
{
    struct window_layer *layer, *next;

    for (layer = window->first; layer; layer = next) {
        next = layer->next;
        registry_shortcut_done(&layer->shortcut);
        free(layer);
    }
    for (size_t i = 0; i < LIMIT_FETCH_WINDOW; i++)
        free(window->parts[i].data);
    digest_free(window->digest);
    (void)pthread_cond_destroy(&window->writable);
    (void)pthread_cond_destroy(&window->readable);
    (void)pthread_mutex_destroy(&window->lock);
}

neg_errno window_add(struct window *window, const struct manifest_blob *blob)
{
    struct window_layer *layer = calloc(1, sizeof(*layer));

    if (!layer || registry_shortcut_init(&layer->shortcut) < 0) {
        free(layer);
        return -ENOMEM;
    }
    layer->blob = *blob;
    if (window->last)
        window->last->next = layer;
    else
        window->first = layer;
    window->last = layer;
    if (!window->at) {
        window->at = layer;
        window->offset = 0;
    }
    return 0;
}

size_t window_work(const struct window *window)
{
    uint64_t parts = window->count;
    uint64_t from = window->offset;

    for (const struct window_layer *layer = window->at;
         layer && parts < LIMIT_FETCH_THREADS; layer = layer->next) {
        parts += 1 + (layer->blob.size - from) / LIMIT_FETCH_PART;
        from = 0;
    }
    return parts < LIMIT_FETCH_THREADS ? (size_t)parts : LIMIT_FETCH_THREADS;
}

/* --- fetching -------------------------------------------------------------------------
 */

static struct window_part *give_out(struct window *window)
{
    struct window_part *part =
        &window->parts[(window->head + window->count++) % LIMIT_FETCH_WINDOW];
    uint64_t left = window->at->blob.size - window->offset;

    part->layer = window->at;
    part->offset = window->offset;
    part->size = left < LIMIT_FETCH_PART ? (size_t)left : LIMIT_FETCH_PART;
    part->filled = part->read = part->hashed = 0;
    part->is_hashed = false;
    window->offset += part->size;
    if (window->offset == window->at->blob.size) {
        window->at = window->at->next;
        window->offset = 0;
    }
    return part;
}

/* As long as nobody knows whether the server gives parts, only the first one is asked
 * for. */
struct window_part *window_take_part(struct window *window, bool *ret_rest)
{
    struct window_layer *layer = window->at;

    if (!layer || layer->is_taken || window->count == LIMIT_FETCH_WINDOW ||
        (window->offset > 0 && !layer->is_whole && !window->has_ranges))
        return NULL;
    layer->is_taken = *ret_rest = layer->is_whole;
    return give_out(window);
}

struct window_part *window_next_part(struct window *window,
                                     const struct window_layer *layer)
{
    return window->at == layer && window->count < LIMIT_FETCH_WINDOW ? give_out(window)
                                                                     : NULL;
}

bool window_refuse_parts(struct window *window, struct window_part *part)
{
    struct window_layer *layer = part->layer;
    bool is_next = window->at == layer && window->offset == part->offset + part->size;

    layer->is_whole = true;
    if (!is_next || layer->is_taken)
        return false;
    layer->is_taken = true;
    return true;
}

/* --- reading --------------------------------------------------------------------------
 */

struct window_part *window_head(struct window *window)
{
    return window->count > 0 ? &window->parts[window->head] : NULL;
}

void window_pop(struct window *window)
{
    window->head = (window->head + 1) % LIMIT_FETCH_WINDOW;
    window->count--;
    (void)pthread_cond_broadcast(&window->writable);
}

bool window_ends_layer(const struct window_part *part)
{
    return part->offset + part->size == part->layer->blob.size;
}

/* --- hashing --------------------------------------------------------------------------
 */

/* The first part that is not hashed, if there is anything to do with it. */
static struct window_part *find_unhashed(struct window *window)
{
    for (size_t i = 0; i < window->count; i++) {
        struct window_part *part =
            &window->parts[(window->head + i) % LIMIT_FETCH_WINDOW];

        if (!part->is_hashed)
            return part->hashed < part->filled || part->filled == part->size ? part
                                                                             : NULL;
    }
    return NULL;
}

/* Without the lock, which nobody needs who only fills or reads. */
static neg_errno hash_bytes(struct window *window, const struct window_part *part,
                            size_t filled)
{
    if (!window->digest)
        window->digest = digest_new();
    if (!window->digest)
        return -ENOMEM;
    return filled > part->hashed
               ? digest_update(window->digest, part->data + part->hashed,
                               filled - part->hashed)
               : 0;
}

static neg_errno end_digest(struct window *window, struct window_layer *layer)
{
    neg_errno rc = digest_text(window->digest, layer->found);

    digest_free(window->digest);
    window->digest = NULL;
    return rc;
}

neg_errno window_hash(struct window *window)
{
    struct window_part *part = window->is_hashing ? NULL : find_unhashed(window);
    size_t filled;
    neg_errno rc;

    if (!part)
        return 0;
    filled = part->filled;
    window->is_hashing = true;
    (void)pthread_mutex_unlock(&window->lock);
    rc = hash_bytes(window, part, filled);
    (void)pthread_mutex_lock(&window->lock);
    window->is_hashing = false;
    part->hashed = filled;
    if (rc == 0 && filled == part->size && window_ends_layer(part))
        rc = end_digest(window, part->layer);
    part->is_hashed = filled == part->size;
    (void)pthread_cond_broadcast(&window->readable);
    return rc < 0 ? rc : 1;
}
