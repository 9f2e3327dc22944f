/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Against a registry whose repositories are named for what is wrong with them.
 * Credentials have a test of their own; here there are those that a test sets.
 */
#include "base/limits.h"
#include "http-server.h"
#include "source/source.h"
#include "registry/credentials.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

/* Of several parts, of one part to the byte, small, empty. */
#define NLAYERS 5
static const size_t sizes[NLAYERS] = {3 * LIMIT_FETCH_PART + 12345, 100, 0,
                                      LIMIT_FETCH_PART, 2 * LIMIT_FETCH_PART};
static char *contents[NLAYERS];
static struct manifest_blob layers[NLAYERS];

static const char config_json[] = "{\"architecture\":\"amd64\",\"os\":\"linux\"}";
static struct manifest_blob config_blob;
static char manifest_json[4096], index_json[4096];
static char manifest_digest[DIGEST_TEXT], index_digest[DIGEST_TEXT];

static struct server server, store;
static const char *the_user, *the_password;

/* What a server counts. */
enum { BLOBS, TOKENS, GENERATION, HEADS, GETS };

int credentials_find(const struct credentials_lookup *lookup, const char *host,
                     const char *repository, const char *user, struct credentials *ret,
                     struct vitrine_error *err)
{
    memset(ret, 0, sizeof(*ret));
    if (the_user) {
        ret->user = strdup(the_user);
        ret->password = strdup(the_password);
    }
    return 0;
}

void credentials_free(struct credentials *credentials)
{
    free(credentials->user);
    free(credentials->password);
}

/* --- what the registry has ------------------------------------------------------------
 */

static void make_image(void)
{
    size_t n;

    for (size_t i = 0; i < NLAYERS; i++) {
        contents[i] = malloc(sizes[i] + 1);
        for (size_t j = 0; j < sizes[i]; j++)
            contents[i][j] = (char)((j + i) * 2654435761U >> 13);
        ck_assert_int_eq(digest_of(contents[i], sizes[i], layers[i].digest), 0);
        layers[i].size = sizes[i];
    }
    config_blob.size = strlen(config_json);
    ck_assert_int_eq(digest_of(config_json, config_blob.size, config_blob.digest), 0);
    n = (size_t)snprintf(manifest_json, sizeof(manifest_json),
                         "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_TYPE_OCI "\","
                         "\"config\":{\"mediaType\":"
                         "\"application/vnd.oci.image.config.v1+json\","
                         "\"digest\":\"%s\",\"size\":%zu},\"layers\":[",
                         config_blob.digest, (size_t)config_blob.size);
    for (size_t i = 0; i < NLAYERS; i++)
        n += (size_t)snprintf(
            manifest_json + n, sizeof(manifest_json) - n,
            "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\","
            "\"digest\":\"%s\",\"size\":%zu}",
            i ? "," : "", layers[i].digest, sizes[i]);
    (void)snprintf(manifest_json + n, sizeof(manifest_json) - n, "]}");
    ck_assert_int_eq(digest_of(manifest_json, strlen(manifest_json), manifest_digest), 0);
    (void)snprintf(
        index_json, sizeof(index_json),
        "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_TYPE_OCI_INDEX "\","
        "\"manifests\":[{\"mediaType\":\"" MANIFEST_TYPE_OCI "\",\"digest\":\"%s\","
        "\"size\":%zu,\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}}]}",
        manifest_digest, strlen(manifest_json));
    ck_assert_int_eq(digest_of(index_json, strlen(index_json), index_digest), 0);
}

static bool is_repository(const struct server_request *request, const char *name)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/v2/%s/", name);
    return strncmp(request->path, path, strlen(path)) == 0;
}

static bool ask_for_token(struct server *s, int fd)
{
    char headers[256];

    (void)snprintf(headers, sizeof(headers),
                   "WWW-Authenticate: Bearer realm=\"%s/token\",service=\"x\"\r\n",
                   s->url);
    return server_reply(fd, "401 Unauthorized", headers, "{}");
}

static bool give_manifest(struct server *s, int fd, const struct server_request *request,
                          const char *reference)
{
    bool is_index =
        strcmp(reference, "latest") == 0 || strcmp(reference, index_digest) == 0;
    bool is_head = strcmp(request->method, "HEAD") == 0;
    const char *json = is_index ? index_json : manifest_json;
    char head[1024];
    int n;

    if (strcmp(reference, "one") != 0 && strcmp(reference, manifest_digest) != 0 &&
        !is_index)
        return server_reply(fd, "404 Not Found", "",
                            "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":"
                            "\"manifest unknown\"}]}");
    atomic_fetch_add(&s->shared->n[is_head ? HEADS : GETS], 1);
    if (is_repository(request, "lying-manifest"))
        json = config_json;
    n = snprintf(head, sizeof(head),
                 "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n",
                 is_index ? MANIFEST_TYPE_OCI_INDEX : MANIFEST_TYPE_OCI, strlen(json));
    if (!is_repository(request, "mute"))
        n += snprintf(head + n, sizeof(head) - (size_t)n, "Docker-Content-Digest: %s\r\n",
                      is_index ? index_digest : manifest_digest);
    n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
    return server_write(fd, head, (size_t)n) &&
           (is_head || server_write(fd, json, strlen(json)));
}

