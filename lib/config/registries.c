/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/registries.h"
#include "base/path.h"
#include "config/syntax.h"
#include "spec/registryname.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define URL_MAX 2000

/* --- Registry --- */

/* In place: as references have it, where Docker Hub's names are one. */
static int read_host(char *host, struct vitrine_error *err)
{
    struct registryref ref;
    struct vitrine_error why;

    if (registryname_host((struct span){host, strlen(host)}, &ref, &why) < 0)
        return vitrine_fail(err, VITRINE_ECONFIG, "Registry=%.100s: %s", host, why.text);
    if (strlen(ref.host) <= strlen(host))
        memcpy(host, ref.host, strlen(ref.host) + 1);
    return 0;
}

/* In place: without slashes at the end. */
static int check_mirror(char *url, struct vitrine_error *err)
{
    size_t scheme = strncasecmp(url, "https://", 8) == 0  ? 8
                    : strncasecmp(url, "http://", 7) == 0 ? 7
                                                          : 0;
    size_t len = strlen(url);
    struct registryref ref;

    if (scheme == 0 || len > URL_MAX || url[strcspn(url, "?#@\\ %")] ||
        registryname_host((struct span){url + scheme, strcspn(url + scheme, "/")}, &ref,
                          NULL) < 0)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "Mirror: '%s' is not https://HOST[:PORT][/PATH]", url);
    while (url[len - 1] == '/')
        url[--len] = '\0';
    return 0;
}

static int read_mirrors(char *list, struct config_registry *ret,
                        struct vitrine_error *err)
{
    for (char *url; (url = syntax_next_item(&list));) {
        if (check_mirror(url, err) < 0)
            return -1;
        char **more = keys_grow(ret->mirrors, ret->nmirrors, sizeof(*more));
        if (!more)
            return keys_fail_memory(err);
        ret->mirrors = more;
        more[ret->nmirrors++] = url;
    }
    return 0;
}

int registries_read(struct parser *p, char *values[KEYS], struct vitrine_error *err)
{
    static const enum key mine[] = {KEY_REGISTRY, KEY_MIRROR, KEY_CA_FILE, KEY_ALLOW_HTTP,
                                    KEYS};
    struct config *config = p->config;
    char *host = values[KEY_REGISTRY];

    if (!host)
        return vitrine_fail(err, VITRINE_ECONFIG, "%s needs a Registry on the same line",
                            key_names[values[KEY_MIRROR]    ? KEY_MIRROR
                                      : values[KEY_CA_FILE] ? KEY_CA_FILE
                                                            : KEY_ALLOW_HTTP]);
    if (keys_allow_only(values, mine, "registry", err) < 0)
        return -1;
    if (!values[KEY_MIRROR] && !values[KEY_CA_FILE] && !values[KEY_ALLOW_HTTP])
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "Registry=%s needs Mirror, CAFile or AllowHTTP on the same "
                            "line",
                            host);
    if (read_host(host, err) < 0)
        return -1;
    struct config_registry *more =
        keys_grow(config->registries, config->nregistries, sizeof(*more));
    if (!more)
        return keys_fail_memory(err);
    config->registries = more;
    more += config->nregistries++;
    *more = (struct config_registry){
        .host = host, .ca_file = values[KEY_CA_FILE], .line = p->line};
    if (values[KEY_CA_FILE] && keys_check_path(KEY_CA_FILE, more->ca_file, err) < 0)
        return -1;
    if (values[KEY_ALLOW_HTTP] &&
        keys_read_yes(KEY_ALLOW_HTTP, values[KEY_ALLOW_HTTP], &more->allow_http, err) < 0)
        return -1;
    return values[KEY_MIRROR] ? read_mirrors(values[KEY_MIRROR], more, err) : 0;
}

/* --- the cache --- */

/* An absolute path, or one that begins with %h; with %u, %h and %% in it. */
static int read_cache_dir(struct config *config, const char *value,
                          struct vitrine_error *err)
{
    bool at_home = strncmp(value, "%h", 2) == 0 && (value[2] == '/' || value[2] == '\0');

