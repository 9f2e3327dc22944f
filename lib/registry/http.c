/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Three loops, one in the other: tries, redirects, and libcurl's own, which is its multi
 * interface with one transfer, so that whoever stops is noticed within TICK whatever the
 * network does.
 */
#include "registry/http.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "registry/http-body.h"
#include "registry/http-retry.h"
#include "registry/http-setup.h"
#include "registry/http-url.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define TICK 50 /* ms */

struct http {
    CURLM *multi;
    CURL *easy;
    int ca; /* a file in memory, or -1 */
    struct http_settings settings;
    char detail[CURL_ERROR_SIZE];
};

struct http *http_open(const struct http_settings *settings, struct vitrine_error *err)
{
    struct http *http = calloc(1, sizeof(*http));

    if (!http || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(http);
        (void)vitrine_fail(err, VITRINE_EINTERNAL, "libcurl does not start");
        return NULL;
    }
    http->ca = -1;
    http->settings = *settings;
    http->multi = curl_multi_init();
    http->easy = curl_easy_init();
    if (!http->multi || !http->easy) {
        (void)vitrine_fail(err, VITRINE_EINTERNAL, "no memory for a connection");
        http_close(http);
        return NULL;
    }
    (void)curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, http->detail);
    if (http_setup(http->easy, settings, &http->ca, err) < 0) {
        http_close(http);
        return NULL;
    }
    return http;
}

void http_close(struct http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->easy);
    (void)curl_multi_cleanup(http->multi);
    curl_global_cleanup();
    if (http->ca >= 0)
        (void)close(http->ca);
    free(http);
}

static bool is_stopped(const struct http *http)
{
    const struct vitrine_watch *watch = http->settings.watch;

    return (http->settings.stop && atomic_load(http->settings.stop)) ||
           (watch && watch->cancelled && watch->cancelled(watch->arg));
}

/* --- one request, one answer ----------------------------------------------------------
 */

/* Header lines, wiped when they go, for one of them may be a password. */
static void free_headers(struct curl_slist *headers)
{
    for (struct curl_slist *at = headers; at; at = at->next)
        explicit_bzero(at->data, strlen(at->data));
    curl_slist_free_all(headers);
}

/* False: no memory, or a value that would be more than one header. */
static bool add_header(struct curl_slist **headers, const char *name, const char *value)
{
    struct curl_slist *longer;
    char *line = NULL;

    for (const char *at = value; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    if (asprintf(&line, "%s: %s", name, value) < 0)
        return false;
    longer = curl_slist_append(*headers, line);
    explicit_bzero(line, strlen(line));
    free(line);
    if (longer)
        *headers = longer;
    return longer;
}

static bool set_headers(CURL *easy, const struct http_request *request, bool at_origin,
                        struct curl_slist **ret)
{
    struct curl_slist *headers = NULL;
    bool ok = true;

    if (request->accept)
        ok = add_header(&headers, "Accept", request->accept);
    if (ok && request->authorization && at_origin)
        ok = add_header(&headers, "Authorization", request->authorization);
    if (!ok) {
        free_headers(headers);
        return false;
    }
    *ret = headers;
    return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
}

static bool set_method(CURL *easy, const struct http_request *request)
{
    (void)curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L); /* forgets the one before */
    if (strcmp(request->method, "HEAD") == 0)
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    if (strcmp(request->method, "POST") != 0)
        return true;
    return curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(request->body)) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body) == CURLE_OK;
}

/* What is still to come: "FROM-" or "FROM-TO". */
static bool set_range(CURL *easy, const struct http_body *body)
{
    const struct http_request *request = body->request;
    unsigned long long from = body->from;
    char range[48];

    if (request->range_size > 0)
        (void)snprintf(range, sizeof(range), "%llu-%llu", from,
                       (unsigned long long)request->range_start + request->range_size -
                           1);
    else
        (void)snprintf(range, sizeof(range), "%llu-", from);
    return curl_easy_setopt(easy, CURLOPT_RANGE,
                            http_body_wants_range(body) ? range : NULL) == CURLE_OK;
}

static bool set_request(struct http *http, struct http_body *body, const char *url,
                        struct curl_slist **ret_headers)
{
    const struct http_request *request = body->request;
    CURL *easy = http->easy;

    return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY,
                            http_proxy(http->settings.environ, http_is_https(url))) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_body_write) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, http_body_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, body) == CURLE_OK &&
           set_method(easy, request) && set_range(easy, body) &&
           set_headers(easy, request, http_same_origin(url, request->url), ret_headers);
}

