/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/endpoint.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "registry/answer.h"
#include "registry/http-url.h"

#include <string.h>
#include <strings.h>

/* Docker Hub answers to one name, and serves from another. */
#define HUB         "docker.io"
#define HUB_ADDRESS "registry-1.docker.io"

static int fail_memory(struct vitrine_error *err)
{
    return vitrine_fail_sys(err, VITRINE_EINTERNAL, "no memory for a registry");
}

/* --- what it is -----------------------------------------------------------------------
 */

/* "https://host:port/prefix" to its parts. */
static int set_mirror(struct endpoint *endpoint, const char *url, const char *repository,
                      struct vitrine_error *err)
{
    bool https = strncasecmp(url, "https://", 8) == 0;
    const char *host, *slash;
    size_t n, prefix;

    if (!https && strncasecmp(url, "http://", 7) != 0)
        return vitrine_fail(err, VITRINE_ECONFIG, "Mirror=%s is no http or https URL",
                            url);
    host = url + (https ? 8 : 7);
    n = strcspn(host, "/");
    slash = host + n + strspn(host + n, "/");
    prefix = strlen(slash);
    while (prefix > 0 && slash[prefix - 1] == '/')
        prefix--;
    endpoint->host = strndup(host, n);
    if (asprintf(&endpoint->repository, "%.*s%s%s", (int)prefix, slash,
                 prefix > 0 ? "/" : "", repository) < 0)
        endpoint->repository = NULL;
    endpoint->scheme = https ? "https" : "http";
    endpoint->is_mirror = true;
    return 0;
}

static void set_config(struct endpoint *endpoint, const struct config *config,
                       const char *registry)
{
    const struct config_registry *line = config_registry_for(config, endpoint->host);

    if (!line)
        line = config_registry_for(config, registry);
    if (!line)
        return;
    endpoint->ca_file = line->ca_file;
    endpoint->allow_http = line->allow_http;
}

int endpoint_init(struct endpoint *ret, const struct config *config, const char *host,
                  const char *url, const char *repository, const char *user,
                  const struct credentials_lookup *lookup, struct vitrine_error *err)
{
    if (pthread_mutex_init(&ret->lock, NULL) != 0)
        return fail_memory(err);
    if (url && set_mirror(ret, url, repository, err) < 0)
        return -1;
    if (!url) {
        ret->host = strdup(host);
        ret->repository = strdup(repository);
    }
    if (!ret->host || !ret->repository)
        return fail_memory(err);
    ret->address = strdup(strcmp(ret->host, HUB) == 0 ? HUB_ADDRESS : ret->host);
    set_config(ret, config, host);
    if (ret->scheme && strcmp(ret->scheme, "http") == 0 && !ret->allow_http)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "Mirror=%s is http://, which needs AllowHTTP=yes in the "
                            "line of Registry=%s, or in one of Registry=%s",
                            url, host, ret->host);
    if (!ret->allow_http)
        ret->scheme = "https";
    if (credentials_find(lookup, ret->host, ret->repository, user, &ret->credentials,
                         err) < 0)
        return -1;
    ret->auth = auth_new(ret->host, ret->repository, &ret->credentials);
    return ret->address && ret->auth ? 0 : fail_memory(err);
}

void endpoint_done(struct endpoint *endpoint)
{
    auth_free(endpoint->auth);
    credentials_free(&endpoint->credentials);
    free(endpoint->host);
    free(endpoint->address);
    free(endpoint->repository);
    (void)pthread_mutex_destroy(&endpoint->lock);
}

/* --- what it answers ------------------------------------------------------------------
 */

/*
 * Where the administrator allows http, https is tried first, and http used if nobody
 * answers there, or nobody who speaks TLS. A certificate that is not trusted is an error.
 */
static int settle(struct endpoint *endpoint, struct http *http, const char **ret,
                  struct vitrine_error *err)
{
    struct http_request request = {.method = "GET", .limit = LIMIT_HTTP_ERROR};
    struct http_answer answer = {0};
    char *url = NULL;
    int rc = 0;

