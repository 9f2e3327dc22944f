/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_ODD_REGISTRY_H
#define VITRINE_TESTS_ODD_REGISTRY_H

/* A registry whose repositories are named for what is wrong with them. */
#include "base/limits.h"
#include "http-server.h"
#include "registry/credentials.h"
#include "source/source.h"

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

#endif
