/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_HTTP_RETRY_H
#define VITRINE_REGISTRY_HTTP_RETRY_H

/* When a request is made once more, and when not. */
#include "registry/http.h"

#include <time.h>

struct http_retry {
    unsigned failures; /* in a row */
    uint64_t taken;    /* the most that there was of the body */
};

/* Seconds from a Retry-After header, a number or a date; 0 if it is neither, or over. */
unsigned http_retry_after(const char *value, time_t now);

bool http_is_transient(long status);

/*
 * After a failure: for how many ms to wait before the next try, or -1 to give up.
 * `after`: what Retry-After said, in seconds. `first` is the first pause, 0 for the
 * default.
 */
long http_next_pause(struct http_retry *retry, enum http_failure failure, uint64_t taken,
                     unsigned after, unsigned first);

#endif
