/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "source/fetch.h"
#include "source/window.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct fetch_worker {
    struct fetch *fetch;
    struct registry_link *link;
    pthread_t thread;
    bool is_running;
    /* What it fetches. A part that is full is the reader's, and soon another one. */
    struct window_layer *layer;
    struct window_part *part;
    size_t room;   /* in the part */
    uint64_t skip; /* bytes of the whole layer that come before it */
    enum { FETCH_SMALL, FETCH_PART, FETCH_WHOLE, FETCH_REST } way;
};

struct fetch {
    struct registry *registry;
    atomic_bool *stop;
    struct window window;
    atomic_uint_least64_t arrived;
    size_t given; /* bytes that fetch_read() has handed out last */
    struct fetch_worker workers[LIMIT_FETCH_THREADS];
    size_t nworkers;
    bool has_failed; /* err says why */
    struct vitrine_error err;
};

/* The first reason is the one that counts: it ends all others. With the lock. */
static void fail(struct fetch *fetch, const struct vitrine_error *err)
{
    if (!fetch->has_failed)
        fetch->err = *err;
    fetch->has_failed = true;
    atomic_store(fetch->stop, true);
    (void)pthread_cond_broadcast(&fetch->window.readable);
    (void)pthread_cond_broadcast(&fetch->window.writable);
}

static bool is_over(const struct fetch *fetch)
{
    return fetch->has_failed || atomic_load(fetch->stop);
}

/* --- a worker -------------------------------------------------------------------------
 */

/* The next part of a layer that this worker fetches as a whole. False: it is over. */
static bool go_on(struct fetch_worker *worker)
{
    struct fetch *fetch = worker->fetch;
    struct window *window = &fetch->window;
    struct window_part *part = NULL;

    if (worker->way != FETCH_REST)
        return false;
    (void)pthread_mutex_lock(&window->lock);
    while (!is_over(fetch) && !(part = window_next_part(window, worker->layer)))
        (void)pthread_cond_wait(&window->writable, &window->lock);
    (void)pthread_mutex_unlock(&window->lock);
    worker->part = part;
    worker->room = part ? part->size : 0;
    return part;
}

/* Memory is taken when there is something to put into it. */
static bool make_room(struct window_part *part)
{
    if (part->capacity >= part->size)
        return true;
    free(part->data);
    part->data = malloc(part->size);
    part->capacity = part->data ? part->size : 0;
    return part->data;
}

static void tell_filled(struct fetch_worker *worker, size_t n)
{
    struct window *window = &worker->fetch->window;

    (void)pthread_mutex_lock(&window->lock);
    worker->part->filled += n;
    worker->room -= n;
    (void)pthread_cond_signal(&window->readable);
    if (worker->way == FETCH_PART && !window->has_ranges) {
        window->has_ranges = true;
        (void)pthread_cond_broadcast(&window->writable);
    }
    (void)atomic_fetch_add(&worker->fetch->arrived, n);
    (void)pthread_mutex_unlock(&window->lock);
}

/* The sink of registry_fetch(). */
static bool take(void *arg, const void *data, size_t size)
{
    struct fetch_worker *worker = arg;
    size_t skipped = size < worker->skip ? size : (size_t)worker->skip;
    const char *from = (const char *)data + skipped;

    worker->skip -= skipped;
    for (size -= skipped; size > 0;) {
        struct window_part *part;
        size_t n;

        if (worker->room == 0 && !go_on(worker))
            return false;
        part = worker->part;
        n = size < worker->room ? size : worker->room;
        if (!make_room(part))
            return false;
        memcpy(part->data + part->filled, from, n);
        tell_filled(worker, n);
        from += n;
        size -= n;
    }
    /* Of a whole layer fetched for one part of it the rest is not wanted. */
    return worker->way != FETCH_WHOLE || worker->room > 0;
}

static int fetch_some(struct fetch_worker *worker, bool *ret_ranged,
                      struct vitrine_error *err)
{
    struct window_part *part = worker->part;
    struct registry_part asked = {.blob = &part->layer->blob,
                                  .shortcut = &part->layer->shortcut,
                                  .sink = take,
                                  .arg = worker};

