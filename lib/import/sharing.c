/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user, or as whom a cache belongs to that all users share. */
#include "import/sharing.h"
#include "base/cleanup.h"

bool sharing_wanted(const struct config *config, const struct registryref *ref)
{
    return config->cache_owner && ref->kind == REGISTRYREF_REGISTRY;
}

static int check_owner(const struct config *config, struct vitrine_error *err)
{
    uid_t owner;

    if (config_cache_owner(config, &owner, err) < 0)
        return -1;
    if (owner == 0)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "CacheOwner must not be root, as whom no image is imported: "
                            "make an account for the cache");
    if (owner != geteuid())
        return vitrine_fail(
            err, VITRINE_ECONFIG,
            "only %s may write to the cache of images, but this runs as "
            "user id %u; srun and sbatch have vitrine-import do it, which for that "
            "has to belong to %s and to be set-user-ID (chown %s, chmod u+s, no "
            "mount with nosuid), and \"vitrine import IMAGE FILE\" makes a file of "
            "your own",
            config->cache_owner, (unsigned)geteuid(), config->cache_owner,
            config->cache_owner);
    return 0;
}

int sharing_choose(const struct config *config, const struct vitrine_import_spec *spec,
                   const struct registryref *ref, struct sharing *ret,
                   struct vitrine_error *err)
{
    struct config own = *config;

    *ret = (struct sharing){.is_shared = sharing_wanted(config, ref), .uid = getuid()};
    if (ret->is_shared && check_owner(config, err) < 0)
        return -1;
    /* CacheDir is not the user's then. */
    if (!ret->is_shared && config->cache_owner)
        own.cache_dir = NULL;
    ret->dir = config_cache_dir(&own, spec->user, spec->home, err);
    return ret->dir ? 0 : -1;
}

void sharing_free(struct sharing *sharing)
{
    free(sharing->dir);
    sharing->dir = NULL;
}

int sharing_key(const struct sharing *sharing, const struct registryref *ref,
                const char *digest, char ret[DIGEST_TEXT], struct vitrine_error *err)
{
    char text[REGISTRYREF_HOST_MAX + REGISTRYREF_NAME_MAX + DIGEST_TEXT + 8];
    int rc = 0;

    if (sharing->is_shared) {
        /* None of the three can hold a newline. */
        int n = snprintf(text, sizeof(text), "%s\n%s\n%s\n", ref->host, ref->repository,
                         digest);
        rc = digest_of(text, (size_t)n, ret);
    } else {
        (void)snprintf(ret, DIGEST_TEXT, "%s", digest);
    }
    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "no digest can be computed")
                  : 0;
}
