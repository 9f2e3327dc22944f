/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the cache is, and what is said of registries. */
#include "base/cleanup.h"
#include "base/path.h"
#include "config/config.h"
#include "config/keys.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_DEFAULT "%h/.cache/vitrine"

static int compare_host(const void *host, const void *registry)
{
    return strcmp(host, ((const struct config_registry *)registry)->host);
}

const struct config_registry *config_registry_for(const struct config *config,
                                                  const char *host)
{
    if (config->nregistries == 0)
        return NULL;
    return bsearch(host, config->registries, config->nregistries,
                   sizeof(*config->registries), compare_host);
}

/* What stands for %u and %h, of which nothing may lead elsewhere. */
static const char *value_of(char letter, const char *user, const char *home)
{
    if (letter == '%')
        return "%";
    if (letter == 'h')
        return home && path_is_normal(home) && home[1] ? home : NULL;
    return user && user[0] && !strchr(user, '/') && strcmp(user, ".") != 0 &&
                   strcmp(user, "..") != 0
               ? user
               : NULL;
}

static int fail_unknown(const struct config *config, char letter,
                        struct vitrine_error *err)
{
    return vitrine_fail(err, VITRINE_ECONFIG,
                        "cannot tell where imported images are (%s%s): this host does "
                        "not know %s",
                        config->cache_dir ? "CacheDir=" : "",
                        config->cache_dir ? config->cache_dir : "~/.cache/vitrine",
                        letter == 'h' ? "your home directory" : "your name");
}

char *config_cache_dir(const struct config *config, const char *user, const char *home,
                       struct vitrine_error *err)
{
    const char *from = config->cache_dir ? config->cache_dir : CACHE_DEFAULT;
    cleanup_free char *path = malloc(PATH_MAX);
    size_t used = 0;

    if (!path) {
        (void)vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
        return NULL;
    }
    for (; *from && used < PATH_MAX; from++) {
        const char *value;

        if (*from != '%') {
            path[used++] = *from;
            continue;
        }
        value = value_of(*++from, user, home);
        if (!value) {
            (void)fail_unknown(config, *from, err);
            return NULL;
        }
        used += (size_t)snprintf(path + used, PATH_MAX - used, "%s", value);
    }
    if (used >= PATH_MAX) {
        (void)vitrine_fail(err, VITRINE_ECONFIG, "the path of the cache is too long");
        return NULL;
    }
    path[used] = '\0';
    /* "/scratch%h" has two slashes where a home has one. */
    if (!path_is_normal(path)) {
        (void)vitrine_fail(err, VITRINE_ECONFIG,
                           "CacheDir: %s is not an absolute path free of '.', '..', and "
                           "needless slashes",
                           path);
        return NULL;
    }
    return steal_ptr(&path);
}

int config_cache_owner(const struct config *config, uid_t *ret, struct vitrine_error *err)
{
    return keys_read_uid(KEY_CACHE_OWNER, config->cache_owner, ret, err);
}
