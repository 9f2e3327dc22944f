/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/closest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* Levenshtein's distance, letters of either case being equal. */
static size_t distance(const char *a, const char *b)
{
    size_t row[32], nb = strlen(b);

    if (strlen(a) >= 32 || nb >= 32)
        return 32;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < nb; j++) {
            bool same = tolower((unsigned char)a[i]) == tolower((unsigned char)b[j]);
            size_t best = diagonal + !same;

            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j + 1] + 1 < best)
                best = row[j + 1] + 1;
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    return row[nb];
}

const char *closest_name(const char *word, const char *const *names, size_t count)
{
    const char *closest = NULL;
    size_t least = 5;

    for (size_t i = 0; i < count; i++) {
        size_t d = distance(word, names[i]);

        if (d < least && d * 2 < strlen(names[i])) {
            least = d;
            closest = names[i];
        }
    }
    return closest;
}
