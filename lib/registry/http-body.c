/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/http-body.h"
#include "base/limits.h"
#include "registry/http-retry.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

void http_body_begin(struct http_body *body, bool at_origin)
{
    struct http_answer *answer = body->answer;

    /* What is kept in memory is small, and fetched anew. */
    if (!body->request->sink)
        body->taken = 0;
    body->from = body->request->range_start + body->taken;
    body->skip = body->part = body->dropped = 0;
    body->header_bytes = 0;
    body->at_origin = at_origin;
    body->begun = body->has_part = body->ended = body->too_long = false;
    body->bad_header = body->broken = false;
    answer->status = 0;
    answer->ranged = false;
    answer->elsewhere = !at_origin;
    answer->size = 0;
}

bool http_body_wants_range(const struct http_body *body)
{
    return body->request->range_size > 0 || body->taken > 0;
}

/* --- headers --------------------------------------------------------------------------
 */

static void forget_headers(struct http_body *body)
{
    struct http_answer *answer = body->answer;

    answer->content_type[0] = answer->content_digest[0] = answer->challenge[0] = '\0';
    answer->retry_after = 0;
    body->has_part = false;
}

/* Appends to what is there, as the standard lets a header be continued by another. */
static void keep(char *buf, size_t size, const char *value, bool append)
{
    size_t used = append ? strlen(buf) : 0;

    (void)snprintf(buf + used, size - used, "%s%s", used > 0 ? ", " : "", value);
}

/* "bytes 100-199/1000" */
static void keep_content_range(struct http_body *body, const char *value)
{
    char *end;

    if (strncasecmp(value, "bytes ", 6) != 0 || value[6] < '0' || value[6] > '9')
        return;
    body->part = strtoull(value + 6, &end, 10);
    body->has_part = *end == '-';
}

static void keep_header(struct http_body *body, const char *name, const char *value)
{
    struct http_answer *answer = body->answer;

    if (strcasecmp(name, "content-type") == 0)
        keep(answer->content_type, sizeof(answer->content_type), value, false);
    else if (strcasecmp(name, "docker-content-digest") == 0)
        keep(answer->content_digest, sizeof(answer->content_digest), value, false);
    else if (strcasecmp(name, "www-authenticate") == 0 && body->at_origin)
        keep(answer->challenge, sizeof(answer->challenge), value, true);
    else if (strcasecmp(name, "retry-after") == 0)
        answer->retry_after = http_retry_after(value, time(NULL));
    else if (strcasecmp(name, "content-range") == 0)
        keep_content_range(body, value);
}

size_t http_body_header(char *data, size_t one, size_t size, void *arg)
{
    struct http_body *body = arg;
    char line[LIMIT_HTTP_URL];
    char *colon, *value;
    size_t n = size;

    body->header_bytes += size;
    if (body->header_bytes > LIMIT_HTTP_HEADERS) {
        body->bad_header = true;
        return 0;
    }
    if (size >= 5 && strncasecmp(data, "HTTP/", 5) == 0)
        forget_headers(body);
    while (n > 0 && strchr("\r\n \t", data[n - 1]))
        n--;
    /* None that we read is that long; the next URL comes from libcurl. */
    if (n == 0 || n >= sizeof(line) || memchr(data, '\0', n))
        return size;
    memcpy(line, data, n);
    line[n] = '\0';
    colon = strchr(line, ':');
    if (!colon)
        return size;
    *colon = '\0';
    value = colon + 1 + strspn(colon + 1, " \t");
    keep_header(body, line, value);
    return size;
}

/* --- the body -------------------------------------------------------------------------
 */

static bool is_good(const struct http_body *body)
{
    return body->answer->status >= 200 && body->answer->status <= 299;
}

/* When the first of it comes, or at the end if nothing has. */
static void begin(struct http_body *body)
{
    (void)curl_easy_getinfo(body->http, CURLINFO_RESPONSE_CODE, &body->answer->status);
    body->begun = true;
    body->answer->ranged = body->answer->status == 206;
    if (!is_good(body))
        return;
    if (body->answer->ranged)
        body->bad_header = !body->has_part || body->part != body->from;
    else if (body->request->range_size > 0)
        body->ended = true;
    else
        body->skip = body->taken;
}

