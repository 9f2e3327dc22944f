/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/http-retry.h"
#include "base/limits.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_PAUSE 500

unsigned http_retry_after(const char *value, time_t now)
{
    time_t then;

    value += strspn(value, " \t");
    if (*value >= '0' && *value <= '9') {
        unsigned long n = strtoul(value, NULL, 10);

        return n > INT_MAX ? INT_MAX : (unsigned)n;
    }
    then = curl_getdate(value, NULL);
    if (then < 0 || then <= now)
        return 0;
    return then - now > INT_MAX ? INT_MAX : (unsigned)(then - now);
}

bool http_is_transient(long status)
{
    return status == 408 || status == 425 || status == 429 ||
           (status >= 500 && status <= 599 && status != 501 && status != 505);
}

/* Between half of it and all: nodes that failed together shall not return together. */
static long jitter(long ms)
{
    unsigned random = 0;

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        random = (unsigned)clock();
    return ms / 2 + (long)(random % (unsigned)(ms / 2 + 1));
}

long http_next_pause(struct http_retry *retry, enum http_failure failure, uint64_t taken,
                     unsigned after, unsigned first)
{
    bool nobody = failure == HTTP_UNREACHABLE || failure == HTTP_NO_TLS;
    unsigned tries = nobody ? LIMIT_HTTP_CONNECTS : LIMIT_HTTP_TRIES;
    long pause = first ? first : FIRST_PAUSE;

    if (failure == HTTP_STOPPED || failure == HTTP_UNTRUSTED || failure == HTTP_WRONG)
        return -1;
    if (taken > retry->taken && taken - retry->taken >= LIMIT_HTTP_PROGRESS)
        retry->failures = 0;
    if (taken > retry->taken)
        retry->taken = taken;
    if (++retry->failures >= tries || after > LIMIT_RETRY_AFTER)
        return -1;
    for (unsigned i = 1; i < retry->failures && pause < LIMIT_HTTP_PAUSE; i++)
        pause *= 2;
    if (pause > LIMIT_HTTP_PAUSE)
        pause = LIMIT_HTTP_PAUSE;
    return (long)after * 1000 + jitter(pause);
}
