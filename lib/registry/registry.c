/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/registry.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/realuser.h"
#include "registry/endpoint.h"
#include "registry/http-url.h"

#include <string.h>

struct registry {
    struct registry_settings settings;
    struct endpoint *endpoints; /* mirrors, and the registry itself last */
    size_t count;
    atomic_size_t first; /* which of them is asked first: those before it have failed */
};

struct registry_link {
    struct registry *registry;
    bool is_main;
    struct {
        struct http *http;
    } to[]; /* each endpoint */
};

/* All that a server may have; with a list of what is preferred it would choose. */
static const char accept_manifests[] = MANIFEST_TYPE_OCI_INDEX
    ", " MANIFEST_TYPE_OCI ", " MANIFEST_TYPE_DOCKER_LIST ", " MANIFEST_TYPE_DOCKER;

/* --- opening --------------------------------------------------------------------------
 */

static int init_endpoints(struct registry *registry, const struct config_registry *line,
                          struct vitrine_error *err)
{
    const struct registry_settings *settings = &registry->settings;
    const struct registryref *ref = settings->ref;
    struct credentials_lookup lookup = {.home = settings->home,
                                        .environ = settings->environ};
    size_t nmirrors = line ? line->nmirrors : 0;

    for (size_t i = 0; i <= nmirrors; i++) {
        bool is_mirror = i < nmirrors;

        registry->count++;
        if (endpoint_init(&registry->endpoints[i], settings->config, ref->host,
                          is_mirror ? line->mirrors[i] : NULL, ref->repository,
                          is_mirror ? "" : ref->user, &lookup, err) < 0)
            return -1;
    }
    return 0;
}

int registry_open(const struct registry_settings *settings, struct registry **ret,
                  struct vitrine_error *err)
{
    const struct config_registry *line =
        config_registry_for(settings->config, settings->ref->host);
    struct registry *registry = calloc(1, sizeof(*registry));
    size_t nmirrors = line ? line->nmirrors : 0;
    neg_errno rc;

    if (registry)
        registry->endpoints = calloc(nmirrors + 1, sizeof(registry->endpoints[0]));
    if (!registry || !registry->endpoints) {
        registry_close(registry);
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "no memory for a registry");
    }
    registry->settings = *settings;
    /* Credentials are the user's files. */
    rc = realuser_enter();
    if (rc < 0) {
        (void)error_from(err, VITRINE_EINTERNAL, rc, "to become the user");
    } else {
        rc = init_endpoints(registry, line, err);
        if (realuser_leave() < 0)
            rc = vitrine_fail_sys(err, VITRINE_EINTERNAL, "to be oneself again");
    }
    if (rc < 0) {
        registry_close(registry);
        return -1;
    }
    *ret = registry;
    return 0;
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    for (size_t i = 0; i < registry->count; i++)
        endpoint_done(&registry->endpoints[i]);
    free(registry->endpoints);
    free(registry);
}

int registry_link_open(struct registry *registry, bool is_main,
                       struct registry_link **ret, struct vitrine_error *err)
{
    const struct registry_settings *settings = &registry->settings;
    struct registry_link *link =
        calloc(1, sizeof(*link) + registry->count * sizeof(link->to[0]));

    if (!link)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "no memory for connections");
    link->registry = registry;
    link->is_main = is_main;
    for (size_t i = 0; i < registry->count; i++) {
        struct http_settings http = {.ca_file = registry->endpoints[i].ca_file,
                                     .allow_http = registry->endpoints[i].allow_http,
                                     .environ = settings->environ,
                                     .watch = is_main ? settings->watch : NULL,
                                     .stop = settings->stop,
                                     .patience_ms = settings->patience_ms,
                                     .pause_ms = settings->pause_ms};

        link->to[i].http = http_open(&http, err);
        if (!link->to[i].http) {
            registry_link_close(link);
            return -1;
        }
    }
    *ret = link;
    return 0;
}

