/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What http.c goes by, without a network. */
#include "base/limits.h"
#include "registry/digest.h"
#include "registry/http-retry.h"
#include "registry/http-setup.h"
#include "registry/http-url.h"
#include "unit.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(digests_are_those_of_fips_180)
{
    struct digest *digest = digest_new();
    char text[DIGEST_TEXT];

    ck_assert_int_eq(digest_of("", 0, text), 0);
    ck_assert_str_eq(
        text, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    ck_assert_int_eq(digest_update(digest, "a", 1), 0);
    ck_assert_int_eq(digest_update(digest, "bc", 2), 0);
    ck_assert_int_eq(digest_text(digest, text), 0);
    ck_assert_str_eq(
        text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_free(digest);
    digest_free(NULL);
}
END_TEST

START_TEST(origins_are_scheme_host_and_port)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"https://a.site/x", "https://a.site/y?z", true},
        {"https://a.site", "https://A.SITE:443/", true},
        {"http://a.site:80", "http://a.site", true},
        {"https://[::1]:5000/", "https://[::1]:5000/v2/", true},
        {"https://a.site", "http://a.site", false},
        {"https://a.site", "https://a.site:8443", false},
        {"https://a.site", "https://b.a.site", false},
        {"https://a.site", "https://a.site.evil.org", false},
        {"https://a.site", "https://a.site@evil.org/", false},
        {"https://a.site", "https://evil.org/@a.site", false},
        {"https://a.site", "https://evil.org\\@a.site", false},
        {"https://a.site", "https://a.site:443@evil.org", false},
        {"https://a.site", "a.site", false},
        {"ftp://a.site", "ftp://a.site", false},
        {"file:///etc/passwd", "file:///etc/passwd", false},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        ck_assert_msg(http_same_origin(rows[i].a, rows[i].b) == rows[i].same, "%s, %s",
                      rows[i].a, rows[i].b);
}
END_TEST