/* CURLE_ABORTED_BY_CALLBACK: whoever may has said to stop. */
static CURLcode run(struct http *http)
{
    CURLcode rc = CURLE_FAILED_INIT;
    struct CURLMsg *message;
    int running = 1, left;

    if (curl_multi_add_handle(http->multi, http->easy) != CURLM_OK)
        return rc;
    while (running > 0) {
        if (is_stopped(http)) {
            rc = CURLE_ABORTED_BY_CALLBACK;
            break;
        }
        if (curl_multi_perform(http->multi, &running) != CURLM_OK)
            break;
        if (running > 0 && curl_multi_poll(http->multi, NULL, 0, TICK, NULL) != CURLM_OK)
            break;
    }
    while ((message = curl_multi_info_read(http->multi, &left)))
        if (message->msg == CURLMSG_DONE && rc != CURLE_ABORTED_BY_CALLBACK)
            rc = message->data.result;
    (void)curl_multi_remove_handle(http->multi, http->easy);
    return rc;
}

static CURLcode exchange(struct http *http, struct http_body *body, const char *url)
{
    struct curl_slist *headers = NULL;
    CURLcode rc = CURLE_BAD_FUNCTION_ARGUMENT;

    http->detail[0] = '\0';
    http_body_begin(body, http_same_origin(url, body->request->url));
    if (set_request(http, body, url, &headers))
        rc = run(http);
    (void)curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL);
    free_headers(headers);
    return rc;
}

/* --- redirects ------------------------------------------------------------------------
 */

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 ||
           status == 308;
}

static int fail_redirect(struct vitrine_error *err, const char *url, const char *why)
{
    char host[310];

    http_host(url, host, sizeof(host));
    return vitrine_fail(err, VITRINE_ENETWORK, "%s: its answer %s", host, why);
}

/* The answer's Location as an absolute URL in *ret, NULL if it has none. */
static int next_url(struct http *http, const struct http_body *body, const char *url,
                    unsigned hops, char **ret, struct vitrine_error *err)
{
    const char *why;
    char *to = NULL;

    if (!is_redirect(body->answer->status) ||
        curl_easy_getinfo(http->easy, CURLINFO_REDIRECT_URL, &to) != CURLE_OK || !to)
        return 0;
    why = http_redirect_refused(url, to, http->settings.allow_http);
    if (hops == LIMIT_HTTP_REDIRECTS)
        why = "leads on and on from one place to the next";
    else if (strlen(to) >= LIMIT_HTTP_URL)
        why = "leads to a URL of too many bytes";
    else if (body->request->body)
        why = "leads elsewhere with what is secret";
    if (why)
        return fail_redirect(err, url, why);
    *ret = strdup(to);
    return *ret ? 0 : vitrine_fail_sys(err, VITRINE_EINTERNAL, "no memory for a URL");
}

/* A proxy that says no says it again. */
static int check_proxy(struct http *http, CURLcode rc, const char *url,
                       struct vitrine_error *err)
{
    const char *proxy = http_proxy(http->settings.environ, http_is_https(url));
    long tunnel = 0, status = 0;

    (void)curl_easy_getinfo(http->easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
    (void)curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &status);
    if (rc != CURLE_OK && tunnel >= 400 && !http_is_transient(tunnel))
        return http_fail_proxy(err, tunnel, url, proxy);
    return rc == CURLE_OK && status == 407 ? http_fail_proxy(err, status, url, proxy) : 0;
}

/* One try. *ret is libcurl's word; -1 where there is none, and *err is set. */
static int follow(struct http *http, struct http_body *body, CURLcode *ret,
                  struct vitrine_error *err)
{
    struct http_answer *answer = body->answer;

    free(answer->location);
    answer->location = NULL;
    for (unsigned hops = 0;; hops++) {
        const char *url = answer->location ? answer->location : body->request->url;
        char *to = NULL;

        *ret = exchange(http, body, url);
        if (*ret == CURLE_WRITE_ERROR && http_body_ended(body))
            *ret = CURLE_OK;
        if (check_proxy(http, *ret, url, err) < 0)
            return -1;
        if (*ret != CURLE_OK)
            return http_body_fail(body, url, err);
        if (http_body_finish(body, err) < 0 ||
            next_url(http, body, url, hops, &to, err) < 0)
            return -1;
        if (!to)
            return 0;
        free(answer->location);
        answer->location = to;
    }
}

/* --- tries ----------------------------------------------------------------------------
 */