void registry_link_close(struct registry_link *link)
{
    if (!link)
        return;
    for (size_t i = 0; i < link->registry->count; i++)
        http_close(link->to[i].http);
    free(link);
}

/* --- one endpoint after the other -----------------------------------------------------
 */

struct attempt {
    struct registry_link *link;
    struct endpoint *endpoint;
    struct http *http;
    const char *reference; /* of a manifest */
    const struct manifest_blob *blob;
    struct registry_manifest *manifest;
    const struct registry_part *part;
    uint64_t have; /* of the part */
    struct http_answer *answer;
    bool ranged;
    char *body;
};

static void remark(const struct attempt *attempt, const struct endpoint *next,
                   const struct vitrine_error *why)
{
    const struct vitrine_watch *watch = attempt->link->registry->settings.watch;
    char line[sizeof(why->text) + 400];

    if (!attempt->link->is_main || !watch || !watch->remark)
        return;
    (void)snprintf(line, sizeof(line), "mirror %s: %s; asking %s",
                   attempt->endpoint->host, why->text, next->host);
    watch->remark(watch->arg, line);
}

/* Until `get` has it from one. */
static int try_endpoints(struct attempt *attempt,
                         int (*get)(struct attempt *attempt, struct vitrine_error *err),
                         struct vitrine_error *err)
{
    struct registry *registry = attempt->link->registry;
    struct vitrine_error why = {0};

    for (size_t i = atomic_load(&registry->first);; i++) {
        size_t failed = i;

        attempt->endpoint = &registry->endpoints[i];
        attempt->http = attempt->link->to[i].http;
        if (get(attempt, &why) == 0)
            return 0;
        if (i + 1 == registry->count || why.sys_errno == ECANCELED) {
            if (err)
                *err = why;
            return -1;
        }
        remark(attempt, &registry->endpoints[i + 1], &why);
        (void)atomic_compare_exchange_strong(&registry->first, &failed, i + 1);
    }
}

static int check_digest(const struct attempt *attempt, const char *what,
                        const char *expected, const char *found,
                        struct vitrine_error *err)
{
    if (strcmp(expected, found) == 0)
        return 0;
    return vitrine_fail(err, VITRINE_EFORMAT,
                        "%s gives other bytes as %s of %s than it must: their digest is "
                        "%s, not %s",
                        attempt->endpoint->host, what, attempt->endpoint->repository,
                        found, expected);
}

static int compute_digest(const void *data, size_t size, char ret[DIGEST_TEXT],
                          struct vitrine_error *err)
{
    neg_errno rc = digest_of(data, size, ret);

    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "a digest") : 0;
}

/* --- manifests ------------------------------------------------------------------------
 */

/* Of what was asked for, and of what the registry says to have sent. */
static int check_manifest(const struct attempt *attempt, const struct http_answer *answer,
                          const char *digest, struct vitrine_error *err)
{
    if (registryref_is_digest(attempt->reference) &&
        check_digest(attempt, "manifest", attempt->reference, digest, err) < 0)
        return -1;
    if (!registryref_is_digest(answer->content_digest))
        return 0; /* none, or of another kind */
    return check_digest(attempt, "manifest", answer->content_digest, digest, err);
}

static int get_manifest(struct attempt *attempt, struct vitrine_error *err)
{
    struct registry_manifest *ret = attempt->manifest;
    struct http_request request = {
        .method = "GET", .accept = accept_manifests, .limit = LIMIT_JSON_SIZE};
    struct http_answer answer = {0};
    char path[sizeof("/manifests/") + REGISTRYREF_TAG_MAX];
    char digest[DIGEST_TEXT];
    int rc;

    (void)snprintf(path, sizeof(path), "/manifests/%s", attempt->reference);
    rc = endpoint_get(attempt->endpoint, attempt->http, path, attempt->reference,
                      &request, &answer, err);
    if (rc == 0)
        rc = compute_digest(answer.body ? answer.body : "", answer.size, digest, err);
    if (rc == 0)
        rc = check_manifest(attempt, &answer, digest, err);
    if (rc == 0) {
        memcpy(ret->digest, digest, sizeof(ret->digest));
        memcpy(ret->media_type, answer.content_type, sizeof(ret->media_type));
        ret->size = answer.size;
        ret->json = answer.body ? steal_ptr(&answer.body) : strdup("");
        answer.size = 0;
        if (!ret->json)
            rc = vitrine_fail_sys(err, VITRINE_EINTERNAL, "no memory for a manifest");
    }
    http_clear(&answer);
    return rc;
}