static bool store(struct http_body *body, const char *data, size_t size)
{
    struct http_answer *answer = body->answer;
    size_t need = answer->size + size + 1;

    if (need > body->capacity || !answer->body) {
        size_t capacity = body->capacity < 4096 ? 4096 : body->capacity;
        char *more;

        while (capacity < need)
            capacity *= 2;
        more = malloc(capacity);
        if (!more) {
            body->no_memory = true;
            return false;
        }
        if (answer->body) {
            memcpy(more, answer->body, answer->size);
            explicit_bzero(answer->body, answer->size); /* it may be a token */
            free(answer->body);
        }
        answer->body = more;
        body->capacity = capacity;
    }
    memcpy(answer->body + answer->size, data, size);
    answer->size += size;
    answer->body[answer->size] = '\0';
    return true;
}

static bool take(struct http_body *body, const char *data, size_t size)
{
    const struct http_request *request = body->request;
    uint64_t limit = request->range_size > 0 ? request->range_size : request->limit;

    if (body->skip > 0) {
        size_t n = size < body->skip ? size : (size_t)body->skip;

        body->skip -= n;
        data += n;
        size -= n;
    }
    if (size > limit - body->taken) {
        body->too_long = true;
        return false;
    }
    if (size == 0)
        return true;
    if (!request->sink && !store(body, data, size))
        return false;
    body->taken += size;
    if (request->sink && !request->sink(request->arg, data, size)) {
        body->ended = true;
        return false;
    }
    return true;
}

/* The rest is read, within reason, or the connection could not be used again. */
static bool take_error(struct http_body *body, const char *data, size_t size)
{
    size_t room = LIMIT_HTTP_ERROR - body->answer->size;
    size_t n = size < room ? size : room;

    body->dropped += size - n;
    body->ended = body->dropped > LIMIT_HTTP_DROPPED;
    return store(body, data, n) && !body->ended;
}

size_t http_body_write(char *data, size_t one, size_t size, void *arg)
{
    struct http_body *body = arg;
    bool goes_on;

    if (!body->begun)
        begin(body);
    if (body->ended || body->bad_header)
        return size == 0 ? 1 : 0;
    goes_on = is_good(body) ? take(body, data, size) : take_error(body, data, size);
    return goes_on ? size : (size == 0 ? 1 : 0);
}

bool http_body_ended(const struct http_body *body)
{
    return body->ended;
}

int http_body_fail(const struct http_body *body, const char *url,
                   struct vitrine_error *err)
{
    char host[310];

    http_host(url, host, sizeof(host));
    if (body->too_long)
        return vitrine_fail(
            err, VITRINE_ENETWORK,
            "%s: its answer has more bytes than the %llu it may have", host,
            (unsigned long long)(body->request->range_size ? body->request->range_size
                                                           : body->request->limit));
    if (body->bad_header)
        return vitrine_fail(err, VITRINE_ENETWORK,
                            "%s: the headers of its answer are too many or wrong", host);
    if (body->no_memory)
        return vitrine_fail(err, VITRINE_EINTERNAL, "%s: no memory for its answer", host);
    return 0;
}

int http_body_finish(struct http_body *body, struct vitrine_error *err)
{
    const struct http_request *request = body->request;
    uint64_t all = request->range_size > 0 ? request->range_size : request->limit;

    if (!body->begun)
        begin(body);
    if (body->ended)
        return 0;
    if (body->answer->status == 416 && body->taken > request->have)
        return vitrine_fail(
            err, VITRINE_ENETWORK, "%s ends after %llu bytes, and should have %llu",
            request->url, (unsigned long long)body->taken, (unsigned long long)all);
    body->broken = is_good(body) && request->exact && body->taken < all;
    return 0;
}