    if (worker->way == FETCH_PART) {
        asked.start = part->offset;
        asked.size = part->size;
    }
    worker->skip = worker->way == FETCH_PART ? 0 : part->offset + part->filled;
    return registry_fetch(worker->link, &asked, ret_ranged, err);
}

/* Without the lock. */
static int fetch_part(struct fetch_worker *worker, bool rest, struct vitrine_error *err)
{
    struct window *window = &worker->fetch->window;
    const struct window_layer *layer = worker->layer;
    bool ranged = true;
    int rc;

    if (rest)
        worker->way = FETCH_REST;
    else if (layer->blob.size <= LIMIT_FETCH_PART)
        worker->way = FETCH_SMALL;
    else
        worker->way = FETCH_PART;
    if (layer->blob.size == 0)
        return 0;
    rc = fetch_some(worker, &ranged, err);
    if (rc == 0 && worker->room > 0 && !ranged && worker->way == FETCH_PART) {
        (void)pthread_mutex_lock(&window->lock);
        rest = window_refuse_parts(window, worker->part);
        (void)pthread_mutex_unlock(&window->lock);
        worker->way = rest ? FETCH_REST : FETCH_WHOLE;
        rc = fetch_some(worker, &ranged, err);
    }
    if (rc == 0 && worker->part && worker->room == 0)
        return 0;
    if (rc == 0 && atomic_load(worker->fetch->stop))
        return error_from(err, VITRINE_EINTERNAL, -ECANCELED, "it was ended before");
    if (rc == 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "no memory for a layer");
    return vitrine_wrap(err, "layer %.19s", layer->blob.digest);
}

/* With the lock. */
static struct window_part *next_part(struct fetch *fetch, bool *ret_rest)
{
    struct window_part *part = NULL;

    while (!is_over(fetch) && !(part = window_take_part(&fetch->window, ret_rest)))
        (void)pthread_cond_wait(&fetch->window.writable, &fetch->window.lock);
    return part;
}

static void *work(void *arg)
{
    struct fetch_worker *worker = arg;
    struct fetch *fetch = worker->fetch;
    struct window *window = &fetch->window;
    struct vitrine_error err = {0};
    bool rest;

    (void)pthread_mutex_lock(&window->lock);
    while ((worker->part = next_part(fetch, &rest))) {
        neg_errno hashed = 0;
        int rc;

        worker->layer = worker->part->layer;
        worker->room = worker->part->size;
        (void)pthread_mutex_unlock(&window->lock);
        rc = fetch_part(worker, rest, &err);
        (void)pthread_mutex_lock(&window->lock);
        (void)pthread_cond_signal(&window->readable); /* also for a part of no bytes */
        while (rc == 0 && !is_over(fetch) && (hashed = window_hash(window)) > 0)
            ;
        if (hashed < 0)
            rc = error_from(&err, VITRINE_EINTERNAL, hashed, "a layer's digest");
        if (rc < 0) {
            fail(fetch, &err);
            break;
        }
    }
    (void)pthread_mutex_unlock(&window->lock);
    return NULL;
}

/* --- the owner ------------------------------------------------------------------------
 */

struct fetch *fetch_new(struct registry *registry, atomic_bool *stop,
                        struct vitrine_error *err)
{
    struct fetch *fetch = calloc(1, sizeof(*fetch));

    if (!fetch || window_init(&fetch->window) < 0) {
        free(fetch);
        (void)vitrine_fail_sys(err, VITRINE_EINTERNAL, "no memory to fetch layers");
        return NULL;
    }
    fetch->registry = registry;
    fetch->stop = stop;
    return fetch;
}

void fetch_stop(struct fetch *fetch)
{
    atomic_store(fetch->stop, true);
    (void)pthread_mutex_lock(&fetch->window.lock);
    (void)pthread_cond_broadcast(&fetch->window.readable);
    (void)pthread_cond_broadcast(&fetch->window.writable);
    (void)pthread_mutex_unlock(&fetch->window.lock);
}

void fetch_free(struct fetch *fetch)
{
    if (!fetch)
        return;
    fetch_stop(fetch);
    for (size_t i = 0; i < fetch->nworkers; i++) {
        (void)pthread_join(fetch->workers[i].thread, NULL);
        registry_link_close(fetch->workers[i].link);
    }
    window_done(&fetch->window);
    free(fetch);
}