    for (const char *c = strchr(value, '%'); c; c = strchr(c + 2, '%'))
        if (c[1] == '\0' || !strchr("uh%", c[1]))
            return vitrine_fail(err, VITRINE_ECONFIG,
                                "CacheDir: '%s' has a %% that is not %%u, %%h or %%%%",
                                value);
    if (keys_check_path(KEY_CACHE_DIR, at_home ? value + 2 : value, NULL) < 0 ||
        strlen(value) >= PATH_MAX / 2)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "CacheDir: '%s' is not an absolute path free of '.', '..', "
                            "and needless slashes",
                            value);
    config->cache_dir = value;
    return 0;
}

static int read_cache_size(struct config *config, const char *value,
                           struct vitrine_error *err)
{
    static const char units[] = "kmgt";
    size_t digits = strspn(value, "0123456789");
    const char *unit =
        value[digits] ? strchr(units, tolower((unsigned char)value[digits])) : NULL;

    if (strcasecmp(value, "none") == 0) {
        config->cache_size = 0;
        return 0;
    }
    if (digits == 0 || digits > 6 || value[0] == '0' || !unit || value[digits + 1])
        return vitrine_fail(
            err, VITRINE_ECONFIG,
            "CacheSize: '%s' is not a size with its unit, as in 500M, 50G "
            "or 2T, nor none",
            value);
    config->cache_size = (uint64_t)strtoul(value, NULL, 10) << (10 * (unit - units + 1));
    return 0;
}

/* Only its form: nodes and submit hosts need not all know the account. */
static int read_cache_owner(struct config *config, const char *value,
                            struct vitrine_error *err)
{
    if (strcmp(value, "root") == 0 || value[strspn(value, "0")] == '\0')
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "CacheOwner cannot be root: it reads what comes from "
                            "registries; make an account for it");
    if (value[strcspn(value, "/:, \t")] || value[0] == '-')
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "CacheOwner: '%s' is not the name of an account", value);
    config->cache_owner = value;
    return 0;
}

int registries_read_cache(struct config *config, enum key key, const char *value,
                          struct vitrine_error *err)
{
    static const char *const words[] = {
        [CONFIG_IMPORT_ON_SUBMIT] = "submit", [CONFIG_IMPORT_ON_NODE] = "node", NULL};

    if (key == KEY_CACHE_DIR)
        return read_cache_dir(config, value, err);
    if (key == KEY_CACHE_SIZE)
        return read_cache_size(config, value, err);
    if (key == KEY_CACHE_OWNER)
        return read_cache_owner(config, value, err);
    int word = keys_read_word(key, value, words, "submit or node", err);
    if (word < 0)
        return -1;
    config->import_on = (enum config_import_on)word;
    return 0;
}

/* --- all of it --- */

static int compare_registries(const void *a, const void *b)
{
    const struct config_registry *x = a, *y = b;
    int order = strcmp(x->host, y->host);

    return order ? order : (x->line > y->line) - (x->line < y->line);
}

int registries_finish(struct parser *p, struct vitrine_error *err)
{
    struct config *config = p->config;
    const char *dir = config->cache_dir;

    if (config->nregistries > 0)
        qsort(config->registries, config->nregistries, sizeof(*config->registries),
              compare_registries);
    for (size_t i = 1; i < config->nregistries; i++) {
        const struct config_registry *one = &config->registries[i - 1], *two = one + 1;

        p->line = two->line;
        if (strcmp(one->host, two->host) == 0)
            return vitrine_fail(err, VITRINE_ECONFIG,
                                "registry '%s' already has a line, %u", two->host,
                                one->line);
    }
    p->line = p->seen[KEY_CACHE_OWNER];
    if (config->cache_owner && (!dir || strstr(dir, "%u") || strstr(dir, "%h")))
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "CacheOwner needs a CacheDir that is the same for all users");
    return 0;
}
