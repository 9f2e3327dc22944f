/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/auth.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "registry/answer.h"
#include "registry/challenge.h"
#include "registry/http-url.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

/* A token is renewed so long before its end: what is under way when it ends is served. */
#define MARGIN 10

struct auth {
    const char *host, *repository;
    const struct credentials *credentials;
    pthread_mutex_t lock; /* of all below; held while a token is fetched */
    struct challenge challenge;
    char *header; /* "Bearer TOKEN", "Basic ..." or NULL */
    time_t until; /* when a bearer's has to be renewed */
};

struct auth *auth_new(const char *host, const char *repository,
                      const struct credentials *credentials)
{
    struct auth *auth = calloc(1, sizeof(*auth));

    if (!auth)
        return NULL;
    auth->host = host;
    auth->repository = repository;
    auth->credentials = credentials;
    if (pthread_mutex_init(&auth->lock, NULL) != 0) {
        free(auth);
        return NULL;
    }
    return auth;
}

void auth_forget(char *header)
{
    if (header)
        explicit_bzero(header, strlen(header));
    free(header);
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    auth_forget(auth->header);
    (void)pthread_mutex_destroy(&auth->lock);
    free(auth);
}

static void cleanup_secretp(char **secret)
{
    auth_forget(*secret);
}

#define cleanup_secret __attribute__((cleanup(cleanup_secretp)))

static bool has_login(const struct auth *auth)
{
    return auth->credentials->user && auth->credentials->password;
}

static int fail_memory(struct vitrine_error *err)
{
    return vitrine_fail_sys(err, VITRINE_EINTERNAL, "no memory for a login");
}

/* --- Basic ----------------------------------------------------------------------------
 */

/* RFC 4648. Room for the result: 4 bytes for every 3, and one. */
static void encode_base64(const unsigned char *data, size_t size, char *to)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < size; i += 3) {
        size_t n = size - i < 3 ? size - i : 3;
        unsigned long v = (unsigned long)data[i] << 16;

        if (n > 1)
            v |= (unsigned long)data[i + 1] << 8;
        if (n > 2)
            v |= data[i + 2];
        *to++ = digits[v >> 18];
        *to++ = digits[v >> 12 & 63];
        *to++ = '=';
        *to++ = '=';
        if (n > 1)
            to[-2] = digits[v >> 6 & 63];
        if (n > 2)
            to[-1] = digits[v & 63];
    }
    *to = '\0';
}

/* RFC 7617. NULL: no memory. */
static char *make_basic(const struct credentials *credentials)
{
    static const char scheme[] = "Basic ";
    cleanup_secret char *plain = NULL;
    size_t n = strlen(credentials->user) + 1 + strlen(credentials->password);
    char *header = malloc(sizeof(scheme) + (n + 2) / 3 * 4);

    if (!header ||
        asprintf(&plain, "%s:%s", credentials->user, credentials->password) < 0) {
        plain = NULL;
        free(header);
        return NULL;
    }
    memcpy(header, scheme, sizeof(scheme));
    encode_base64((const unsigned char *)plain, n, header + sizeof(scheme) - 1);
    return header;
}

/* --- bearer tokens --------------------------------------------------------------------
 */

/* "service=...&scope=repository:...:pull", for a query or a form. */
static char *make_parameters(const struct auth *auth)
{
    cleanup_free char *service = http_escape(auth->challenge.service);
    cleanup_free char *repository = http_escape(auth->repository);
    char *text = NULL;

    if (!service || !repository ||
        asprintf(&text, "service=%s&scope=repository%%3A%s%%3Apull", service,
                 repository) < 0)
        return NULL;
    return text;
}

/* The realm with these parameters added to its own. */
static char *make_url(const char *realm, const char *parameters)
{
    const char *fragment = strchr(realm, '#');
    int n = fragment ? (int)(fragment - realm) : (int)strlen(realm);
    char *url = NULL;

    if (asprintf(&url, "%.*s%c%s", n, realm, strchr(realm, '?') ? '&' : '?', parameters) <
        0)
        return NULL;
    return url;
}

/* docker/distribution, "Token Authentication Specification". */
static int ask_with_password(const struct auth *auth, struct http *http,
                             const char *parameters, struct http_answer *answer,
                             struct vitrine_error *err)
{
    cleanup_secret char *basic = NULL;
    cleanup_free char *url = make_url(auth->challenge.realm, parameters);
    struct http_request request = {
        .url = url, .method = "GET", .accept = "application/json", .limit = LIMIT_TOKEN};

    if (!url || (has_login(auth) && !(basic = make_basic(auth->credentials))))
        return fail_memory(err);
    request.authorization = basic;
    return http_get(http, &request, answer, err);
}

/* The same, "OAuth2 Token Authentication". */
static int ask_with_refresh_token(const struct auth *auth, struct http *http,
                                  const char *parameters, struct http_answer *answer,
                                  struct vitrine_error *err)
{
    cleanup_secret char *token = http_escape(auth->credentials->identity_token);
    cleanup_secret char *body = NULL;
    struct http_request request = {.url = auth->challenge.realm,
                                   .method = "POST",
                                   .accept = "application/json",
                                   .limit = LIMIT_TOKEN};