int registry_manifest(struct registry_link *link, const char *reference,
                      struct registry_manifest *ret, struct vitrine_error *err)
{
    struct attempt attempt = {.link = link, .reference = reference, .manifest = ret};

    return try_endpoints(&attempt, get_manifest, err);
}

/* From the headers of an answer without a body, or else with the body. */
static int get_head(struct attempt *attempt, struct vitrine_error *err)
{
    struct registry_manifest *ret = attempt->manifest;
    struct http_request request = {.method = "HEAD", .accept = accept_manifests};
    struct http_answer answer = {0};
    char path[sizeof("/manifests/") + REGISTRYREF_TAG_MAX];
    bool has_digest, is_mute;
    int rc;

    (void)snprintf(path, sizeof(path), "/manifests/%s", attempt->reference);
    rc = endpoint_get(attempt->endpoint, attempt->http, path, attempt->reference,
                      &request, &answer, err);
    has_digest = rc == 0 && registryref_is_digest(answer.content_digest);
    if (has_digest && registryref_is_digest(attempt->reference))
        rc = check_digest(attempt, "manifest", attempt->reference, answer.content_digest,
                          err);
    if (has_digest && rc == 0) {
        memcpy(ret->digest, answer.content_digest, sizeof(ret->digest));
        memcpy(ret->media_type, answer.content_type, sizeof(ret->media_type));
    }
    /* An error without a body does not say why, and some know no HEAD. */
    is_mute = !has_digest && answer.failure == HTTP_ANSWERED && answer.status < 500 &&
              answer.status != 429;
    http_clear(&answer);
    return is_mute ? get_manifest(attempt, err) : rc;
}

int registry_head(struct registry_link *link, const char *reference,
                  struct registry_manifest *ret, struct vitrine_error *err)
{
    struct attempt attempt = {.link = link, .reference = reference, .manifest = ret};

    ret->json = NULL;
    ret->size = 0;
    return try_endpoints(&attempt, get_head, err);
}

/* --- blobs ----------------------------------------------------------------------------
 */

static int get_blob(struct attempt *attempt, struct vitrine_error *err)
{
    const struct manifest_blob *blob = attempt->blob;
    struct http_request request = {.method = "GET", .limit = blob->size, .exact = true};
    struct http_answer answer = {0};
    char path[sizeof("/blobs/") + DIGEST_TEXT];
    char digest[DIGEST_TEXT];
    int rc;

    (void)snprintf(path, sizeof(path), "/blobs/%s", blob->digest);
    rc = endpoint_get(attempt->endpoint, attempt->http, path, blob->digest, &request,
                      &answer, err);
    if (rc == 0)
        rc = compute_digest(answer.body ? answer.body : "", answer.size, digest, err);
    if (rc == 0)
        rc = check_digest(attempt, "a blob", blob->digest, digest, err);
    if (rc == 0) {
        attempt->body = answer.body ? steal_ptr(&answer.body) : strdup("");
        answer.size = 0;
        if (!attempt->body)
            rc = vitrine_fail_sys(err, VITRINE_EINTERNAL, "no memory for a blob");
    }
    http_clear(&answer);
    return rc;
}

int registry_blob(struct registry_link *link, const struct manifest_blob *blob,
                  char **ret, struct vitrine_error *err)
{
    struct attempt attempt = {.link = link, .blob = blob};

    if (blob->size > LIMIT_JSON_SIZE)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "the blob %s has %llu bytes, more than the %lu it may have",
                            blob->digest, (unsigned long long)blob->size,
                            LIMIT_JSON_SIZE);
    if (try_endpoints(&attempt, get_blob, err) < 0)
        return -1;
    *ret = attempt.body;
    return 0;
}