static bool give_lie(int fd, const struct server_request *request, const char *data,
                     size_t size)
{
    char *copy = malloc(size);

    memcpy(copy, data, size);
    copy[size - 1] ^= 1;
    (void)server_blob(fd, request, copy, size, size);
    free(copy);
    return false;
}

static bool send_to_store(struct server *s, int fd, const struct server_request *request,
                          unsigned count)
{
    char headers[512];

    (void)snprintf(headers, sizeof(headers), "Location: %s%.200s?signature=%u\r\n",
                   s->other->url, request->path, count);
    return server_reply(fd, "307 Temporary Redirect", headers, "");
}

/* A signed URL serves two requests. */
static bool is_expired(struct server *s, const struct server_request *request)
{
    const char *signature = strstr(request->path, "signature=");
    unsigned long n = signature ? strtoul(signature + 10, NULL, 10) : 0;

    return s->shared->text[0][n % sizeof(s->shared->text[0])]++ >= 2;
}

static bool give_data(struct server *s, int fd, const struct server_request *request,
                      const char *data, size_t size)
{
    unsigned count = atomic_fetch_add(&s->shared->n[BLOBS], 1);
    struct server_request plain = {.head = "\r\n"};
    size_t cut = 3000000;

    if (is_repository(request, "redirected") && s->other)
        return send_to_store(s, fd, request, count);
    if (is_repository(request, "redirected") && is_expired(s, request))
        return server_reply(fd, "403 Forbidden", "", "expired");
    if (is_repository(request, "without-ranges"))
        return server_blob(fd, &plain, data, size, size);
    if (is_repository(request, "cut"))
        return server_blob(fd, request, data, size, cut);
    if (is_repository(request, "cut-without-ranges"))
        return server_blob(fd, &plain, data, size, cut * (count + 1));
    if (is_repository(request, "lying"))
        return give_lie(fd, request, data, size);
    if (is_repository(request, "short") && size > 1000)
        return server_blob(fd, request, data, size - 1000, size);
    if (is_repository(request, "gone"))
        return server_reply(fd, "404 Not Found", "", "");
    if (is_repository(request, "silent")) {
        (void)poll(NULL, 0, 60000);
        return false;
    }
    /* Once, in whatever order parts are asked for. */
    if (is_repository(request, "token-ends") && size > 1000000 && count >= 2 &&
        atomic_load(&s->shared->n[GENERATION]) == 0) {
        atomic_fetch_add(&s->shared->n[GENERATION], 1);
        return server_blob(fd, request, data, size, cut);
    }
    return server_blob(fd, request, data, size, size);
}

static bool give_blob(struct server *s, int fd, const struct server_request *request,
                      const char *digest)
{
    size_t n = strcspn(digest, "?");

    if (strncmp(digest, config_blob.digest, n) == 0)
        return server_reply(fd, "200 OK", "", config_json);
    for (size_t i = 0; i < NLAYERS; i++)
        if (strncmp(digest, layers[i].digest, n) == 0)
            return give_data(s, fd, request, contents[i], sizes[i]);
    return server_reply(fd, "404 Not Found", "", "{}");
}

static bool is_let_in(struct server *s, const struct server_request *request)
{
    char value[128], expected[128];

    if (is_repository(request, "private"))
        (void)snprintf(expected, sizeof(expected), "Basic bWU6cHc=");
    else if (is_repository(request, "token-ends"))
        (void)snprintf(expected, sizeof(expected), "Bearer t%u",
                       atomic_load(&s->shared->n[GENERATION]));
    else
        return true;
    (void)server_header(request, "Authorization", value, sizeof(value));
    return strcmp(value, expected) == 0;
}

static bool answer(struct server *s, int fd, const struct server_request *request)
{
    const char *manifest = strstr(request->path, "/manifests/");
    const char *blob = strstr(request->path, "/blobs/");
    char document[64];

    if (strncmp(request->path, "/token", 6) == 0) {
        atomic_fetch_add(&s->shared->n[TOKENS], 1);
        (void)snprintf(document, sizeof(document), "{\"token\":\"t%u\"}",
                       atomic_load(&s->shared->n[GENERATION]));
        return server_reply(fd, "200 OK", "", document);
    }
    if (!is_let_in(s, request))
        return is_repository(request, "private")
                   ? server_reply(fd, "401 Unauthorized",
                                  "WWW-Authenticate: Basic realm=\"x\"\r\n", "")
                   : ask_for_token(s, fd);
    if (manifest)
        return give_manifest(s, fd, request, manifest + 11);
    if (blob)
        return give_blob(s, fd, request, blob + 7);
    return server_reply(fd, "404 Not Found", "", "");
}

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
