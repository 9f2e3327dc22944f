/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user, in programs that write SquashFS files. */
#include "sqfswrite/place.h"

#include <string.h>

int place_wrap(const struct place *place, struct vitrine_error *err)
{
    char text[512];
    size_t at = sizeof(text) - 1;

    text[at] = '\0';
    for (; place && place->up; place = place->up) {
        size_t len = strlen(place->name);

        if (len + 1 > at)
            break;
        at -= len;
        memcpy(text + at, place->name, len);
        text[--at] = '/';
    }
    /* What does not fit is cut at the front. */
    return vitrine_wrap(err, "%s%s", place && place->up ? "..." : "",
                        text[at] ? text + at : "/");
}
