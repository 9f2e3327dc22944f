/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/http.h"
#include "base/limits.h"
#include "http-server.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define BLOB_SIZE 1000000

static char blob[BLOB_SIZE];
static struct server server, other;
static atomic_bool stop;

static void make_blob(void)
{
    for (size_t i = 0; i < BLOB_SIZE; i++)
        blob[i] = (char)(i * 2654435761U >> 11);
}

/* What a sink has got. */
struct got {
    char *data;
    size_t size, most;
};

static bool take(void *arg, const void *data, size_t size)
{
    struct got *got = arg;

    got->data = realloc(got->data, got->size + size);
    memcpy(got->data + got->size, data, size);
    got->size += size;
    return !got->most || got->size < got->most;
}

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct http *open_http(const char *const *environ)
{
    struct http_settings settings = {.allow_http = true,
                                     .environ = environ,
                                     .stop = &stop,
                                     .patience_ms = 1000,
                                     .pause_ms = 1};
    struct vitrine_error err = {0};
    struct http *http = http_open(&settings, &err);

    ck_assert_msg(http, "%s", err.text);
    return http;
}

/* One request with a handle of its own. */
static int ask(const struct http_request *asked, const char *path,
               struct http_answer *answer, struct vitrine_error *err)
{
    struct http *http = open_http(NULL);
    struct http_request request = *asked;
    char url[256];
    int rc;

    (void)snprintf(url, sizeof(url), "%s%s", server.url, path);
    request.url = url;
    if (!request.method)
        request.method = "GET";
    memset(err, 0, sizeof(*err));
    rc = http_get(http, &request, answer, err);
    http_close(http);
    return rc;
}

static void must_have(const struct vitrine_error *err, const char *words)
{
    ck_assert_msg(strstr(err->text, words), "\"%s\" is not in \"%s\"", words, err->text);
}

static bool is_path(const struct server_request *request, const char *path)
{
    return strcmp(request->path, path) == 0;
}

static bool redirect(int fd, const char *status, const char *to)
{
    char headers[1024];

    (void)snprintf(headers, sizeof(headers), "Location: %s\r\n", to);
    return server_reply(fd, status, headers, "");
}

static bool big_headers(int fd)
{
    static char line[1024];

    (void)snprintf(line, sizeof(line), "X-Y: %0*d\r\n", (int)sizeof(line) - 8, 0);
    (void)server_write(fd, "HTTP/1.1 200 OK\r\n", 17);
    for (int i = 0; i < 5000; i++)
        if (!server_write(fd, line, strlen(line)))
            return false;
    return server_write(fd, "\r\n", 2);
}

/* The sizes of a body that is not what it should be. */
static bool odd_body(struct server *s, int fd, const struct server_request *request)
{
    if (is_path(request, "/cut"))
        return server_blob(fd, request, blob, BLOB_SIZE, 150000);
    if (is_path(request, "/short"))
        return server_blob(fd, request, blob, BLOB_SIZE - 1000, BLOB_SIZE);
    if (is_path(request, "/wrong-range"))
        return server_reply(fd, "206 Partial Content",
                            "Content-Range: bytes 5-9/1000\r\n", "hello");
    if (is_path(request, "/forgetful")) { /* gives no ranges, and breaks */
        unsigned n = atomic_fetch_add(&s->shared->n[0], 1);
        struct server_request plain = {.head = "\r\n"};

        return server_blob(fd, &plain, blob, BLOB_SIZE, (n + 1UL) * 300000);
    }
    if (is_path(request, "/stall")) {
        if (atomic_fetch_add(&s->shared->n[1], 1) > 0)
            return server_blob(fd, request, blob, BLOB_SIZE, BLOB_SIZE);
        (void)server_blob(fd, request, blob, BLOB_SIZE, 500000);
        (void)poll(NULL, 0, 20000);
        return false;
    }
    (void)poll(NULL, 0, 20000); /* "/never" */
    return false;
}

