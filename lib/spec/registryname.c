/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user or as root, on texts that a user wrote. Only looks at the text. */
#include "spec/registryname.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#define DNS_NAME_MAX 253

int registryname_fail(struct vitrine_error *err, const char *fmt, ...)
{
    char text[sizeof(err->text)];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return vitrine_fail(err, VITRINE_EUSAGE, "%s", text);
}

int span_shown(struct span span)
{
    return span.len < REGISTRYNAME_SHOWN ? (int)span.len : REGISTRYNAME_SHOWN;
}

size_t span_run(struct span span, const char *accepted)
{
    size_t n = 0;

    while (n < span.len && span.text[n] && strchr(accepted, span.text[n]))
        n++;
    return n;
}

struct span span_skip(struct span span, size_t n)
{
    return (struct span){span.text + n, span.len - n};
}

const char *span_find(struct span span, char c)
{
    return memchr(span.text, c, span.len);
}

const char *span_find_last(struct span span, char c)
{
    return memrchr(span.text, c, span.len);
}

struct span span_cut(struct span *span, const char *at)
{
    struct span behind = span_skip(*span, (size_t)(at + 1 - span->text));

    span->len = (size_t)(at - span->text);
    return behind;
}

void span_copy(char *ret, struct span span)
{
    memcpy(ret, span.text, span.len);
    ret[span.len] = '\0';
}

/* --- hosts --- */

bool registryname_is_host(struct span span)
{
    if (span.len == 0 || !(isalnum((unsigned char)span.text[0]) || span.text[0] == '['))
        return false;
    return span_find(span, '.') || span_find(span, ':') ||
           (span.len == 9 && strncasecmp(span.text, "localhost", 9) == 0);
}

static int check_port(struct span port, struct vitrine_error *err)
{
    unsigned long value = 0;

    for (size_t i = 0; i < port.len && value <= 65535; i++) {
        if (!isdigit((unsigned char)port.text[i]))
            return registryname_fail(err, "'%.*s' is not a port", span_shown(port),
                                     port.text);
        value = value * 10 + (unsigned long)(port.text[i] - '0');
    }
    if (port.len == 0)
        return registryname_fail(err, "the port behind the registry's name is empty");
    if (value == 0 || value > 65535)
        return registryname_fail(err, "%.*s is not a port; they go from 1 to 65535",
                                 span_shown(port), port.text);
    return 0;
}

/* At "[...": *ret_len is up to the bracket. */
static int check_ipv6(struct span host, size_t *ret_len, struct vitrine_error *err)
{
    const char *end = span_find(host, ']');
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    size_t n = end ? (size_t)(end - host.text - 1) : 0;

    if (n > 0 && n < sizeof(text)) {
        span_copy(text, (struct span){host.text + 1, n});
        if (inet_pton(AF_INET6, text, &address) == 1) {
            *ret_len = n + 2;
            return 0;
        }
    }
    return registryname_fail(err, "'%.*s' is not an IPv6 address in brackets",
                             span_shown(host), host.text);
}

/* Components of letters, digits and inner hyphens. */
static int check_dns_name(struct span name, struct vitrine_error *err)
{
    struct span rest = name;

    if (name.len > DNS_NAME_MAX)
        return registryname_fail(err, "the registry's name is longer than %d bytes",
                                 DNS_NAME_MAX);
    for (;;) {
        size_t n = span_run(rest, LOWER UPPER DIGITS "-");

        if (n == 0 || rest.text[0] == '-' || rest.text[n - 1] == '-' ||
            (n < rest.len && rest.text[n] != '.'))
            return registryname_fail(err, "'%.*s' is not the name of a host",
                                     span_shown(name), name.text);
        if (n == rest.len)
            return 0;
        rest = span_skip(rest, n + 1);
    }
}

int registryname_host(struct span host, struct registryref *ret,
                      struct vitrine_error *err)
{
    const char *colon;
    size_t n = 0;

