/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Credentials have a test of their own; here there are those that a test sets. */
#include "odd_registry.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

/* --- asking it ------------------------------------------------------------------------
 */

static void set_up(void)
{
    if (!contents[0])
        make_image();
    the_user = NULL;
    memset(&server, 0, sizeof(server));
    memset(&store, 0, sizeof(store));
    server_bind(&server);
    server_bind(&store);
    server.answer = store.answer = answer;
    server.other = &store;
    server_start(&server);
    server_start(&store);
}

static void tear_down(void)
{
    server_end(&server);
    server_end(&store);
}

static struct registryref ref;
static struct config *config;

static struct source *open_at(const char *conf, const char *host, const char *repository,
                              const char *tag)
{
    static const struct vitrine_import_spec spec = {.platform = "amd64", .home = "/"};
    struct vitrine_error err = {0};
    struct source *source = NULL;

    memset(&ref, 0, sizeof(ref));
    (void)snprintf(ref.host, sizeof(ref.host), "%s", host);
    (void)snprintf(ref.repository, sizeof(ref.repository), "%s", repository);
    (void)snprintf(ref.tag, sizeof(ref.tag), "%s", tag);
    config_free(config);
    config = NULL;
    ck_assert_msg(config_parse("test", conf, strlen(conf), &config, &err) == 0, "%s",
                  err.text);
    ck_assert_msg(source_registry_open(&ref, config, &spec, &source, &err) == 0, "%s",
                  err.text);
    return source;
}

static struct source *open_source(const char *repository, const char *tag)
{
    char conf[256], host[64];

    (void)snprintf(host, sizeof(host), "127.0.0.1:%d", server.port);
    (void)snprintf(conf, sizeof(conf), "Registry=%s AllowHTTP=yes\n", host);
    return open_at(conf, host, repository, tag);
}

/* 0 if all of a layer came and is right; -1 with *err. */
static int read_layer(struct source *source, size_t i, struct vitrine_error *err)
{
    const void *data;
    size_t size, at = 0;

    for (;;) {
        if (source->ops->read(source, &data, &size, err) < 0)
            return -1;
        if (size == 0)
            break;
        ck_assert_uint_le(at + size, sizes[i]);
        ck_assert_msg(strcmp(ref.repository, "lying") == 0 ||
                          memcmp(contents[i] + at, data, size) == 0,
                      "layer %zu at %zu", i, at);
        at += size;
    }
    ck_assert_uint_eq(at, sizes[i]);
    return 0;
}