static bool answer(struct server *s, int fd, const struct server_request *request)
{
    char value[128], to[256];

    if (is_path(request, "/blob"))
        return server_blob(fd, request, blob, BLOB_SIZE, BLOB_SIZE);
    if (is_path(request, "/auth"))
        return server_reply(
            fd, "200 OK", "",
            server_header(request, "Authorization", value, sizeof(value)));
    if (is_path(request, "/away") || is_path(request, "/away-to-401")) {
        (void)snprintf(to, sizeof(to), "%s/%s", s->other->url,
                       is_path(request, "/away") ? "auth" : "401");
        return redirect(fd, "307 Temporary Redirect", to);
    }
    if (is_path(request, "/here"))
        return redirect(fd, "302 Found", "auth");
    if (is_path(request, "/round"))
        return redirect(fd, "302 Found", "/round");
    if (is_path(request, "/to-file"))
        return redirect(fd, "302 Found", "file:///etc/passwd");
    if (is_path(request, "/401"))
        return server_reply(fd, "401 Unauthorized",
                            "WWW-Authenticate: Basic realm=\"a\"\r\n"
                            "WWW-Authenticate: Bearer realm=\"b\"\r\n",
                            "{\"errors\":[]}");
    if (is_path(request, "/429") && atomic_fetch_add(&s->shared->n[2], 1) == 0)
        return server_reply(fd, "429 Too Many Requests", "Retry-After: 1\r\n", "");
    if (is_path(request, "/429"))
        return server_reply(fd, "200 OK", "", "now");
    if (is_path(request, "/429-long"))
        return server_reply(fd, "429 Too Many Requests", "Retry-After: 3600\r\n", "");
    if (is_path(request, "/500"))
        return server_reply(fd, "500 Internal Server Error", "", "oh");
    if (is_path(request, "/header"))
        return server_write(fd, "HTTP/1.1 200 OK\r\nX-Y: ", 22) &&
               server_write(fd, memset(blob, 'x', BLOB_SIZE), BLOB_SIZE) &&
               server_write(fd, "\r\n\r\n", 4);
    if (is_path(request, "/headers"))
        return big_headers(fd);
    if (strcmp(request->method, "CONNECT") == 0 ||
        is_path(request, "http://refused.invalid/"))
        return server_reply(fd, "407 Proxy Authentication Required",
                            "Proxy-Authenticate: Basic realm=\"x\"\r\n", "");
    if (strncmp(request->path, "http://", 7) == 0)
        return server_reply(fd, "200 OK", "", request->path);
    return odd_body(s, fd, request);
}

static void set_up(void)
{
    make_blob();
    atomic_store(&stop, false);
    memset(&server, 0, sizeof(server));
    memset(&other, 0, sizeof(other));
    server_bind(&server);
    server_bind(&other);
    server.answer = other.answer = answer;
    server.other = &other;
    server_start(&server);
    server_start(&other);
}

static void tear_down(void)
{
    server_end(&server);
    server_end(&other);
}

START_TEST(bodies_come_whole_over_one_connection)
{
    struct http *http = open_http(NULL);
    struct vitrine_error err = {0};
    char url[128];

    (void)snprintf(url, sizeof(url), "%s/blob", server.url);
    for (int i = 0; i < 3; i++) {
        struct http_request request = {
            .url = url, .method = "GET", .limit = BLOB_SIZE, .exact = true};
        struct http_answer got;

        ck_assert_msg(http_get(http, &request, &got, &err) == 0, "%s", err.text);
        ck_assert_int_eq(got.status, 200);
        ck_assert_uint_eq(got.size, BLOB_SIZE);
        ck_assert(memcmp(got.body, blob, BLOB_SIZE) == 0);
        ck_assert(!got.location && !got.elsewhere);
        http_clear(&got);
    }
    http_close(http);
}
END_TEST

static void check_auth(const char *path, const char *expected, bool elsewhere)
{
    struct http_request request = {.authorization = "Basic c2VjcmV0", .limit = 100};
    struct vitrine_error err;
    struct http_answer got;

    ck_assert_msg(ask(&request, path, &got, &err) == 0, "%s", err.text);
    ck_assert_str_eq(got.body ? got.body : "", expected);
    ck_assert_int_eq(got.elsewhere, elsewhere);
    http_clear(&got);
}

START_TEST(authorization_stays_at_its_origin)
{
    check_auth("/auth", "Basic c2VjcmV0", false);
    check_auth("/here", "Basic c2VjcmV0", false);
    check_auth("/away", "", true);
}
END_TEST