int registry_shortcut_init(struct registry_shortcut *shortcut)
{
    shortcut->url = NULL;
    return pthread_mutex_init(&shortcut->lock, NULL) == 0 ? 0 : -1;
}

void registry_shortcut_done(struct registry_shortcut *shortcut)
{
    free(shortcut->url);
    (void)pthread_mutex_destroy(&shortcut->lock);
}

/* The registry has redirected to `url`, or (NULL) the one before no longer works. */
static void set_shortcut(struct registry_shortcut *shortcut, const char *url)
{
    (void)pthread_mutex_lock(&shortcut->lock);
    free(shortcut->url);
    shortcut->url = url ? strdup(url) : NULL;
    (void)pthread_mutex_unlock(&shortcut->lock);
}

static char *copy_shortcut(struct registry_shortcut *shortcut)
{
    char *url = NULL;

    (void)pthread_mutex_lock(&shortcut->lock);
    if (shortcut->url)
        url = strdup(shortcut->url);
    (void)pthread_mutex_unlock(&shortcut->lock);
    return url;
}

/*
 * 1: done. 0: not there, or no longer; signed URLs end after some minutes (403), so the
 * registry is asked for another one.
 */
static int take_shortcut(struct attempt *attempt, struct http_request *request,
                         struct vitrine_error *err)
{
    cleanup_free char *url = copy_shortcut(attempt->part->shortcut);
    struct http_answer answer = {0};
    int rc;

    if (!url)
        return 0;
    request->url = url;
    rc = http_get(attempt->http, request, &answer, err);
    request->url = NULL;
    request->have = attempt->have = answer.taken;
    attempt->ranged = answer.ranged;
    if (rc < 0 && answer.failure == HTTP_STOPPED)
        rc = -1;
    else if (rc == 0 && answer.status >= 200 && answer.status <= 299)
        rc = 1;
    else
        rc = 0;
    http_clear(&answer);
    if (rc == 0)
        set_shortcut(attempt->part->shortcut, NULL);
    return rc;
}

/* The part's sink. Others shall take the shortcut before this part is done. */
static bool take_part(void *arg, const void *data, size_t size)
{
    struct attempt *attempt = arg;
    const struct http_answer *answer = attempt->answer;

    if (answer && answer->elsewhere && answer->location)
        set_shortcut(attempt->part->shortcut, answer->location);
    attempt->answer = NULL;
    return attempt->part->sink(attempt->part->arg, data, size);
}

static int get_part(struct attempt *attempt, struct vitrine_error *err)
{
    const struct registry_part *part = attempt->part;
    struct http_request request = {.method = "GET",
                                   .range_start = part->start,
                                   .range_size = part->size,
                                   .have = attempt->have,
                                   .sink = take_part,
                                   .arg = attempt,
                                   .limit = part->blob->size,
                                   .exact = true};
    struct http_answer answer = {0};
    char path[sizeof("/blobs/") + DIGEST_TEXT];
    int rc = take_shortcut(attempt, &request, err);

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    (void)snprintf(path, sizeof(path), "/blobs/%s", part->blob->digest);
    attempt->answer = &answer;
    rc = endpoint_get(attempt->endpoint, attempt->http, path, part->blob->digest,
                      &request, &answer, err);
    attempt->answer = NULL;
    attempt->have = answer.taken;
    attempt->ranged = answer.ranged;
    http_clear(&answer);
    return rc;
}

int registry_fetch(struct registry_link *link, const struct registry_part *part,
                   bool *ret_ranged, struct vitrine_error *err)
{
    struct attempt attempt = {.link = link, .part = part};

    if (try_endpoints(&attempt, get_part, err) < 0)
        return -1;
    *ret_ranged = attempt.ranged;
    return 0;
}
