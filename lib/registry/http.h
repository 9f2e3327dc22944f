/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_HTTP_H
#define VITRINE_REGISTRY_HTTP_H

/*
 * Requests over HTTP: the only user of libcurl. Knows nothing of registries. Redirects
 * are followed here, by hand, so that an Authorization header never leaves its origin
 * (scheme, host, port) and HTTPS becomes HTTP only with allow_http. Each transfer is
 * retried (connection failures, timeouts, 408, 429, 5xx) with growing, jittered pauses,
 * at least what Retry-After says, as long as that is reasonable; a body that broke off
 * goes on with a range request. Bodies are bounded by the caller.
 */
#include "base/error.h"
#include "vitrine-import.h"

#include <stdatomic.h>
#include <stdint.h>

struct http; /* connections; one thread at a time, many requests */

struct http_settings {
    const char *ca_file;        /* besides the system's; NULL */
    bool allow_http;            /* the administrator allows http:// to this registry */
    const char *const *environ; /* http_proxy, https_proxy, all_proxy, no_proxy (also in
                                   upper case but for http_proxy), SSL_CERT_FILE,
                                   SSL_CERT_DIR; may be NULL */
    const struct vitrine_watch *watch; /* asked whether to go on, and told of retries, in
                                          the thread that makes requests; may be NULL */
    const atomic_bool *stop; /* another way to end: set by another thread; may be NULL */
    unsigned patience_ms;    /* without any data; 0: the default, as everywhere but in
                                tests */
    unsigned pause_ms;       /* before the first retry; 0: the default */
};

struct http_request {
    const char *url;
    const char *method;        /* "GET", "HEAD" or "POST" */
    const char *authorization; /* value of the header, or NULL */
    const char *accept;        /* or NULL */
    const char *body;          /* of a POST, application/x-www-form-urlencoded */
    uint64_t range_start;      /* with range_size > 0: only these bytes. A server that */
    uint64_t range_size;       /* gives the whole instead is cut off, see `ranged` */
    uint64_t have; /* so much of what is asked for came with a request before this one,
                      whose answer.taken it is: goes on there */
    /*
     * Takes what comes of the body; returns false to end the transfer, which is no error.
     * Only bytes of a 2xx answer come here, each once whatever was retried; the answer's
     * status, ranged, location and elsewhere are known by then. NULL: the
     * body goes to http_answer.body.
     */
    bool (*sink)(void *arg, const void *data, size_t size);
    void *arg;
    uint64_t limit; /* more than so many bytes of body are an error; 0: none at all */
    bool exact;     /* and less are a body that broke off */
    bool once; /* is not retried if no connection comes about: there is another way */
};

/* Why there is no answer. */
enum http_failure {
    HTTP_ANSWERED,
    HTTP_STOPPED,
    HTTP_UNREACHABLE, /* nobody answered there */
    HTTP_NO_TLS,      /* somebody did who does not speak TLS */
    HTTP_UNTRUSTED,   /* he has no certificate that we trust */
    HTTP_BROKEN,      /* the transfer broke off, or the like */
    HTTP_WRONG,       /* and would break off again */
};

struct http_answer {
    enum http_failure failure;
    long status;    /* of the last answer: 2xx, 401, 404, and after all retries 503 */
    bool ranged;    /* the range was given (206), not the whole (200) */
    uint64_t taken; /* bytes that the sink took, and `have`; also after an error */
    char *body;     /* NUL-terminated; also of an error, then cut */
    size_t size;
    char content_type[256];
    char content_digest[128]; /* Docker-Content-Digest */
    char challenge[2048];     /* WWW-Authenticate, all of them, if the status is 401 and
                                 the origin of the request's URL answered */
    unsigned retry_after;     /* seconds; 0: nothing was said */
    char *location;           /* the URL that answered in the end, if redirected */
    bool elsewhere;           /* and that is of another origin */
};

/* Opening and closing are for one thread at a time. */
struct http *http_open(const struct http_settings *settings, struct vitrine_error *err);
void http_close(struct http *http);

/* An answer of whatever status is success. Call http_clear() also after an error. */
int http_get(struct http *http, const struct http_request *request,
             struct http_answer *ret, struct vitrine_error *err);
void http_clear(struct http_answer *answer);

/* "host" or "host:port" of a URL, for messages. */
void http_host(const char *url, char *buf, size_t size);

/* Percent-encoded for a query or a form; NULL: no memory. */
char *http_escape(const char *text);

#endif
