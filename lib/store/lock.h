/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_STORE_LOCK_H
#define VITRINE_STORE_LOCK_H

/*
 * Who does a piece of work, on a file system without reliable locks: a file made with
 * O_EXCL, which says boot, process and its start, and whose time is renewed every few
 * seconds by a thread of the owner. It is only about not doing work twice: two owners are
 * never a mistake, since what they make is renamed into its place.
 *
 * An owner on the same host whose process has ended is stale at once, another one when
 * its time has stood still for LOCK_STALE_S seconds of the waiter's clock (so that clocks
 * of hosts need not agree). Who takes over makes another file with O_EXCL first, called
 * by what is random in the stale one.
 */
#include "store/store.h"

#define LOCK_BEAT_S  2
#define LOCK_STALE_S 30

#define LOCK_OWNER_MAX 320

/* What a waiter has seen so far; zeroed before the first call, and kept between calls. */
struct lock_watch {
    int64_t changed_ns; /* CLOCK_MONOTONIC when it was last seen to change; 0: never */
    int64_t mtime_ns;
    char owner[LOCK_OWNER_MAX]; /* the file's text */
    char host[256];             /* the owner's, printable, for messages */
};

struct lock;

/*
 * Tries to become the owner of `name`, also instead of one that is stale: then
 * *ret_taken_over is true. *ret NULL: somebody else is, who lives as far as we know.
 */
int lock_try(const struct store *store, const char *name, struct lock_watch *watch,
             struct lock **ret, bool *ret_taken_over, struct vitrine_error *err);

void lock_release(struct lock *lock); /* NULL: nothing */

/* Removes the file and nothing else, for a process that ends at once; any thread. */
void lock_abandon(const struct lock *lock);

#endif