    request.once = true;
    (void)pthread_mutex_lock(&endpoint->lock);
    if (!endpoint->scheme) {
        if (asprintf(&url, "https://%s/v2/", endpoint->address) < 0) {
            url = NULL;
            rc = fail_memory(err);
        } else {
            request.url = url;
            rc = http_get(http, &request, &answer, err);
        }
        if (rc == 0)
            endpoint->scheme = "https";
        else if (answer.failure == HTTP_UNREACHABLE || answer.failure == HTTP_NO_TLS)
            endpoint->scheme = "http";
    }
    *ret = endpoint->scheme;
    (void)pthread_mutex_unlock(&endpoint->lock);
    http_clear(&answer);
    free(url);
    return *ret ? 0 : rc;
}

static int fail_status(const struct endpoint *endpoint, const struct http_answer *answer,
                       const char *what, struct vitrine_error *err)
{
    const char *host = endpoint->host;
    char message[256], server[310];

    answer_message(answer, message, sizeof(message));
    if (answer->elsewhere) { /* not the registry's own words */
        http_host(answer->location, server, sizeof(server));
        return vitrine_fail(err, VITRINE_ENETWORK,
                            "%s: %s, which has its blobs, answers %ld%s", host, server,
                            answer->status, message);
    }
    if (answer->status == 401 || answer->status == 403)
        return auth_fail(endpoint->auth, answer, err);
    if (answer->status == 404)
        return vitrine_fail(err, VITRINE_ENOIMAGE,
                            "%s has no %s of %s, or not for this user%s", host, what,
                            endpoint->repository, message);
    if (answer->status == 416)
        return vitrine_fail(err, VITRINE_ENETWORK,
                            "%s has less of %s than its manifest says", host, what);
    if (answer->status == 429)
        return vitrine_fail(err, VITRINE_ENETWORK,
                            "%s has had too many requests%s; try again in %u seconds, or "
                            "log in with 'podman login %s' or 'docker login %s'",
                            host, message, answer->retry_after ? answer->retry_after : 60,
                            host, host);
    return vitrine_fail(err, VITRINE_ENETWORK, "%s answers %ld for %s of %s%s", host,
                        answer->status, what, endpoint->repository, message);
}

/* Once more after a 401, and again whenever something has come since. */
static int get_as_user(struct endpoint *endpoint, struct http *http,
                       struct http_request *request, struct http_answer *ret,
                       struct vitrine_error *err)
{
    uint64_t refused_at = UINT64_MAX;

    for (;;) {
        char *header = NULL;
        int rc = auth_header(endpoint->auth, http, &header, err);
        bool again;

        if (rc < 0)
            return -1;
        request->authorization = header;
        rc = http_get(http, request, ret, err);
        request->authorization = NULL;
        request->have = ret->taken;
        again = rc == 0 && ret->status == 401 && ret->challenge[0] &&
                refused_at != ret->taken &&
                !(header && strncmp(header, "Basic ", 6) == 0);
        if (again)
            rc = auth_challenged(endpoint->auth, request->url, ret->challenge, header,
                                 err);
        auth_forget(header);
        if (!again || rc < 0)
            return rc;
        refused_at = ret->taken;
        http_clear(ret);
        ret->taken = refused_at;
    }
}

int endpoint_get(struct endpoint *endpoint, struct http *http, const char *path,
                 const char *what, struct http_request *request, struct http_answer *ret,
                 struct vitrine_error *err)
{
    cleanup_free char *url = NULL;
    const char *scheme;
    int rc;

    if (settle(endpoint, http, &scheme, err) < 0)
        return -1;
    if (asprintf(&url, "%s://%s/v2/%s%s", scheme, endpoint->address, endpoint->repository,
                 path) < 0) {
        url = NULL;
        return fail_memory(err);
    }
    request->url = url;
    rc = get_as_user(endpoint, http, request, ret, err);
    request->url = NULL;
    if (rc == 0 && (ret->status < 200 || ret->status > 299))
        return fail_status(endpoint, ret, what, err);
    return rc;
}
