/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "imagefile/watch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define INTERVAL_NS (INT64_C(100) * 1000 * 1000)

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int watch_look(struct watch *watch, struct vitrine_error *err)
{
    const struct vitrine_watch *told = watch->told;

    if (!told)
        return 0;
    if (told->cancelled && told->cancelled(told->arg))
        return error_from(err, VITRINE_EINTERNAL, -ECANCELED, "it was ended before");
    if (!told->progress)
        return 0;
    int64_t now = now_ns();
    if (now >= watch->next_ns) {
        watch->next_ns = now + INTERVAL_NS;
        told->progress(told->arg, &watch->progress);
    }
    return 0;
}

void watch_end(struct watch *watch)
{
    if (watch->told && watch->told->progress)
        watch->told->progress(watch->told->arg, &watch->progress);
}

void watch_remark(const struct watch *watch, const char *fmt, ...)
{
    char line[1024];
    va_list ap;

    if (!watch->told || !watch->told->remark)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    watch->told->remark(watch->told->arg, line);
}