static void remark(const struct http *http, const char *url, long pause,
                   const struct http_answer *answer)
{
    const struct vitrine_watch *watch = http->settings.watch;
    char host[310], line[512], what[64];

    if (!watch || !watch->remark)
        return;
    http_host(url, host, sizeof(host));
    if (answer->failure == HTTP_ANSWERED)
        (void)snprintf(what, sizeof(what), "has answered %ld", answer->status);
    else
        (void)snprintf(what, sizeof(what), "%s",
                       answer->failure == HTTP_BROKEN ? "broke off"
                                                      : "cannot be reached");
    (void)snprintf(line, sizeof(line), "%s %s; trying again in %ld s", host, what,
                   (pause + 999) / 1000);
    watch->remark(watch->arg, line);
}

static int fail_stopped(struct http_answer *answer, struct vitrine_error *err)
{
    answer->failure = HTTP_STOPPED;
    return error_from(err, VITRINE_EINTERNAL, -ECANCELED, "it was ended before");
}

static bool wait_ms(const struct http *http, long ms)
{
    for (; ms > 0; ms -= TICK) {
        if (is_stopped(http))
            return false;
        (void)poll(NULL, 0, ms < TICK ? (int)ms : TICK);
    }
    return !is_stopped(http);
}

static bool is_done(const struct http_body *body, CURLcode rc)
{
    return rc == CURLE_OK && !body->broken && !http_is_transient(body->answer->status);
}

static int try_all(struct http *http, struct http_body *body, struct vitrine_error *err)
{
    struct http_answer *answer = body->answer;
    const struct http_request *request = body->request;
    struct http_retry retry = {.taken = body->taken};

    for (;;) {
        CURLcode rc = CURLE_OK;
        long pause;

        if (follow(http, body, &rc, err) < 0)
            return -1;
        if (rc == CURLE_ABORTED_BY_CALLBACK)
            return fail_stopped(answer, err);
        answer->failure = body->broken ? HTTP_BROKEN : http_failure_of(rc);
        if (is_done(body, rc))
            return 0;
        pause = http_next_pause(&retry, answer->failure, body->taken, answer->retry_after,
                                http->settings.pause_ms);
        if (pause < 0 || (request->once && rc != CURLE_OK)) {
            if (answer->failure == HTTP_ANSWERED)
                return 0;
            return http_fail(
                err, rc == CURLE_OK ? CURLE_PARTIAL_FILE : rc, request->url,
                http_proxy(http->settings.environ, http_is_https(request->url)),
                http->detail);
        }
        remark(http, request->url, pause, answer);
        if (!wait_ms(http, pause))
            return fail_stopped(answer, err);
    }
}

/* libcurl writes with MSG_NOSIGNAL, but its TLS library may not. */
static void block_sigpipe(sigset_t *ret_old, bool *ret_pending)
{
    sigset_t set;

    (void)sigpending(&set);
    *ret_pending = sigismember(&set, SIGPIPE) == 1;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, ret_old);
}

static void restore_sigpipe(const sigset_t *old, bool was_pending)
{
    static const struct timespec now = {0};
    sigset_t set;

    (void)sigpending(&set);
    if (!was_pending && sigismember(&set, SIGPIPE) == 1) {
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGPIPE);
        (void)sigtimedwait(&set, NULL, &now);
    }
    (void)pthread_sigmask(SIG_SETMASK, old, NULL);
}

int http_get(struct http *http, const struct http_request *request,
             struct http_answer *ret, struct vitrine_error *err)
{
    struct http_body body = {.http = http->easy, .request = request, .answer = ret};
    struct http_origin origin;
    bool was_pending;
    sigset_t old;
    int rc;

    memset(ret, 0, sizeof(*ret));
    ret->failure = HTTP_BROKEN;
    ret->taken = body.taken = request->have;
    if (http_origin(request->url, &origin) < 0 || strlen(request->url) >= LIMIT_HTTP_URL)
        return vitrine_fail(err, VITRINE_ENETWORK, "this is no URL to ask: \"%.200s\"",
                            request->url);
    if (!origin.https && !http->settings.allow_http)
        return vitrine_fail(err, VITRINE_EPOLICY,
                            "%s: http:// is used only where AllowHTTP=yes is in the line "
                            "Registry=%s of vitrine.conf",
                            origin.host, origin.host);
    block_sigpipe(&old, &was_pending);
    rc = try_all(http, &body, err);
    restore_sigpipe(&old, was_pending);
    ret->taken = body.taken;
    return rc;
}

void http_clear(struct http_answer *answer)
{
    if (answer->body)
        explicit_bzero(answer->body, answer->size); /* it may be a token */
    free(answer->body);
    free(answer->location);
    memset(answer, 0, sizeof(*answer));
}