    if (host.len == 0)
        return registryname_fail(err, "the registry's name is empty");
    if (host.text[0] == '[') {
        if (check_ipv6(host, &n, err) < 0)
            return -1;
        if (n < host.len && host.text[n] != ':')
            return registryname_fail(
                err,
                "there is something between the address and the port of "
                "'%.*s'",
                span_shown(host), host.text);
        colon = n < host.len ? host.text + n : NULL;
    } else {
        colon = span_find(host, ':');
        n = colon ? (size_t)(colon - host.text) : host.len;
        if (check_dns_name((struct span){host.text, n}, err) < 0)
            return -1;
    }
    if (colon && check_port(span_skip(host, n + 1), err) < 0)
        return -1;
    if (host.len >= sizeof(ret->host))
        return registryname_fail(err, "the registry's name is too long");
    span_copy(ret->host, host);
    for (char *p = ret->host; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    if (strcmp(ret->host, "index." REGISTRYNAME_HUB) == 0 ||
        strcmp(ret->host, "registry-1." REGISTRYNAME_HUB) == 0)
        (void)strcpy(ret->host, REGISTRYNAME_HUB);
    return 0;
}

/* --- names, tags, digests --- */

/* One component of a repository's name: letters and digits, with one of '.', '_', '__'
 * or any number of '-' between them. */
static size_t component(struct span name)
{
    size_t n = span_run(name, LOWER DIGITS);

    while (n > 0 && n < name.len) {
        struct span rest = span_skip(name, n);
        size_t hyphens = span_run(rest, "-"), unders = span_run(rest, "_");
        size_t between = rest.text[0] == '.'          ? 1
                         : hyphens > 0                ? hyphens
                         : unders == 1 || unders == 2 ? unders
                                                      : 0;
        size_t more = between ? span_run(span_skip(rest, between), LOWER DIGITS) : 0;

        if (more == 0)
            break;
        n += between + more;
    }
    return n;
}

static int fail_name(struct span name, size_t at, struct vitrine_error *err)
{
    unsigned char c = at < name.len ? (unsigned char)name.text[at] : '/';

    if (span_run(name, LOWER DIGITS "._-/" UPPER) == name.len &&
        span_run(name, LOWER DIGITS "._-/") < name.len)
        return registryname_fail(
            err,
            "the repository '%.*s' has letters in upper case; registries know "
            "lower case only",
            span_shown(name), name.text);
    if (isspace(c) || c < 0x20 || c >= 0x7f)
        return registryname_fail(
            err,
            "byte %zu of the repository '%.*s' is %s; its name consists of a-z, "
            "0-9 and '.', '_', '-', '/' between them",
            at + 1, span_shown(name), name.text,
            isspace(c) ? "white space" : "no ASCII character");
    if (c == '/')
        return registryname_fail(err, "the repository '%.*s' has an empty part",
                                 span_shown(name), name.text);
    return registryname_fail(
        err,
        "'%c' cannot stand where it does in the repository '%.*s'; its name "
        "consists of a-z, 0-9 and single '.', '_', '-', '/' between them",
        c, span_shown(name), name.text);
}

int registryname_repository(struct span name, struct registryref *ret,
                            struct vitrine_error *err)
{
    bool hub = strcmp(ret->host, REGISTRYNAME_HUB) == 0 && !span_find(name, '/');
    size_t at = 0;

    if (name.len == 0)
        return registryname_fail(err, "the repository is empty");
    if (name.len + (hub ? strlen("library/") : 0) >= sizeof(ret->repository))
        return registryname_fail(err, "the repository's name is longer than %zu bytes",
                                 sizeof(ret->repository) - 1);
    for (;;) {
        size_t n = component(span_skip(name, at));

        at += n;
        if (n == 0 || (at < name.len && name.text[at] != '/'))
            return fail_name(name, at, err);
        if (at++ == name.len)
            break;
    }
    (void)snprintf(ret->repository, sizeof(ret->repository), "%s%.*s",
                   hub ? "library/" : "", (int)name.len, name.text);
    return 0;
}

int registryname_tag(struct span tag, struct registryref *ret, struct vitrine_error *err)
{
    if (tag.len == 0)
        return registryname_fail(err, "the tag behind ':' is empty");
    if (tag.len >= sizeof(ret->tag))
        return registryname_fail(err, "the tag '%.*s...' is longer than %zu bytes", 40,
                                 tag.text, sizeof(ret->tag) - 1);
    if (tag.text[0] == '.' || tag.text[0] == '-' ||
        span_run(tag, LOWER UPPER DIGITS "._-") < tag.len)
        return registryname_fail(
            err,
            "'%.*s' is not a tag: those consist of letters, digits, '_', and "
            "'.' and '-' but at their start",
            span_shown(tag), tag.text);
    span_copy(ret->tag, tag);
    return 0;
}

bool registryname_is_digest(struct span span)
{
    return span.len == REGISTRYREF_DIGEST_MAX - 1 &&
           memcmp(span.text, "sha256:", 7) == 0 &&
           span_run(span_skip(span, 7), DIGITS "abcdef") == span.len - 7;
}

int registryname_digest(struct span digest, struct registryref *ret,
                        struct vitrine_error *err)
{
    const char *colon = span_find(digest, ':');

    if (registryname_is_digest(digest)) {
        span_copy(ret->digest, digest);
        return 0;
    }
    if (digest.len == 0)
        return registryname_fail(err, "the digest behind '@' is empty");
    if (!colon)
        return registryname_fail(
            err, "'%.*s' behind '@' is not a digest; those are sha256: and 64 digits",
            span_shown(digest), digest.text);
    if ((size_t)(colon - digest.text) != 6 || memcmp(digest.text, "sha256", 6) != 0)
        return registryname_fail(
            err, "the digest is of the algorithm '%.*s'; only sha256 is supported",
            span_shown((struct span){digest.text, (size_t)(colon - digest.text)}),
            digest.text);
    return registryname_fail(
        err,
        "the digest '%.*s' is not sha256: and 64 hexadecimal digits in lower "
        "case",
        span_shown(digest), digest.text);
}