START_TEST(challenges_of_others_are_not_heard)
{
    struct http_request request = {.limit = 100};
    struct vitrine_error err;
    struct http_answer got;

    ck_assert_int_eq(ask(&request, "/401", &got, &err), 0);
    ck_assert_int_eq(got.status, 401);
    ck_assert_str_eq(got.challenge, "Basic realm=\"a\", Bearer realm=\"b\"");
    http_clear(&got);
    ck_assert_int_eq(ask(&request, "/away-to-401", &got, &err), 0);
    ck_assert_int_eq(got.status, 401);
    ck_assert_str_eq(got.challenge, "");
    http_clear(&got);
}
END_TEST

static void check_fails(const struct http_request *request, const char *path,
                        const char *words)
{
    struct vitrine_error err;
    struct http_answer got;

    ck_assert_msg(ask(request, path, &got, &err) == -1, "%s", path);
    must_have(&err, words);
    http_clear(&got);
}

START_TEST(hostile_answers_end_in_one_error)
{
    struct got sunk = {NULL};
    struct http_request small = {.limit = 100};
    struct http_request exact = {
        .limit = BLOB_SIZE, .exact = true, .sink = take, .arg = &sunk};
    struct http_request more = {.limit = BLOB_SIZE - 1, .sink = take, .arg = &sunk};
    struct http_request range = {.range_size = 5, .sink = take, .arg = &sunk};

    check_fails(&small, "/round", "leads on and on");
    check_fails(&small, "/to-file", "no http or https URL");
    check_fails(&small, "/headers", "headers");
    ck_assert_uint_eq(atomic_load(&server.shared->requests), LIMIT_HTTP_REDIRECTS + 3);
    check_fails(&small, "/header", "127.0.0.1");
    ck_assert_uint_eq(atomic_load(&server.shared->requests), LIMIT_HTTP_REDIRECTS + 4);
    check_fails(&small, "/blob", "more bytes than the 100");
    ck_assert_uint_eq(sunk.size, 0);
    check_fails(&range, "/wrong-range", "headers");
    ck_assert_uint_eq(sunk.size, 0);
    check_fails(&more, "/blob", "more bytes");
    ck_assert_uint_lt(sunk.size, BLOB_SIZE);
    sunk.size = 0;
    check_fails(&exact, "/short", "ends after 999000 bytes, and should have 1000000");
    free(sunk.data);
}
END_TEST