static void check_layers(const char *repository)
{
    struct source *source = open_source(repository, "one");
    struct vitrine_error err = {0};
    uint64_t all = 0;

    ck_assert_msg(source->ops->want(source, layers, NLAYERS, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < NLAYERS; i++) {
        ck_assert_msg(read_layer(source, i, &err) == 0, "%s: %s", repository, err.text);
        all += sizes[i];
    }
    /* And one of them again. */
    ck_assert_int_eq(source->ops->want(source, &layers[1], 1, &err), 0);
    ck_assert_msg(read_layer(source, 1, &err) == 0, "%s: %s", repository, err.text);
    ck_assert_uint_eq(source->ops->arrived(source), all + sizes[1]);
    source->ops->close(source);
}

static void check_fails(const char *repository, const char *words)
{
    struct source *source = open_source(repository, "one");
    struct vitrine_error err = {0}, again = {0};
    const void *data;
    size_t size;

    ck_assert_msg(source->ops->want(source, layers, NLAYERS, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < NLAYERS; i++)
        if (read_layer(source, i, &err) < 0)
            break;
    ck_assert_msg(strstr(err.text, words), "%s: \"%s\" is not in \"%s\"", repository,
                  words, err.text);
    ck_assert_int_eq(source->ops->read(source, &data, &size, &again), -1);
    ck_assert_str_eq(again.text, err.text);
    source->ops->close(source);
}

START_TEST(layers_come_in_parts)
{
    check_layers("plain");
    ck_assert_uint_eq(atomic_load(&server.shared->n[BLOBS]), 4 + 1 + 1 + 2 + 1);
}
END_TEST

START_TEST(a_server_without_ranges_is_read_once)
{
    check_layers("without-ranges");
    /* Each of the two large layers was asked for by range first. */
    ck_assert_uint_eq(atomic_load(&server.shared->n[BLOBS]), 2 + 1 + 1 + 2 + 1);
}
END_TEST

START_TEST(parts_that_break_off_go_on)
{
    check_layers("cut");
}
END_TEST

START_TEST(whole_layers_that_break_off_go_on)
{
    check_layers("cut-without-ranges");
}
END_TEST

START_TEST(blob_stores_are_asked_until_they_refuse)
{
    check_layers("redirected");
    /* Nine parts, and some were refused; but not each one asked the registry. */
    ck_assert_uint_ge(atomic_load(&store.shared->n[BLOBS]), 9);
    ck_assert_uint_lt(atomic_load(&server.shared->n[BLOBS]),
                      atomic_load(&store.shared->n[BLOBS]));
}
END_TEST

START_TEST(a_token_may_end_in_the_middle)
{
    check_layers("token-ends");
    ck_assert_uint_ge(atomic_load(&server.shared->n[TOKENS]), 2);
    ck_assert_uint_le(atomic_load(&server.shared->n[TOKENS]), 3);
}
END_TEST

START_TEST(other_bytes_than_the_digest_s_are_an_error)
{
    check_fails("lying", "other bytes as layer sha256:");
    check_fails("short", "and should have");
    check_fails("gone", "has no sha256:");
}
END_TEST

struct stopper {
    struct source *source;
    double at;
};

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *stop_soon(void *arg)
{
    struct stopper *stopper = arg;

    (void)poll(NULL, 0, 300);
    stopper->at = now();
    stopper->source->ops->stop(stopper->source);
    return NULL;
}

START_TEST(it_stops_at_once)
{
    static const char *const repositories[] = {"silent", "plain"};

    for (size_t i = 0; i < 2; i++) {
        struct source *source = open_source(repositories[i], "one");
        struct stopper stopper = {.source = source};
        struct vitrine_error err = {0};
        const void *data;
        pthread_t thread;
        size_t size;

        ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, &stopper), 0);
        ck_assert_int_eq(source->ops->want(source, layers, NLAYERS, &err), 0);
        if (i == 1) /* while the window is full */
            (void)pthread_join(thread, NULL);
        ck_assert_int_eq(source->ops->read(source, &data, &size, &err), -1);
        ck_assert_int_eq(err.sys_errno, ECANCELED);
        source->ops->close(source);
        if (i == 0)
            (void)pthread_join(thread, NULL);
        ck_assert_msg(now() - stopper.at < 0.25, "%s: %f s", repositories[i],
                      now() - stopper.at);
    }
}
END_TEST

START_TEST(nothing_announced_is_an_error)
{
    struct source *source = open_source("plain", "one");
    struct vitrine_error err = {0};
    const void *data;
    size_t size;

    ck_assert_int_eq(source->ops->read(source, &data, &size, &err), -1);
    source->ops->close(source);
}
END_TEST

/* --- manifests ------------------------------------------------------------------------
 */

static void check_resolves(struct source *source)
{
    struct vitrine_error err = {0};
    struct manifest manifest;
    char digest[DIGEST_TEXT], *json = NULL;

    ck_assert_msg(source->ops->find_digest(source, digest, &err) == 0, "%s", err.text);
    ck_assert_str_eq(digest, manifest_digest);
    memset(digest, 0, sizeof(digest));
    ck_assert_msg(source->ops->resolve(source, digest, &manifest, &err) == 0, "%s",
                  err.text);
    ck_assert_str_eq(digest, manifest_digest);
    ck_assert_uint_eq(manifest.nlayers, NLAYERS);
    ck_assert_msg(source->ops->blob(source, &manifest.config, &json, &err) == 0, "%s",
                  err.text);
    ck_assert_str_eq(json, config_json);
    free(json);
    manifest_free(&manifest);
}

static void check_resolves_at(const char *repository, const char *tag)
{
    struct source *source = open_source(repository, tag);

    check_resolves(source);
    source->ops->close(source);
}

START_TEST(tags_lead_to_the_platform_s_manifest)
{
    check_resolves_at("plain", "one");
    ck_assert_uint_eq(atomic_load(&server.shared->n[HEADS]), 1);
    ck_assert_uint_eq(atomic_load(&server.shared->n[GETS]), 1);
    check_resolves_at("plain", "latest");
    /* The index's entry is no index: nothing more is asked for its digest. */
    ck_assert_uint_eq(atomic_load(&server.shared->n[HEADS]), 2);
    ck_assert_uint_eq(atomic_load(&server.shared->n[GETS]), 4);
    check_resolves_at("mute", "one");
    check_resolves_at("mute", "latest");
}
END_TEST

