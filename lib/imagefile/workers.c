/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "imagefile/workers.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define THREADS_MAX 16U

/* What waits holds a descriptor each when files are unpacked; enough for all threads to
 * have work. */
#define QUEUE 64U

/* How long is a moment: who waits looks after his caller in between. */
#define MOMENT_NS (50L * 1000 * 1000)

struct workers {
    workers_f work;
    void *arg;
    size_t scratch_size;
    pthread_mutex_t lock;
    pthread_cond_t wanted, changed;
    void *queue[QUEUE];
    unsigned first, waiting, busy;
    bool ends;
    unsigned nthreads;
    struct workers_thread {
        struct workers *workers;
        pthread_t thread;
        void *scratch;
    } threads[THREADS_MAX];
};

unsigned workers_wanted(void)
{
    cpu_set_t cpus;
    unsigned n = 1;

    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
        n = (unsigned)CPU_COUNT(&cpus);
    return n < THREADS_MAX ? n : THREADS_MAX;
}

static void *run(void *arg)
{
    const struct workers_thread *own = arg;
    struct workers *w = own->workers;

    (void)pthread_mutex_lock(&w->lock);
    for (;;) {
        while (w->waiting == 0 && !w->ends)
            (void)pthread_cond_wait(&w->wanted, &w->lock);
        if (w->waiting == 0)
            break;
        void *item = w->queue[w->first];
        w->first = (w->first + 1) % QUEUE;
        w->waiting--;
        w->busy++;
        (void)pthread_cond_signal(&w->changed);
        (void)pthread_mutex_unlock(&w->lock);
        w->work(w->arg, item, own->scratch);
        (void)pthread_mutex_lock(&w->lock);
        w->busy--;
        (void)pthread_cond_signal(&w->changed);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Signals are for the thread of the caller. */
static int start_threads(struct workers *w, unsigned wanted)
{
    sigset_t all, old;
    int rc = 0;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    for (; rc == 0 && w->nthreads < wanted; w->nthreads++) {
        struct workers_thread *own = &w->threads[w->nthreads];

        own->workers = w;
        own->scratch = malloc(w->scratch_size);
        rc = own->scratch ? pthread_create(&own->thread, NULL, run, own) : ENOMEM;
        if (rc != 0) {
            free(own->scratch);
            break;
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    /* Some are as good as all of them. */
    return w->nthreads > 0 ? 0 : rc;
}

struct workers *workers_start(workers_f work, void *arg, size_t scratch_size)
{
    struct workers *w = calloc(1, sizeof(*w));
    pthread_condattr_t attr;

    if (!w)
        return NULL;
    w->work = work;
    w->arg = arg;
    w->scratch_size = scratch_size;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->wanted, NULL);
    (void)pthread_cond_init(&w->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    int rc = start_threads(w, workers_wanted());
    if (rc != 0) {
        workers_end(w);
        errno = rc;
        return NULL;
    }
    return w;
}

/* Waits until no more than so many wait and work, but not for long. */
static bool settle(struct workers *w, unsigned waiting, unsigned busy)
{
    struct timespec until;
    int rc = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += MOMENT_NS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&w->lock);
    while (rc == 0 && (w->waiting > waiting || w->busy > busy))
        rc = pthread_cond_timedwait(&w->changed, &w->lock, &until);
    bool settled = w->waiting <= waiting && w->busy <= busy;
    (void)pthread_mutex_unlock(&w->lock);
    return settled;
}

bool workers_have_room(struct workers *workers)
{
    return settle(workers, QUEUE - 1, THREADS_MAX);
}

bool workers_are_idle(struct workers *workers)
{
    return settle(workers, 0, 0);
}

void workers_add(struct workers *workers, void *item)
{
    struct workers *w = workers;

    (void)pthread_mutex_lock(&w->lock);
    while (w->waiting == QUEUE)
        (void)pthread_cond_wait(&w->changed, &w->lock);
    w->queue[(w->first + w->waiting) % QUEUE] = item;
    w->waiting++;
    (void)pthread_cond_signal(&w->wanted);
    (void)pthread_mutex_unlock(&w->lock);
}

void workers_end(struct workers *workers)
{
    struct workers *w = workers;

    if (!w)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->ends = true;
    (void)pthread_cond_broadcast(&w->wanted);
    (void)pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->nthreads; i++) {
        (void)pthread_join(w->threads[i].thread, NULL);
        free(w->threads[i].scratch);
    }
    (void)pthread_cond_destroy(&w->wanted);
    (void)pthread_cond_destroy(&w->changed);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}
