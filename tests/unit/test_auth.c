/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/auth.h"
#include "http-server.h"

#include <pthread.h>

/* Counters and texts of the token server. */
enum { FETCHED };
enum { QUERY, LOGIN, BODY };

static struct server server;
static struct credentials nobody,
    user = {.user = (char *)"me", .password = (char *)"p:w"};
static struct credentials identity = {.user = (char *)"<token>",
                                      .identity_token = (char *)"re fresh&"};

static const char *document_of(const char *path)
{
    if (strncmp(path, "/no-token", 9) == 0)
        return "{\"token\":\"\",\"expires_in\":60}";
    if (strncmp(path, "/bad-token", 10) == 0)
        return "{\"token\":\"a\\r\\nX-Evil: b\"}";
    if (strncmp(path, "/no-json", 8) == 0)
        return "<html>";
    return NULL;
}

static bool answer(struct server *s, int fd, const struct server_request *request)
{
    unsigned n = atomic_fetch_add(&s->shared->n[FETCHED], 1);
    const char *document = document_of(request->path);
    char body[128];

    (void)snprintf(s->shared->text[QUERY], 512, "%.500s", request->path);
    (void)snprintf(s->shared->text[BODY], 512, "%.500s", request->body);
    (void)server_header(request, "Authorization", s->shared->text[LOGIN], 512);
    if (strncmp(request->path, "/refuse", 7) == 0)
        return server_reply(fd, "401 Unauthorized", "",
                            "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"no "
                            "\\u001b[31mway\"}]}");
    if (strncmp(request->path, "/slow", 5) == 0)
        (void)poll(NULL, 0, 200);
    (void)snprintf(body, sizeof(body), "{\"%s\":\"t%u\",\"expires_in\":%d}",
                   request->body[0] ? "access_token" : "token", n,
                   strncmp(request->path, "/short", 6) == 0 ? 1 : 300);
    return server_reply(fd, "200 OK", "", document ? document : body);
}

static void set_up(void)
{
    memset(&server, 0, sizeof(server));
    server.answer = answer;
    server_start(&server);
}

static void tear_down(void)
{
    server_end(&server);
}

static struct http *open_http(void)
{
    struct http_settings settings = {.allow_http = true, .pause_ms = 1};
    struct vitrine_error err = {0};
    struct http *http = http_open(&settings, &err);

    ck_assert_msg(http, "%s", err.text);
    return http;
}

static int challenge(struct auth *auth, const char *path, const char *sent,
                     struct vitrine_error *err)
{
    char header[256];

    (void)snprintf(header, sizeof(header), "Bearer realm=\"%s%s\",service=\"my service\"",
                   server.url, path);
    return auth_challenged(auth, server.url, header, sent, err);
}

static char *get_header(struct auth *auth, struct http *http)
{
    struct vitrine_error err = {0};
    char *header = NULL;

    ck_assert_msg(auth_header(auth, http, &header, &err) == 0, "%s", err.text);
    return header;
}

static void check_header(struct auth *auth, struct http *http, const char *expected)
{
    char *header = get_header(auth, http);

    ck_assert_str_eq(header ? header : "", expected);
    auth_forget(header);
}

START_TEST(nobody_gets_a_token_too)
{
    struct auth *auth = auth_new("reg", "a/b", &nobody);
    struct http *http = open_http();
    struct vitrine_error err = {0};

    check_header(auth, http, "");
    ck_assert_int_eq(challenge(auth, "/token?x=y", NULL, &err), 0);
    check_header(auth, http, "Bearer t0");
    check_header(auth, http, "Bearer t0");
    ck_assert_str_eq(server.shared->text[LOGIN], "");
    ck_assert_str_eq(server.shared->text[QUERY], "/token?x=y&service=my%20service&scope="
                                                 "repository%3Aa%2Fb%3Apull");
    http_close(http);
    auth_free(auth);
}
END_TEST

