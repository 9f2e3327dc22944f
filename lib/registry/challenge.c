/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Schemes and their parameters are separated by the same comma: "Basic realm="a", Bearer
 * realm="b",service="c"". A word is a parameter's name if "=" and a value follow, and a
 * scheme otherwise; "Negotiate abc==" has one word without a name.
 */
#include "registry/challenge.h"

#include <string.h>
#include <strings.h>

struct reader {
    const char *at;
    struct challenge one; /* what is being read */
    bool is_bad;          /* with a value that cannot be used */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_space(struct reader *r)
{
    while (is_space(*r->at))
        r->at++;
}

static bool is_word(char c)
{
    return (unsigned char)c > 0x20 && c != 0x7f && !strchr("=,\"\\", c);
}

/* Keeps the better one. */
static void finish(struct reader *r, struct challenge *best)
{
    if (!r->is_bad && r->one.scheme > best->scheme &&
        (r->one.scheme != CHALLENGE_BEARER || r->one.realm[0]))
        *best = r->one;
    memset(&r->one, 0, sizeof(r->one));
    r->is_bad = false;
}

static void start(struct reader *r, const char *name, size_t n)
{
    if (n == 5 && strncasecmp(name, "basic", n) == 0)
        r->one.scheme = CHALLENGE_BASIC;
    else if (n == 6 && strncasecmp(name, "bearer", n) == 0)
        r->one.scheme = CHALLENGE_BEARER;
}

/* The next byte of a value; '\0' at its end. */
static char next_of_value(struct reader *r, bool quoted)
{
    char c = *r->at;

    if (c == '\0' || (quoted && c == '"') || (!quoted && (c == ',' || is_space(c))))
        return '\0';
    if (quoted && c == '\\' && r->at[1])
        c = *++r->at;
    r->at++;
    return c;
}

/* Into buf, or nowhere if that is NULL. */
static void read_value(struct reader *r, char *buf, size_t size)
{
    bool quoted = *r->at == '"';
    size_t n = 0;
    char c;

    r->at += quoted;
    while ((c = next_of_value(r, quoted))) {
        if ((unsigned char)c < 0x20 || c == 0x7f || (buf && n + 1 >= size))
            r->is_bad = true;
        else if (buf)
            buf[n++] = c;
    }
    if (buf)
        buf[n] = '\0';
    if (quoted && *r->at == '"')
        r->at++;
    else if (quoted)
        r->is_bad = true;
}

static void read_parameter(struct reader *r, const char *name, size_t n)
{
    if (n == 5 && strncasecmp(name, "realm", n) == 0)
        read_value(r, r->one.realm, sizeof(r->one.realm));
    else if (n == 7 && strncasecmp(name, "service", n) == 0)
        read_value(r, r->one.service, sizeof(r->one.service));
    else
        read_value(r, NULL, 0);
}

void challenge_parse(const char *header, struct challenge *ret)
{
    struct challenge best = {.scheme = CHALLENGE_NONE};
    struct reader r = {.at = header};
    bool after_scheme = false;

    while (*r.at) {
        const char *name = r.at;
        size_t n;

        while (is_word(*r.at))
            r.at++;
        n = (size_t)(r.at - name);
        skip_space(&r);
        if (n > 0 && *r.at == '=' && !strchr("=,", r.at[1])) {
            r.at++;
            skip_space(&r);
            read_parameter(&r, name, n);
            after_scheme = false;
        } else if (n > 0 && !after_scheme) {
            finish(&r, &best);
            start(&r, name, n);
            after_scheme = true;
            continue; /* what comes next may belong to it */
        } else if (*r.at && *r.at != ',') {
            r.at++; /* of a word without a name, or nothing known */
            continue;
        }
        if (*r.at == ',') {
            after_scheme = false;
            r.at++;
        }
        skip_space(&r);
    }
    finish(&r, &best);
    *ret = best;
}