static void check_blob(const struct http_request *asked, const char *path)
{
    struct got sunk = {NULL};
    struct http_request request = *asked;
    struct vitrine_error err;
    struct http_answer got;

    request.sink = take;
    request.arg = &sunk;
    request.exact = true;
    request.limit = BLOB_SIZE;
    ck_assert_msg(ask(&request, path, &got, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(sunk.size, BLOB_SIZE);
    ck_assert(memcmp(sunk.data, blob, BLOB_SIZE) == 0);
    ck_assert_uint_eq(got.taken, BLOB_SIZE);
    http_clear(&got);
    free(sunk.data);
}

START_TEST(what_broke_off_goes_on)
{
    struct http_request request = {.method = "GET"};

    check_blob(&request, "/cut");
    ck_assert_uint_ge(atomic_load(&server.shared->requests), 6);
}
END_TEST

START_TEST(without_ranges_what_was_there_is_passed_over)
{
    struct http_request request = {.method = "GET"};

    check_blob(&request, "/forgetful");
}
END_TEST

START_TEST(a_transfer_that_stalls_is_broken_off)
{
    struct http_request request = {.method = "GET"};
    double start = now();

    check_blob(&request, "/stall");
    ck_assert(now() - start < 10);
}
END_TEST

START_TEST(ranges_are_given_or_refused)
{
    struct got sunk = {NULL};
    struct http_request request = {.range_start = 1000,
                                   .range_size = 2000,
                                   .have = 500,
                                   .sink = take,
                                   .arg = &sunk,
                                   .limit = BLOB_SIZE,
                                   .exact = true};
    struct vitrine_error err;
    struct http_answer got;

    ck_assert_msg(ask(&request, "/blob", &got, &err) == 0, "%s", err.text);
    ck_assert(got.ranged);
    ck_assert_uint_eq(got.taken, 2000);
    ck_assert_uint_eq(sunk.size, 1500);
    ck_assert(memcmp(sunk.data, blob + 1500, 1500) == 0);
    http_clear(&got);
    sunk.size = 0;
    ck_assert_msg(ask(&request, "/forgetful", &got, &err) == 0, "%s", err.text);
    ck_assert(!got.ranged);
    ck_assert_uint_eq(sunk.size, 0);
    http_clear(&got);
    free(sunk.data);
}
END_TEST

START_TEST(a_sink_may_end_it)
{
    struct got sunk = {.most = 1};
    struct http_request request = {.sink = take, .arg = &sunk, .limit = BLOB_SIZE};
    struct vitrine_error err;
    struct http_answer got;

    request.exact = true;
    ck_assert_msg(ask(&request, "/blob", &got, &err) == 0, "%s", err.text);
    ck_assert_uint_lt(sunk.size, BLOB_SIZE);
    ck_assert_uint_eq(atomic_load(&server.shared->requests), 1);
    http_clear(&got);
    free(sunk.data);
}
END_TEST

START_TEST(retry_after_is_waited_for_within_reason)
{
    struct http_request request = {.limit = 100};
    struct vitrine_error err;
    struct http_answer got;
    double start = now();

    ck_assert_int_eq(ask(&request, "/429", &got, &err), 0);
    ck_assert_int_eq(got.status, 200);
    ck_assert(now() - start >= 1);
    http_clear(&got);
    start = now();
    ck_assert_int_eq(ask(&request, "/429-long", &got, &err), 0);
    ck_assert_int_eq(got.status, 429);
    ck_assert_uint_eq(got.retry_after, 3600);
    ck_assert(now() - start < 1);
    http_clear(&got);
}
END_TEST

START_TEST(a_server_in_trouble_is_asked_some_times)
{
    struct http_request request = {.limit = 100};
    struct vitrine_error err;
    struct http_answer got;

    ck_assert_int_eq(ask(&request, "/500", &got, &err), 0);
    ck_assert_int_eq(got.status, 500);
    ck_assert_str_eq(got.body, "oh");
    ck_assert_uint_eq(atomic_load(&server.shared->requests), LIMIT_HTTP_TRIES);
    http_clear(&got);
}
END_TEST

static void *stop_soon(void *arg)
{
    (void)poll(NULL, 0, 300);
    *(double *)arg = now();
    atomic_store(&stop, true);
    return NULL;
}

START_TEST(it_stops_at_once)
{
    struct http_request request = {.limit = 100};
    struct vitrine_error err;
    struct http_answer got;
    pthread_t thread;
    double at = 0;

    ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, &at), 0);
    ck_assert_int_eq(ask(&request, "/never", &got, &err), -1);
    (void)pthread_join(thread, NULL);
    ck_assert(now() - at < 0.2);
    ck_assert_int_eq(got.failure, HTTP_STOPPED);
    ck_assert_int_eq(err.sys_errno, ECANCELED);
}
END_TEST

START_TEST(what_must_not_be_sent_is_not)
{
    struct http_settings settings = {.allow_http = false};
    struct http_request request = {.limit = 100, .authorization = "a\r\nX: y"};
    struct http_request plain = {.url = server.url, .method = "GET"};
    struct vitrine_error err = {0};
    struct http_answer got;
    struct http *http;

    ck_assert_int_eq(ask(&request, "/auth", &got, &err), -1);
    http = http_open(&settings, &err);
    ck_assert_int_eq(http_get(http, &plain, &got, &err), -1);
    ck_assert_int_eq(err.code, VITRINE_EPOLICY);
    must_have(&err, "AllowHTTP=yes");
    ck_assert_uint_eq(atomic_load(&server.shared->requests), 0);
    http_close(http);
}
END_TEST