START_TEST(a_password_is_shown_to_the_realm_only)
{
    struct auth *auth = auth_new("reg", "a/b", &user);
    struct http *http = open_http();
    struct vitrine_error err = {0};

    check_header(auth, http, ""); /* not before it is asked for */
    ck_assert_int_eq(challenge(auth, "/token", NULL, &err), 0);
    check_header(auth, http, "Bearer t0");
    ck_assert_str_eq(server.shared->text[LOGIN], "Basic bWU6cDp3");
    http_close(http);
    auth_free(auth);
}
END_TEST

START_TEST(basic_is_sent_where_it_is_wanted)
{
    static const char *const passwords[] = {"", "a", "ab", "abc"};
    static const char *const expected[] = {
        "Basic bWU6", "Basic bWU6YQ==", "Basic bWU6YWI=", "Basic bWU6YWJj"};
    struct http *http = open_http();
    struct vitrine_error err = {0};

    for (size_t i = 0; i < 4; i++) {
        struct credentials login = {.user = (char *)"me",
                                    .password = (char *)passwords[i]};
        struct auth *auth = auth_new("reg", "a/b", &login);

        ck_assert_int_eq(auth_challenged(auth, "https://reg", "Basic", NULL, &err), 0);
        check_header(auth, http, expected[i]);
        auth_free(auth);
    }
    http_close(http);
}
END_TEST

START_TEST(an_identity_token_is_posted)
{
    struct auth *auth = auth_new("reg", "a/b", &identity);
    struct http *http = open_http();
    struct vitrine_error err = {0};

    ck_assert_int_eq(challenge(auth, "/token", NULL, &err), 0);
    check_header(auth, http, "Bearer t0");
    ck_assert_str_eq(server.shared->text[BODY],
                     "grant_type=refresh_token&client_id=vitrine&service=my%20service&"
                     "scope=repository%3Aa%2Fb%3Apull&refresh_token=re%20fresh%26");
    ck_assert_str_eq(server.shared->text[LOGIN], "");
    http_close(http);
    auth_free(auth);
}
END_TEST

START_TEST(tokens_are_renewed)
{
    struct auth *auth = auth_new("reg", "a/b", &nobody);
    struct http *http = open_http();
    struct vitrine_error err = {0};

    ck_assert_int_eq(challenge(auth, "/short", NULL, &err), 0);
    check_header(auth, http, "Bearer t0");
    (void)poll(NULL, 0, 1100);
    check_header(auth, http, "Bearer t1");
    /* After a 401 at once, from another realm now. */
    ck_assert_int_eq(challenge(auth, "/token", "Bearer t1", &err), 0);
    check_header(auth, http, "Bearer t2");
    /* Who was refused with an old one does not throw the new one away. */
    ck_assert_int_eq(challenge(auth, "/token", "Bearer t0", &err), 0);
    check_header(auth, http, "Bearer t2");
    http_close(http);
    auth_free(auth);
}
END_TEST

static struct auth *shared_auth;

static void *get_one(void *arg)
{
    struct http *http = arg;

    check_header(shared_auth, http, "Bearer t0");
    return NULL;
}

