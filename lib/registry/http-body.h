/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_HTTP_BODY_H
#define VITRINE_REGISTRY_HTTP_BODY_H

/* What an answer says, as libcurl hands it out: headers, then a body that may be a part.
 */
#include "registry/http.h"

#include <curl/curl.h>

struct http_body {
    CURL *http;
    const struct http_request *request;
    struct http_answer *answer;
    uint64_t taken; /* of the body, in all tries and by earlier requests */
    /* Of this exchange. */
    uint64_t from;    /* the first byte that was asked for */
    uint64_t skip;    /* what comes though it was there before */
    uint64_t dropped; /* of the body of an error */
    uint64_t part;    /* where Content-Range says that the answer begins */
    size_t header_bytes, capacity;
    bool at_origin; /* the host answers that the request was for */
    bool begun;     /* the status is known, and what to do with the body */
    bool has_part;
    /* Why it was cut off. */
    bool ended;      /* the sink, or nothing more is worth reading */
    bool too_long;   /* more than the limit */
    bool bad_header; /* too many, or too strange */
    bool no_memory;
    bool broken; /* less came than must */
};

/* Before each exchange. */
void http_body_begin(struct http_body *body, bool at_origin);
bool http_body_wants_range(const struct http_body *body);

/* CURLOPT_HEADERFUNCTION and CURLOPT_WRITEFUNCTION; `arg` is the struct http_body. */
size_t http_body_header(char *data, size_t one, size_t size, void *arg);
size_t http_body_write(char *data, size_t one, size_t size, void *arg);

/* Whether libcurl's complaint of a failed write is none. */
bool http_body_ended(const struct http_body *body);

/* After an exchange that failed: -1 and *err if another try would fail, too. */
int http_body_fail(const struct http_body *body, const char *url,
                   struct vitrine_error *err);

/* After one that did not: sets `broken`. */
int http_body_finish(struct http_body *body, struct vitrine_error *err);

#endif