START_TEST(who_is_not_there_is_named)
{
    struct http_request request = {.url = "http://127.0.0.1:1/", .method = "GET"};
    struct http_request nobody = {.url = "http://nobody.invalid/", .method = "GET"};
    struct http *http = open_http(NULL);
    struct vitrine_error err = {0};
    struct http_answer got;

    ck_assert_int_eq(http_get(http, &request, &got, &err), -1);
    ck_assert_int_eq(got.failure, HTTP_UNREACHABLE);
    ck_assert_int_eq(err.code, VITRINE_ENETWORK);
    must_have(&err, "127.0.0.1:1 cannot be reached");
    ck_assert_int_eq(http_get(http, &nobody, &got, &err), -1);
    must_have(&err, "nobody.invalid");
    http_close(http);
}
END_TEST

START_TEST(proxies_are_asked_but_for_no_proxy)
{
    char proxy[128], url[128] = "http://registry.invalid/auth";
    const char *with[] = {proxy, NULL};
    const char *without[] = {proxy, "no_proxy=example.org,127.0.0.1", NULL};
    struct http_request request = {.url = url, .method = "GET", .limit = 100};
    struct vitrine_error err = {0};
    struct http_answer got;
    struct http *http;

    (void)snprintf(proxy, sizeof(proxy), "http_proxy=%s", other.url);
    http = open_http(with);
    ck_assert_msg(http_get(http, &request, &got, &err) == 0, "%s", err.text);
    ck_assert_str_eq(got.body, "http://registry.invalid/auth");
    http_clear(&got);
    http_close(http);
    (void)snprintf(url, sizeof(url), "%s/429", server.url);
    http = open_http(without);
    ck_assert_msg(http_get(http, &request, &got, &err) == 0, "%s", err.text);
    ck_assert_str_eq(got.body, "now");
    http_clear(&got);
    http_close(http);
}
END_TEST

START_TEST(a_proxy_s_refusal_is_final)
{
    static const char *const urls[] = {"https://registry.invalid/",
                                       "http://refused.invalid/"};
    char proxy[128];
    const char *environ[] = {proxy, NULL};
    struct http *http;

    (void)snprintf(proxy, sizeof(proxy), "all_proxy=http://me:secret@127.0.0.1:%d",
                   other.port);
    http = open_http(environ);
    for (size_t i = 0; i < 2; i++) {
        struct http_request request = {.url = urls[i], .method = "GET", .limit = 100};
        struct vitrine_error err = {0};
        struct http_answer got;

        ck_assert_int_eq(http_get(http, &request, &got, &err), -1);
        must_have(&err, "the proxy 127.0.0.1:");
        must_have(&err, "407");
        ck_assert(!strstr(err.text, "secret"));
        http_clear(&got);
    }
    ck_assert_uint_eq(atomic_load(&other.shared->requests), 2);
    http_close(http);
}
END_TEST

START_TEST(certificates_that_are_not_there_are_named)
{
    struct http_settings settings = {.ca_file = "/nonexistent/ca.pem"};
    struct vitrine_error err = {0};

    ck_assert(!http_open(&settings, &err));
    must_have(&err, "CAFile=/nonexistent/ca.pem");
}
END_TEST

static Suite *http_suite(void)
{
    Suite *suite = suite_create("http");
    TCase *tc = tcase_create("http");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, bodies_come_whole_over_one_connection);
    tcase_add_test(tc, authorization_stays_at_its_origin);
    tcase_add_test(tc, challenges_of_others_are_not_heard);
    tcase_add_test(tc, hostile_answers_end_in_one_error);
    tcase_add_test(tc, what_broke_off_goes_on);
    tcase_add_test(tc, without_ranges_what_was_there_is_passed_over);
    tcase_add_test(tc, a_transfer_that_stalls_is_broken_off);
    tcase_add_test(tc, ranges_are_given_or_refused);
    tcase_add_test(tc, a_sink_may_end_it);
    tcase_add_test(tc, retry_after_is_waited_for_within_reason);
    tcase_add_test(tc, a_server_in_trouble_is_asked_some_times);
    tcase_add_test(tc, it_stops_at_once);
    tcase_add_test(tc, what_must_not_be_sent_is_not);
    tcase_add_test(tc, who_is_not_there_is_named);
    tcase_add_test(tc, proxies_are_asked_but_for_no_proxy);
    tcase_add_test(tc, a_proxy_s_refusal_is_final);
    tcase_add_test(tc, certificates_that_are_not_there_are_named);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(http_suite)
