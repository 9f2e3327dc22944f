/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_HTTP_H
#define VITRINE_REGISTRY_HTTP_H

/*
 * Requests over HTTP: the only user of libcurl. Knows nothing of registries. Redirects
 * are followed here, by hand, so that an Authorization header never leaves its origin
 * (scheme, host, port) and HTTPS never becomes HTTP. Each transfer is retried (connection
 * failures, timeouts, 408, 429, 5xx) with growing, jittered pauses, at least what
 * Retry-After says, as long as that is reasonable; a body that broke off goes on with a
 * range request. Bodies are bounded by the caller.
 */
#include "base/error.h"
#include "vitrine-import.h"

#include <stdint.h>

struct http; /* connections; one thread at a time, many requests */

struct http_settings {
    const char *ca_file;        /* besides the system's; NULL */
    bool allow_http;            /* the administrator allows http:// to this registry */
    const char *const *environ; /* http_proxy, https_proxy, all_proxy, no_proxy (also in
                                   upper case but for http_proxy), SSL_CERT_FILE,
                                   SSL_CERT_DIR */
    const struct vitrine_watch *watch; /* asked whether to go on; told of retries only
                                          from the thread that owns it: may be NULL */
    const bool *stop;                  /* another way to end: set by another thread */
};

struct http_request {
    const char *url;
    const char *method;        /* "GET", "HEAD" or "POST" */
    const char *authorization; /* value of the header, or NULL */
    const char *accept;        /* or NULL */
    const char *body;          /* of a POST, application/x-www-form-urlencoded */
    uint64_t range_start;      /* with range_size > 0: only these bytes */
    uint64_t range_size;
    /*
     * Takes what comes of the body; returns false to end the transfer. Only bytes of a
     * 2xx answer come here, each once whatever was retried. NULL: the body goes to
     * http_answer.body, `limit` bytes at most.
     */
    bool (*sink)(void *arg, const void *data, size_t size);
    void *arg;
    uint64_t limit; /* more than so many bytes of body are an error */
};

struct http_answer {
    long status; /* of the last answer: 2xx, 401, 403, 404...; other errors are *err */
    bool ranged; /* the range was given (206), not the whole (200) */
    char *body;  /* NUL-terminated */
    size_t size;
    char content_type[256];
    char content_digest[128]; /* Docker-Content-Digest */
    char challenge[2048];     /* WWW-Authenticate, if the status is 401 */
    char location[2048];      /* the URL that answered in the end, if redirected */
};

struct http *http_open(const struct http_settings *settings, struct vitrine_error *err);
void http_close(struct http *http);

/* Free the answer's body with free(), also after an error. */
int http_get(struct http *http, const struct http_request *request,
             struct http_answer *ret, struct vitrine_error *err);

#endif
