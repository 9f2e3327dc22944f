/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/feed.h"
#include "layers/inflate.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* Large enough that a change of threads costs nothing, and together not larger than what
 * caches hold. */
#define SLOT_SIZE ((size_t)256 * 1024)
#define SLOTS     16U

struct slot {
    uint8_t *data;
    size_t size; /* 0: a layer ends */
};

struct feed {
    struct source *source;
    const struct manifest_blob *layers;
    size_t n;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    struct slot slots[SLOTS];
    unsigned first, used; /* slots that are filled; the reader works on `first` */
    bool is_reading;      /* he does */
    bool stop;
    bool failed; /* then `err` says why */
    size_t layers_read;
    struct vitrine_error err;
    uint8_t *memory;
};

static int read_source(void *arg, const void **ret_data, size_t *ret_size,
                       struct vitrine_error *err)
{
    struct feed *feed = arg;

    return feed->source->ops->read(feed->source, ret_data, ret_size, err);
}

/* The next free slot; NULL: the reader wants no more. */
static struct slot *take_slot(struct feed *feed)
{
    struct slot *slot = NULL;

    (void)pthread_mutex_lock(&feed->lock);
    while (feed->used == SLOTS && !feed->stop)
        (void)pthread_cond_wait(&feed->emptied, &feed->lock);
    if (!feed->stop)
        slot = &feed->slots[(feed->first + feed->used) % SLOTS];
    (void)pthread_mutex_unlock(&feed->lock);
    return slot;
}

static void give_slot(struct feed *feed)
{
    (void)pthread_mutex_lock(&feed->lock);
    feed->used++;
    (void)pthread_cond_signal(&feed->filled);
    (void)pthread_mutex_unlock(&feed->lock);
}

/* 1: the reader wants no more. */
static int feed_layer(struct feed *feed, const struct manifest_blob *layer,
                      struct vitrine_error *err)
{
    const struct inflate_input input = {.read = read_source, .arg = feed};
    struct inflate *inflate = inflate_open(layer->compression, &input, err);
    struct slot *slot = NULL;
    int rc = inflate ? 0 : -1;

    do {
        slot = rc == 0 ? take_slot(feed) : NULL;
        if (!slot)
            break;
        rc = inflate_read(inflate, slot->data, SLOT_SIZE, &slot->size, err);
        if (rc == 0)
            give_slot(feed);
    } while (rc == 0 && slot->size > 0);
    inflate_close(inflate);
    return rc < 0 ? -1 : !slot;
}

static void *run(void *arg)
{
    struct feed *feed = arg;
    struct vitrine_error err = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < feed->n; i++) {
        rc = feed_layer(feed, &feed->layers[i], &err);
    }
    if (rc < 0) {
        (void)pthread_mutex_lock(&feed->lock);
        feed->err = err;
        feed->failed = true;
        (void)pthread_cond_signal(&feed->filled);
        (void)pthread_mutex_unlock(&feed->lock);
    }
    return NULL;
}

static void release(struct feed *feed)
{
    (void)pthread_cond_destroy(&feed->filled);
    (void)pthread_cond_destroy(&feed->emptied);
    (void)pthread_mutex_destroy(&feed->lock);
    free(feed->memory);
    free(feed);
}

struct feed *feed_start(struct source *source, const struct manifest_blob *layers,
                        size_t n, struct vitrine_error *err)
{
    struct feed *feed = calloc(1, sizeof(*feed));

    if (!feed || !(feed->memory = malloc(SLOTS * SLOT_SIZE))) {
        free(feed);
        (void)error_from(err, VITRINE_EINTERNAL, ENOMEM, "cannot read layers");
        return NULL;
    }
    feed->source = source;
    feed->layers = layers;
    feed->n = n;
    (void)pthread_mutex_init(&feed->lock, NULL);
    (void)pthread_cond_init(&feed->filled, NULL);
    (void)pthread_cond_init(&feed->emptied, NULL);
    for (unsigned i = 0; i < SLOTS; i++)
        feed->slots[i].data = feed->memory + i * SLOT_SIZE;
    if (source->ops->want(source, layers, n, err) < 0) {
        release(feed);
        return NULL;
    }
    errno = pthread_create(&feed->thread, NULL, run, feed);
    if (errno) {
        (void)vitrine_fail_sys(err, VITRINE_EINTERNAL, "no thread can be made");
        release(feed);
        return NULL;
    }
    return feed;
}

static void wait_for_data(struct feed *feed, unsigned patience_ms)
{
    struct timespec until;
    int rc = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)patience_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (feed->used == 0 && !feed->failed && rc == 0)
        rc = pthread_cond_timedwait(&feed->filled, &feed->lock, &until);
}

int feed_read(struct feed *feed, unsigned patience_ms, const void **ret_data,
              size_t *ret_size, struct vitrine_error *err)
{
    int rc = 0;

    (void)pthread_mutex_lock(&feed->lock);
    if (feed->is_reading) {
        feed->first = (feed->first + 1) % SLOTS;
        feed->used--;
        feed->is_reading = false;
        (void)pthread_cond_signal(&feed->emptied);
    }
    wait_for_data(feed, patience_ms);
    *ret_data = NULL;
    *ret_size = 0;
    if (feed->used > 0) {
        *ret_data = feed->slots[feed->first].data;
        *ret_size = feed->slots[feed->first].size;
        feed->is_reading = true;
        feed->layers_read += *ret_size == 0;
    } else if (feed->failed) {
        if (err)
            *err = feed->err;
        rc = -1;
    }
    (void)pthread_mutex_unlock(&feed->lock);
    return rc;
}

void feed_stop(struct feed *feed)
{
    if (!feed)
        return;
    (void)pthread_mutex_lock(&feed->lock);
    feed->stop = true;
    (void)pthread_cond_signal(&feed->emptied);
    /* Then the source may be wanted for more. */
    bool is_done = feed->failed || feed->layers_read == feed->n;
    (void)pthread_mutex_unlock(&feed->lock);
    if (!is_done)
        feed->source->ops->stop(feed->source);
    (void)pthread_join(feed->thread, NULL);
    release(feed);
}
