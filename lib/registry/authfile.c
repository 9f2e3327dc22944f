/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user. Of a registry's entries the one for the longest part of the
 * repository's name wins, whatever the order; a helper for that registry goes first, and
 * one for all is asked last, since a config.json that came from a desktop names one.
 */
#include "base/cleanup.h"
#include "registry/credfile.h"
#include "registry/document.h"

#include <strings.h>

/* --- which entry --- */

/*
 * 0: it is of another registry; else the longer the name it is for, the greater. Docker
 * has written "https://HOST/v1/" and the like, where the path means nothing;
 * containers-auth.json(5) has HOST/NAMESPACE/REPOSITORY.
 */
static size_t rank_key(const struct credfile_query *query, const char *key)
{
    bool is_url =
        strncasecmp(key, "https://", 8) == 0 || strncasecmp(key, "http://", 7) == 0;
    const char *host = is_url ? strstr(key, "://") + 3 : key;
    size_t host_len = strcspn(host, "/");
    const char *path = host + host_len + strspn(host + host_len, "/");
    size_t len = strlen(path);

    while (len > 0 && path[len - 1] == '/')
        len--;
    if (!credfile_is_host(query, host, host_len))
        return 0;
    if (len == 0 || is_url ||
        (len == 2 && (memcmp(path, "v1", 2) == 0 || memcmp(path, "v2", 2) == 0)))
        return 1;
    if (strncmp(query->repository, path, len) != 0 ||
        (query->repository[len] && query->repository[len] != '/'))
        return 0;
    return len + 1;
}

/* --- what an entry says --- */

static int digit64(char c)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* The text that is meant; NULL if it is none, or memory is out. */
static char *decode64(const char *text)
{
    size_t len = strlen(text), n = 0;
    char *out = calloc(1, len / 4 * 3 + 4);
    unsigned bits = 0, have = 0;

    while (len > 0 && text[len - 1] == '=')
        len--;
    for (size_t i = 0; out && i < len; i++) {
        int digit = digit64(text[i]);

        if (digit < 0)
            goto bad;
        bits = (bits << 6 | (unsigned)digit) & 0xffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have);
        }
    }
    /* Docker has padded some with NULs; there can be none within. */
    while (out && n > 0 && out[n - 1] == '\0')
        n--;
    if (!out || strlen(out) == n)
        return out;
bad:
    explicit_bzero(out, n);
    free(out);
    return NULL;
}

/* "USER:PASSWORD" in base64. */
static int read_auth(const char *auth, struct credentials *ret, struct vitrine_error *err)
{
    cleanup_secret char *text = decode64(auth);
    char *colon = text ? strchr(text, ':') : NULL;

    if (!colon)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "its 'auth' is not the base64 form of USER:PASSWORD");
    ret->user = strndup(text, (size_t)(colon - text));
    ret->password = strdup(colon + 1);
    if (!ret->user || !ret->password)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    return 0;
}

static int read_entry(struct json_object *entry, struct credentials *ret,
                      struct vitrine_error *err)
{
    const char *auth, *user, *password, *token;

    if (document_string(entry, "auth", &auth, err) < 0 ||
        document_string(entry, "username", &user, err) < 0 ||
        document_string(entry, "password", &password, err) < 0 ||
        document_string(entry, "identitytoken", &token, err) < 0)
        return -1;
    if (auth && auth[0]) {
        if (read_auth(auth, ret, err) < 0)
            return -1;
    } else if (user && user[0] && password) {
        ret->user = strdup(user);
        ret->password = strdup(password);
        if (!ret->user || !ret->password)
            return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    }
    if (token && token[0]) {
        ret->identity_token = strdup(token);
        if (!ret->identity_token)
            return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    }
    return 0;
}

/* --- the best of them --- */

struct search {
    const struct credfile_query *query;
    size_t rank; /* of what is found; 0: nothing */
    struct credentials found;
    const char *helper;
    int rc;
    struct vitrine_error *err;
};

static bool look_at_entry(void *arg, const char *name, struct json_object *value)
{
    struct search *search = arg;
    struct credentials entry = {.user = NULL};
    size_t rank = rank_key(search->query, name);

    if (rank <= search->rank || !value)
        return true;
    search->rc = document_check_object(value, search->err);
    if (search->rc == 0)
        search->rc = read_entry(value, &entry, search->err);
    if (search->rc < 0)
        (void)vitrine_wrap(search->err, "the entry of %.200s", name);
    if (search->rc == 0 && (entry.password || entry.identity_token) &&
        credfile_is_user(search->query, entry.user)) {
        struct credentials old = search->found;

        search->found = entry;
        search->rank = rank;
        entry = old;
    }
    credentials_free(&entry);
    return search->rc == 0;
}

static bool look_at_helper(void *arg, const char *name, struct json_object *value)
{
    struct search *search = arg;
    size_t rank = rank_key(search->query, name);

    if (rank <= search->rank || !value)
        return true;
    search->rc = document_text(value, name, &search->helper, search->err);
    search->rank = rank;
    return search->rc == 0;
}

static int ask_helper(const char *name, const struct credfile_query *query,
                      struct credentials *ret, bool *ret_found, struct vitrine_error *err)
{
    bool hub = query->docker && credfile_is_host(query, "docker.io", 9);

    return credhelper_get(name, hub ? "https://index.docker.io/v1/" : query->host, query,
                          ret, ret_found, err);
}

static int search_helpers(struct json_object *document,
                          const struct credfile_query *query, struct credentials *ret,
                          bool *ret_found, struct vitrine_error *err)
{
    struct search search = {.query = query, .err = err};
    struct json_object *helpers;

    if (document_object(document, "credHelpers", &helpers, err) < 0)
        return -1;
    document_each(helpers, look_at_helper, &search);
    if (search.rc < 0)
        return -1;
    return search.helper && search.helper[0]
               ? ask_helper(search.helper, query, ret, ret_found, err)
               : 0;
}

static int search_entries(struct json_object *document,
                          const struct credfile_query *query, struct credentials *ret,
                          bool *ret_found, struct vitrine_error *err)
{
    struct search search = {.query = query, .err = err};
    struct json_object *entries;

    if (document_object(document, "auths", &entries, err) < 0)
        return -1;
    document_each(entries, look_at_entry, &search);
    if (search.rc < 0) {
        credentials_free(&search.found);
        return -1;
    }
    *ret_found = search.rank > 0;
    *ret = search.found;
    return 0;
}

static int search_document(struct json_object *document,
                           const struct credfile_query *query, struct credentials *ret,
                           bool *ret_found, struct vitrine_error *err)
{
    const char *store;

    if (document_string(document, "credsStore", &store, err) < 0 ||
        search_helpers(document, query, ret, ret_found, err) < 0)
        return -1;
    if (!*ret_found && search_entries(document, query, ret, ret_found, err) < 0)
        return -1;
    if (!*ret_found && store && store[0])
        return ask_helper(store, query, ret, ret_found, err);
    return 0;
}

int authfile_find(const char *text, size_t size, const struct credfile_query *query,
                  struct credentials *ret, bool *ret_found, struct vitrine_error *err)
{
    struct json_object *document = NULL;
    int rc;

    /* podman logout and others leave an empty file. */
    if (size == 0)
        return 0;
    if (document_parse(text, size, &document, err) < 0)
        return -1;
    rc = search_document(document, query, ret, ret_found, err);
    document_wipe(document);
    return rc;
}
