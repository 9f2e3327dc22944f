/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The error object: a code and one sentence in the caller's memory. It holds no pointer,
 * so it can lie in memory shared between processes, needs no free and cannot itself fail.
 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Control characters of a hostile path must not reach a terminal or forge a second line.
 */
static void error_make_printable(char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text, next = (unsigned char)text[1];

        /* In UTF-8 there are more of them: U+009B is what ESC [ is. */
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0))
            *text = '?';
        if (*text == '?' && c == 0xc2)
            *++text = '?';
    }
}

static void error_set(struct vitrine_error *err, enum vitrine_errcode code, int cause,
                      const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));

static void error_set(struct vitrine_error *err, enum vitrine_errcode code, int cause,
                      const char *fmt, va_list ap)
{
    size_t cap = sizeof(err->text);
    int n = vsnprintf(err->text, cap, fmt, ap);

    if (n >= 0 && (size_t)n < cap && cause)
        n += snprintf(err->text + n, cap - n, ": %s", strerror(cause));
    if (n < 0)
        err->text[0] = '\0';
    if (n >= 0 && (size_t)n >= cap)
        err->text[cap - 2] = '+';
    error_make_printable(err->text);
    err->code = code;
    err->sys_errno = cause;
}

int vitrine_fail(struct vitrine_error *err, enum vitrine_errcode code, const char *fmt,
                 ...)
{
    int saved = errno;
    va_list ap;

    if (err) {
        va_start(ap, fmt);
        error_set(err, code, 0, fmt, ap);
        va_end(ap);
    }
    errno = saved;
    return -1;
}

int vitrine_fail_sys(struct vitrine_error *err, enum vitrine_errcode code,
                     const char *fmt, ...)
{
    int saved = errno;
    va_list ap;

    if (err) {
        va_start(ap, fmt);
        error_set(err, code, saved, fmt, ap);
        va_end(ap);
    }
    errno = saved;
    return -1;
}

int error_from(struct vitrine_error *err, enum vitrine_errcode code, neg_errno cause,
               const char *fmt, ...)
{
    int saved = errno;
    va_list ap;

    if (err) {
        va_start(ap, fmt);
        error_set(err, code, cause < 0 ? -cause : cause, fmt, ap);
        va_end(ap);
    }
    errno = saved;
    return -1;
}

int vitrine_wrap(struct vitrine_error *err, const char *fmt, ...)
{
    int saved = errno;
    char inner[sizeof(err->text)];
    va_list ap;

    if (err) {
        memcpy(inner, err->text, sizeof(inner));
        va_start(ap, fmt);
        int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < sizeof(err->text))
            n += snprintf(err->text + n, sizeof(err->text) - n, ": %s", inner);
        if (n >= 0 && (size_t)n >= sizeof(err->text))
            err->text[sizeof(err->text) - 2] = '+';
        error_make_printable(err->text);
    }
    errno = saved;
    return -1;
}