START_TEST(one_thread_fetches_the_token_for_all)
{
    pthread_t threads[4];
    struct http *https[4];
    struct vitrine_error err = {0};

    shared_auth = auth_new("reg", "a/b", &nobody);
    ck_assert_int_eq(challenge(shared_auth, "/slow", NULL, &err), 0);
    for (int i = 0; i < 4; i++) {
        https[i] = open_http();
        ck_assert_int_eq(pthread_create(&threads[i], NULL, get_one, https[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        (void)pthread_join(threads[i], NULL);
        http_close(https[i]);
    }
    ck_assert_uint_eq(atomic_load(&server.shared->n[FETCHED]), 1);
    auth_free(shared_auth);
}
END_TEST

START_TEST(realms_that_anybody_could_name_get_nothing)
{
    static const struct {
        const char *url, *realm;
        bool ok;
    } rows[] = {
        {"https://reg/v2/", "https://auth.elsewhere.org/token", true},
        {"https://reg/v2/", "http://reg/token", false},
        {"https://reg/v2/", "http://auth.elsewhere.org/token", false},
        {"http://reg:5000/v2/", "http://reg:5001/token", true},
        {"http://reg:5000/v2/", "http://evil.org/token", false},
        {"http://reg:5000/v2/", "https://reg/token", true},
        {"https://reg/v2/", "https://reg@evil.org/token", false},
        {"https://reg/v2/", "file:///etc/passwd", false},
        {"https://reg/v2/", "token", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct auth *auth = auth_new("reg", "a/b", &user);
        struct vitrine_error err = {0};
        char header[256];
        int rc;

        (void)snprintf(header, sizeof(header), "Bearer realm=\"%s\"", rows[i].realm);
        rc = auth_challenged(auth, rows[i].url, header, NULL, &err);
        ck_assert_msg((rc == 0) == rows[i].ok, "%s: %s", rows[i].realm, err.text);
        auth_free(auth);
    }
}
END_TEST

START_TEST(what_is_no_token_is_an_error)
{
    static const char *const paths[] = {"/no-token", "/bad-token", "/no-json", "/refuse"};

    for (size_t i = 0; i < 4; i++) {
        struct auth *auth = auth_new("reg", "a/b", &nobody);
        struct http *http = open_http();
        struct vitrine_error err = {0};
        char *header = NULL;

        ck_assert_int_eq(challenge(auth, paths[i], NULL, &err), 0);
        ck_assert_int_eq(auth_header(auth, http, &header, &err), -1);
        ck_assert_msg(strstr(err.text, i < 3 ? "has no token" : "needs a login"), "%s",
                      err.text);
        http_close(http);
        auth_free(auth);
    }
}
END_TEST

START_TEST(refusals_name_the_file_and_no_secret)
{
    struct credentials login = {.user = (char *)"me",
                                .password = (char *)"hunter2",
                                .source = "/home/me/.docker/config.json"};
    struct auth *auth = auth_new("reg", "a/b", &login);
    struct http *http = open_http();
    struct vitrine_error err = {0};
    char *header = NULL;

    ck_assert_int_eq(challenge(auth, "/refuse", NULL, &err), 0);
    ck_assert_int_eq(auth_header(auth, http, &header, &err), -1);
    ck_assert_int_eq(err.code, VITRINE_EPERM);
    ck_assert_msg(strstr(err.text, "/home/me/.docker/config.json"), "%s", err.text);
    ck_assert_msg(strstr(err.text, "no ?[31mway"), "%s", err.text);
    ck_assert_msg(!strstr(err.text, "hunter2"), "%s", err.text);
    http_close(http);
    auth_free(auth);
    auth = auth_new("reg", "a/b", &nobody);
    ck_assert_int_eq(auth_challenged(auth, "https://reg", "Basic", NULL, &err), -1);
    ck_assert_msg(strstr(err.text, "needs a login"), "%s", err.text);
    auth_free(auth);
}
END_TEST

static Suite *auth_suite(void)
{
    Suite *suite = suite_create("auth");
    TCase *tc = tcase_create("auth");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, nobody_gets_a_token_too);
    tcase_add_test(tc, a_password_is_shown_to_the_realm_only);
    tcase_add_test(tc, basic_is_sent_where_it_is_wanted);
    tcase_add_test(tc, an_identity_token_is_posted);
    tcase_add_test(tc, tokens_are_renewed);
    tcase_add_test(tc, one_thread_fetches_the_token_for_all);
    tcase_add_test(tc, realms_that_anybody_could_name_get_nothing);
    tcase_add_test(tc, what_is_no_token_is_an_error);
    tcase_add_test(tc, refusals_name_the_file_and_no_secret);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(auth_suite)