/* Signals are for threads of the program. */
static int start_worker(struct fetch *fetch, struct vitrine_error *err)
{
    struct fetch_worker *worker = &fetch->workers[fetch->nworkers];
    sigset_t all, old;
    int rc;

    if (registry_link_open(fetch->registry, false, &worker->link, err) < 0)
        return -1;
    worker->fetch = fetch;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&worker->thread, NULL, work, worker);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        registry_link_close(worker->link);
        return error_from(err, VITRINE_EINTERNAL, -rc, "a thread to fetch layers");
    }
    fetch->nworkers++;
    return 0;
}

int fetch_want(struct fetch *fetch, const struct manifest_blob *layers, size_t n,
               struct vitrine_error *err)
{
    struct window *window = &fetch->window;
    neg_errno rc = 0;
    size_t workers;

    (void)pthread_mutex_lock(&window->lock);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = window_add(window, &layers[i]);
    workers = window_work(window);
    (void)pthread_cond_broadcast(&window->writable);
    (void)pthread_mutex_unlock(&window->lock);
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "to note a layer");
    while (fetch->nworkers < workers)
        if (start_worker(fetch, err) < 0)
            return -1;
    return 0;
}

uint64_t fetch_arrived(struct fetch *fetch)
{
    return atomic_load(&fetch->arrived);
}

/* --- the reader -----------------------------------------------------------------------
 */

static int check_layer(const struct window_layer *layer, struct vitrine_error *err)
{
    if (strcmp(layer->blob.digest, layer->found) == 0)
        return 0;
    return vitrine_fail(err, VITRINE_EFORMAT,
                        "the registry gives other bytes as layer %s than it must: their "
                        "digest is %s",
                        layer->blob.digest, layer->found);
}

/* 1: there is something in *ret. 0: wait. With the lock, as those below. */
static int read_part(struct fetch *fetch, const void **ret_data, size_t *ret_size,
                     struct vitrine_error *err)
{
    struct window *window = &fetch->window;
    struct window_part *part = window_head(window);
    const struct window_layer *layer;
    bool is_last;

    if (!part)
        return window->at ? 0
                          : vitrine_fail(err, VITRINE_EINTERNAL,
                                         "no layer is announced that could be read");
    part->read += fetch->given;
    fetch->given = part->filled - part->read;
    if (fetch->given > 0) {
        *ret_data = part->data + part->read;
        *ret_size = fetch->given;
        return 1;
    }
    if (!part->is_hashed)
        return 0;
    layer = part->layer;
    is_last = window_ends_layer(part);
    window_pop(window);
    if (!is_last)
        return read_part(fetch, ret_data, ret_size, err);
    *ret_size = 0;
    return check_layer(layer, err) < 0 ? -1 : 1;
}

/* What was read, and is not hashed yet, the reader hashes himself. */
static int wait_or_hash(struct fetch *fetch, struct vitrine_error *err)
{
    struct window *window = &fetch->window;
    const struct window_part *part = window_head(window);
    neg_errno rc = 0;

    if (part && part->filled == part->size)
        rc = window_hash(window);
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "a layer's digest");
    if (rc == 0)
        (void)pthread_cond_wait(&window->readable, &window->lock);
    return 0;
}

int fetch_read(struct fetch *fetch, const void **ret_data, size_t *ret_size,
               struct vitrine_error *err)
{
    struct vitrine_error why = {0};
    int rc = 0;

    (void)pthread_mutex_lock(&fetch->window.lock);
    while (rc == 0) {
        if (fetch->has_failed) {
            rc = -1;
        } else if (atomic_load(fetch->stop)) {
            rc = error_from(&why, VITRINE_EINTERNAL, -ECANCELED, "it was ended before");
        } else {
            rc = read_part(fetch, ret_data, ret_size, &why);
            if (rc == 0)
                rc = wait_or_hash(fetch, &why);
        }
    }
    if (rc < 0) {
        fail(fetch, &why);
        if (err)
            *err = fetch->err;
    }
    (void)pthread_mutex_unlock(&fetch->window.lock);
    return rc < 0 ? -1 : 0;
}
