/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_HTTP_URL_H
#define VITRINE_REGISTRY_HTTP_URL_H

/*
 * URLs, as libcurl itself takes them apart: were it another parser, the host that is
 * judged could be another one than the host that is asked.
 */
#include "base/error.h"

struct http_origin {
    bool https;
    char host[300];
    char port[8];
};

/* Fails for all but http and https, for URLs with a user or a password, and for those
 * that are none. */
int http_origin(const char *url, struct http_origin *ret);
bool http_same_origin(const char *a, const char *b);
/* The same host and scheme, at whatever port. */
bool http_same_host(const char *a, const char *b);
bool http_is_https(const char *url);

/* Whether an answer of `from` may lead to `to`; why not, if not. */
const char *http_redirect_refused(const char *from, const char *to, bool allow_http);

#endif
