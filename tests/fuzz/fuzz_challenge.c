/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* WWW-Authenticate: what is understood is printable, and reads the same when written. */
#include "registry/challenge.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

static size_t quote(char *to, const char *text)
{
    size_t n = 0;

    to[n++] = '"';
    for (; *text; text++) {
        claim((unsigned char)*text >= 0x20 && *text != 0x7f);
        if (*text == '"' || *text == '\\')
            to[n++] = '\\';
        to[n++] = *text;
    }
    to[n++] = '"';
    return n;
}

static void check(const struct challenge *challenge)
{
    static const char *const schemes[] = {"Negotiate abc==", "Basic", "Bearer"};
    char text[2 * sizeof(challenge->realm) + 2 * sizeof(challenge->service) + 64];
    struct challenge again;
    size_t n = (size_t)sprintf(text, "Digest x=1, %s", schemes[challenge->scheme]);

    if (challenge->scheme != CHALLENGE_NONE) {
        n += (size_t)sprintf(text + n, " realm=");
        n += quote(text + n, challenge->realm);
        n += (size_t)sprintf(text + n, " , SERVICE = ");
        n += quote(text + n, challenge->service);
    }
    text[n] = '\0';
    challenge_parse(text, &again);
    claim(again.scheme == challenge->scheme);
    claim(strcmp(again.realm, challenge->realm) == 0);
    claim(strcmp(again.service, challenge->service) == 0);
    claim(again.scheme != CHALLENGE_BEARER || again.realm[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct challenge challenge;
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    challenge_parse(text, &challenge);
    check(&challenge);
    free(text);
    return 0;
}
