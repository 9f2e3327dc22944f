/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_STORE_LOCK_H
#define VITRINE_STORE_LOCK_H

/*
 * Who does a piece of work, on a file system without reliable locks: a file made with
 * O_EXCL, which says host, boot, process and its start, and whose time is renewed every
 * few seconds by a thread of the owner. It is only about not doing work twice: two owners
 * are never a mistake, since what they make is renamed into its place.
 *
 * An owner on the same host whose process has ended is stale at once, another one when
 * its time has stood still for LOCK_STALE_S seconds of the waiter's clock (so that clocks
 * of hosts need not agree). To take over is a rename, which one succeeds in.
 */
#include "store/store.h"

#define LOCK_BEAT_S  2
#define LOCK_STALE_S 30

struct lock;

/* Tries to become the owner of `name`. *ret NULL: somebody else is. */
int lock_try(struct store *store, const char *name, struct lock **ret,
             struct vitrine_error *err);

/* Whether there is an owner who lives; told of a stale one by time only after watching it
 * with `watch`, which is zeroed before the first call. */
struct lock_watch {
    int64_t changed_ns; /* CLOCK_MONOTONIC when it was last seen to change */
    int64_t mtime_ns;
    uint64_t inode;
};
int lock_is_held(struct store *store, const char *name, struct lock_watch *watch,
                 bool *ret_held, struct vitrine_error *err);

void lock_release(struct lock *lock); /* NULL: nothing */

#endif