static void check_refused(const char *repository, const char *tag,
                          enum vitrine_errcode code, const char *words)
{
    struct source *source = open_source(repository, tag);
    struct vitrine_error err = {0};
    struct manifest manifest;
    char digest[DIGEST_TEXT];

    ck_assert_int_eq(source->ops->resolve(source, digest, &manifest, &err), -1);
    ck_assert_msg(strstr(err.text, words), "\"%s\" is not in \"%s\"", words, err.text);
    ck_assert_msg(err.code == code, "%d: %s", err.code, err.text);
    source->ops->close(source);
}

START_TEST(what_is_not_there_is_named)
{
    check_refused("plain", "two", VITRINE_ENOIMAGE, "has no two of plain");
    check_refused("plain", "two", VITRINE_ENOIMAGE, "(manifest unknown)");
    check_refused("lying-manifest", "one", VITRINE_EFORMAT, manifest_digest);
}
END_TEST

START_TEST(passwords_open_what_is_private)
{
    check_refused("private", "one", VITRINE_EPERM, "needs a login");
    the_user = "me";
    the_password = "no";
    check_refused("private", "one", VITRINE_EPERM, "refuses the login");
    the_password = "pw";
    check_resolves_at("private", "one");
}
END_TEST

static char remarked[1024];

static void remark(void *arg, const char *line)
{
    (void)snprintf(remarked, sizeof(remarked), "%s", line);
}

START_TEST(mirrors_are_asked_first)
{
    static const struct vitrine_watch watch = {.remark = remark};
    static const struct vitrine_import_spec spec = {
        .platform = "amd64", .home = "/", .watch = &watch};
    struct vitrine_error err = {0};
    struct source *source;
    char conf[512];

    /* The registry itself does not exist. */
    (void)snprintf(
        conf, sizeof(conf),
        "Registry=r.invalid AllowHTTP=yes Mirror=http://127.0.0.1:1/,http://127.0.0.1:%d/"
        "plain/\n",
        server.port);
    source = open_at(conf, "r.invalid", "of/me", "latest");
    check_resolves(source);
    ck_assert_int_eq(source->ops->want(source, layers, NLAYERS, &err), 0);
    for (size_t i = 0; i < NLAYERS; i++)
        ck_assert_msg(read_layer(source, i, &err) == 0, "%s", err.text);
    source->ops->close(source);
    ck_assert_int_eq(source_registry_open(&ref, config, &spec, &source, &err), 0);
    check_resolves(source);
    ck_assert_msg(strstr(remarked, "mirror 127.0.0.1:1: "), "%s", remarked);
    source->ops->close(source);
}
END_TEST

START_TEST(http_is_for_administrators_to_allow)
{
    struct vitrine_error err = {0};
    struct source *source;
    char host[64], digest[DIGEST_TEXT];

    (void)snprintf(host, sizeof(host), "127.0.0.1:%d", server.port);
    source = open_at("", host, "plain", "one");
    ck_assert_int_eq(source->ops->find_digest(source, digest, &err), -1);
    ck_assert_msg(strstr(err.text, "AllowHTTP=yes"), "%s", err.text);
    ck_assert_uint_eq(atomic_load(&server.shared->requests), 0);
    source->ops->close(source);
}
END_TEST

static Suite *source_registry_suite(void)
{
    Suite *suite = suite_create("source_registry");
    TCase *tc = tcase_create("source_registry");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, layers_come_in_parts);
    tcase_add_test(tc, a_server_without_ranges_is_read_once);
    tcase_add_test(tc, parts_that_break_off_go_on);
    tcase_add_test(tc, whole_layers_that_break_off_go_on);
    tcase_add_test(tc, blob_stores_are_asked_until_they_refuse);
    tcase_add_test(tc, a_token_may_end_in_the_middle);
    tcase_add_test(tc, other_bytes_than_the_digest_s_are_an_error);
    tcase_add_test(tc, it_stops_at_once);
    tcase_add_test(tc, nothing_announced_is_an_error);
    tcase_add_test(tc, tags_lead_to_the_platform_s_manifest);
    tcase_add_test(tc, what_is_not_there_is_named);
    tcase_add_test(tc, passwords_open_what_is_private);
    tcase_add_test(tc, mirrors_are_asked_first);
    tcase_add_test(tc, http_is_for_administrators_to_allow);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(source_registry_suite)
