/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGEFILE_WATCH_H
#define VITRINE_IMAGEFILE_WATCH_H

/* What the caller of a long call is told while it runs, by his own thread alone. */
#include "base/error.h"
#include "vitrine-import.h"

struct watch {
    const struct vitrine_watch *told; /* may be NULL */
    struct vitrine_progress progress;
    int64_t next_ns; /* CLOCK_MONOTONIC: when to tell again */
};

/* Tells the progress if it is time to; -1 and *err if the caller wants no more. */
int watch_look(struct watch *watch, struct vitrine_error *err);
/* Tells it once more. */
void watch_end(struct watch *watch);
void watch_remark(const struct watch *watch, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