    if (!token || asprintf(&body,
                           "grant_type=refresh_token&client_id=vitrine&%s"
                           "&refresh_token=%s",
                           parameters, token) < 0) {
        body = NULL;
        return fail_memory(err);
    }
    request.body = body;
    return http_get(http, &request, answer, err);
}

static time_t now(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static int take_token(struct auth *auth, const struct http_answer *answer,
                      struct vitrine_error *err)
{
    cleanup_secret char *token = NULL;
    char *header = NULL;
    unsigned seconds;

    if (answer_token(answer, &token, &seconds, err) < 0)
        return -1;
    if (asprintf(&header, "Bearer %s", token) < 0)
        return fail_memory(err);
    auth->header = header;
    auth->until = now() + (seconds > 4 * MARGIN ? seconds - MARGIN : seconds * 3 / 4);
    return 0;
}

static int fetch_token(struct auth *auth, struct http *http, struct vitrine_error *err)
{
    cleanup_free char *parameters = make_parameters(auth);
    struct http_answer answer = {0};
    char host[310];
    int rc;

    if (!parameters)
        return fail_memory(err);
    http_host(auth->challenge.realm, host, sizeof(host));
    if (auth->credentials->identity_token)
        rc = ask_with_refresh_token(auth, http, parameters, &answer, err);
    else
        rc = ask_with_password(auth, http, parameters, &answer, err);
    if (rc == 0 && answer.status == 200) {
        rc = take_token(auth, &answer, err);
        if (rc < 0)
            (void)vitrine_wrap(err, "a token for %s from %s", auth->host, host);
    } else if (rc == 0) {
        rc = auth_fail(auth, &answer, err);
    } else {
        (void)vitrine_wrap(err, "a token for %s", auth->host);
    }
    http_clear(&answer);
    return rc;
}

/* --- what others call -----------------------------------------------------------------
 */

int auth_header(struct auth *auth, struct http *http, char **ret,
                struct vitrine_error *err)
{
    int rc = 0;

    (void)pthread_mutex_lock(&auth->lock);
    if (auth->challenge.scheme == CHALLENGE_BEARER && auth->header &&
        now() >= auth->until) {
        auth_forget(auth->header);
        auth->header = NULL;
    }
    if (auth->challenge.scheme == CHALLENGE_BEARER && !auth->header)
        rc = fetch_token(auth, http, err);
    else if (auth->challenge.scheme == CHALLENGE_BASIC && !auth->header &&
             !(auth->header = make_basic(auth->credentials)))
        rc = fail_memory(err);
    if (rc == 0) {
        *ret = auth->header ? strdup(auth->header) : NULL;
        if (auth->header && !*ret)
            rc = fail_memory(err);
    }
    (void)pthread_mutex_unlock(&auth->lock);
    return rc;
}

static int check_realm(const struct auth *auth, const char *url, const char *realm,
                       struct vitrine_error *err)
{
    if (http_is_https(realm) || (!http_is_https(url) && http_same_host(url, realm)))
        return 0;
    return vitrine_fail(err, VITRINE_EPOLICY,
                        "%s wants a token from \"%.200s\", which is not https, so no "
                        "login is sent there",
                        auth->host, realm);
}

int auth_challenged(struct auth *auth, const char *url, const char *challenge,
                    const char *sent, struct vitrine_error *err)
{
    static const struct http_answer silent = {.status = 401};
    struct challenge wanted;
    int rc = 0;

    challenge_parse(challenge, &wanted);
    if (wanted.scheme == CHALLENGE_BEARER &&
        check_realm(auth, url, wanted.realm, err) < 0)
        return -1;
    (void)pthread_mutex_lock(&auth->lock);
    if (wanted.scheme == CHALLENGE_NONE ||
        (wanted.scheme == CHALLENGE_BASIC && !has_login(auth))) {
        rc = auth_fail(auth, &silent, err);
    } else if (!auth->header || (sent && strcmp(auth->header, sent) == 0)) {
        /* Otherwise another thread has a newer one by now. */
        auth_forget(auth->header);
        auth->header = NULL;
        auth->challenge = wanted;
    }
    (void)pthread_mutex_unlock(&auth->lock);
    return rc;
}

int auth_fail(const struct auth *auth, const struct http_answer *answer,
              struct vitrine_error *err)
{
    const struct credentials *credentials = auth->credentials;
    char message[256];

    answer_message(answer, message, sizeof(message));
    if (answer->status != 401 && answer->status != 403 && answer->status != 400)
        return vitrine_fail(err, VITRINE_ENETWORK,
                            "a token for %s: the server answers %ld%s", auth->host,
                            answer->status, message);
    if (has_login(auth) || credentials->identity_token)
        return vitrine_fail(err, VITRINE_EPERM,
                            "%s refuses the login of %s for %s%s; renew it with 'podman "
                            "login %s' or 'docker login %s'",
                            auth->host,
                            credentials->source[0] ? credentials->source : "the user",
                            auth->repository, message, auth->host, auth->host);
    return vitrine_fail(err, VITRINE_EPERM,
                        "%s needs a login for %s, or has no such image%s; log in with "
                        "'podman login %s' or 'docker login %s'",
                        auth->host, auth->repository, message, auth->host, auth->host);
}
