/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user in srun, sbatch and salloc, and in tasks, on what a user may have
 * written. */
#include "pin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_LENGTH (VITRINE_DIGEST_MAX - 1)

/* Whether a line begins with a digest and a blank; the reference is behind them. */
static bool is_pin(const char *line, size_t len)
{
    static const char algorithm[] = "sha256:";
    size_t n = strlen(algorithm);

    return len > DIGEST_LENGTH + 1 && memcmp(line, algorithm, n) == 0 &&
           strspn(line + n, "0123456789abcdef") == DIGEST_LENGTH - n &&
           line[DIGEST_LENGTH] == ' ';
}

static bool is_pin_of(const char *line, size_t len, const char *reference)
{
    return is_pin(line, len) && strlen(reference) == len - DIGEST_LENGTH - 1 &&
           memcmp(line + DIGEST_LENGTH + 1, reference, len - DIGEST_LENGTH - 1) == 0;
}

bool pin_find(const char *value, const char *reference, char ret[VITRINE_DIGEST_MAX])
{
    for (const char *line = value; line && *line;) {
        size_t len = strcspn(line, "\n");

        if (is_pin_of(line, len, reference)) {
            memcpy(ret, line, DIGEST_LENGTH);
            ret[DIGEST_LENGTH] = '\0';
            return true;
        }
        line += len + (line[len] == '\n');
    }
    return false;
}

char *pin_add(const char *value, const char *reference, const char *digest)
{
    size_t size = (value ? strlen(value) : 0) + strlen(reference) + DIGEST_LENGTH + 3;
    size_t own = strlen(reference) + DIGEST_LENGTH + 1, used = 0;
    char *text = malloc(size);

    if (!text)
        return NULL;
    for (const char *line = value; line && *line;) {
        size_t len = strcspn(line, "\n"), rest = strlen(line);

        if (is_pin(line, len) && !is_pin_of(line, len, reference) &&
            rest + own + 1 < PIN_MAX) {
            memcpy(text + used, line, len);
            used += len;
            text[used++] = '\n';
        }
        line += len + (line[len] == '\n');
    }
    (void)snprintf(text + used, size - used, "%.*s %s", (int)DIGEST_LENGTH, digest,
                   reference);
    return text;
}