START_TEST(redirects_keep_to_https)
{
    static const struct {
        const char *from, *to;
        bool allow_http, ok;
    } rows[] = {
        {"https://a", "https://b/x", false, true},
        {"https://a", "http://a/x", false, false},
        {"https://a", "http://a/x", true, true},
        {"http://a", "http://b/x", true, true},
        {"https://a", "https://user:pw@b/x", false, false},
        {"https://a", "file:///etc/passwd", true, false},
        {"https://a", "gopher://b/x", true, false},
        {"https://a", "", true, false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *why =
            http_redirect_refused(rows[i].from, rows[i].to, rows[i].allow_http);

        ck_assert_msg(!why == rows[i].ok, "%s: %s", rows[i].to, why ? why : "taken");
    }
}
END_TEST

START_TEST(retry_after_is_seconds_or_a_date)
{
    /* Sun, 06 Nov 1994 08:49:37 GMT, the standard's own example. */
    static const time_t then = 784111777;

    ck_assert_uint_eq(http_retry_after("120", then), 120);
    ck_assert_uint_eq(http_retry_after(" 7 ", then), 7);
    ck_assert_uint_eq(http_retry_after("0", then), 0);
    ck_assert_uint_eq(http_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", then - 30), 30);
    ck_assert_uint_eq(http_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", then + 30), 0);
    ck_assert_uint_eq(http_retry_after("soon", then), 0);
    ck_assert_uint_eq(http_retry_after("", then), 0);
    ck_assert_uint_eq(http_retry_after("-5", then), 0);
    ck_assert_uint_ge(http_retry_after("99999999999999999999", then), 1000000);
}
END_TEST

START_TEST(pauses_grow_and_come_to_an_end)
{
    struct http_retry retry = {0};
    long pause, longest = 0;
    unsigned n = 0;

    for (; (pause = http_next_pause(&retry, HTTP_BROKEN, 0, 0, 0)) >= 0; n++) {
        ck_assert_int_ge(pause, longest / 4);
        ck_assert_int_le(pause, LIMIT_HTTP_PAUSE);
        if (pause > longest)
            longest = pause;
    }
    ck_assert_uint_eq(n, LIMIT_HTTP_TRIES - 1);
    ck_assert_int_ge(longest, 8000);
}
END_TEST

START_TEST(what_moves_on_is_not_given_up)
{
    struct http_retry retry = {0};

    for (uint64_t i = 1; i < 100; i++)
        ck_assert_int_ge(
            http_next_pause(&retry, HTTP_BROKEN, i * LIMIT_HTTP_PROGRESS, 0, 1), 0);
    /* But not what starts again and again. */
    for (unsigned i = 0; i < LIMIT_HTTP_TRIES; i++)
        (void)http_next_pause(&retry, HTTP_BROKEN, (uint64_t)50 * LIMIT_HTTP_PROGRESS, 0,
                              1);
    ck_assert_int_lt(
        http_next_pause(&retry, HTTP_BROKEN, (uint64_t)50 * LIMIT_HTTP_PROGRESS, 0, 1),
        0);
}
END_TEST

START_TEST(some_failures_are_final)
{
    struct http_retry retry = {0};

    ck_assert_int_lt(http_next_pause(&retry, HTTP_UNTRUSTED, 0, 0, 0), 0);
    ck_assert_int_lt(http_next_pause(&retry, HTTP_STOPPED, 0, 0, 0), 0);
    ck_assert_int_lt(http_next_pause(&retry, HTTP_ANSWERED, 0, LIMIT_RETRY_AFTER + 1, 0),
                     0);
    memset(&retry, 0, sizeof(retry));
    ck_assert_int_ge(http_next_pause(&retry, HTTP_ANSWERED, 0, 3, 0), 3000);
    ck_assert(http_is_transient(429));
    ck_assert(http_is_transient(503));
    ck_assert(!http_is_transient(404));
    ck_assert(!http_is_transient(200));
}
END_TEST

START_TEST(proxies_come_from_the_environment_given)
{
    static const char *const environ[] = {"HTTP_PROXY=http://of-a-request.org",
                                          "https_proxy=",
                                          "HTTPS_PROXY=http://s:1",
                                          "all_proxy=http://all:2",
                                          "NO_PROXY=a,.b",
                                          NULL};
    static const char *const lower[] = {"http_proxy=http://h:3", NULL};

    (void)setenv("http_proxy", "http://wrong", 1);
    (void)setenv("no_proxy", "wrong", 1);
    ck_assert_str_eq(http_proxy(environ, true), "http://s:1");
    ck_assert_str_eq(http_proxy(environ, false), "http://all:2");
    ck_assert_str_eq(http_no_proxy(environ), "a,.b");
    ck_assert_str_eq(http_proxy(lower, false), "http://h:3");
    ck_assert_str_eq(http_proxy(lower, true), "");
    ck_assert_str_eq(http_proxy(NULL, true), "");
    ck_assert_str_eq(http_no_proxy(NULL), "");
}
END_TEST

START_TEST(no_password_of_a_proxy_is_told)
{
    struct vitrine_error err = {0};

    ck_assert_int_eq(http_fail(&err, CURLE_COULDNT_CONNECT, "https://r.site:5000/v2/",
                               "http://me:secret@p.site:3128/", "refused"),
                     -1);
    ck_assert_int_eq(err.code, VITRINE_ENETWORK);
    ck_assert_msg(!strstr(err.text, "secret"), "%s", err.text);
    ck_assert_msg(strstr(err.text, "p.site:3128") && strstr(err.text, "r.site:5000"),
                  "%s", err.text);
}
END_TEST

START_TEST(queries_are_escaped)
{
    char *text = http_escape("repository:a/b-c_d.e~:pull &?\xc3\xa9");

    ck_assert_str_eq(text, "repository%3Aa%2Fb-c_d.e~%3Apull%20%26%3F%C3%A9");
    free(text);
}
END_TEST

static Suite *http_rules_suite(void)
{
    Suite *suite = suite_create("http_rules");
    TCase *tc = tcase_create("http_rules");

    tcase_add_test(tc, digests_are_those_of_fips_180);
    tcase_add_test(tc, origins_are_scheme_host_and_port);
    tcase_add_test(tc, redirects_keep_to_https);
    tcase_add_test(tc, retry_after_is_seconds_or_a_date);
    tcase_add_test(tc, pauses_grow_and_come_to_an_end);
    tcase_add_test(tc, what_moves_on_is_not_given_up);
    tcase_add_test(tc, some_failures_are_final);
    tcase_add_test(tc, proxies_come_from_the_environment_given);
    tcase_add_test(tc, no_password_of_a_proxy_is_told);
    tcase_add_test(tc, queries_are_escaped);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(http_rules_suite)
