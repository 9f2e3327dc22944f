/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as root in every slurmstepd. It opens the one file that the administrator named.
 */
#include "config/config.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "config/parser.h"
#include "config/secure.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->nimages; i++)
        free(config->images[i].image);
    free(config->global.image);
    free(config->images);
    free(config->partitions);
    free(config->image_dirs);
    free(config->mount_include);
    free(config->mount_exclude);
    free(config->trusted_owners);
    for (size_t i = 0; i < config->nregistries; i++)
        free(config->registries[i].mirrors);
    free(config->registries);
    free(config->path);
    free(config->text);
    free(config);
}

int config_parse(const char *name, const char *text, size_t size, struct config **ret,
                 struct vitrine_error *err)
{
    if (size > (size_t)LIMIT_CONFIG_SIZE)
        return vitrine_fail(err, VITRINE_ECONFIG, "%s is longer than %zu bytes", name,
                            (size_t)LIMIT_CONFIG_SIZE);
    struct config *config = calloc(1, sizeof(*config));
    if (config)
        config->text = malloc(size + 1);
    if (!config || !config->text) {
        config_free(config);
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot read %s", name);
    }
    if (size > 0)
        memcpy(config->text, text, size);
    config->text[size] = '\0';
    config->mount_host = true;
    config->remap_root = true;
    config->container_dir = CONFIG_CONTAINER_DIR;
    config->writable_size = "";
    config->cache_size = CONFIG_CACHE_SIZE;
    if (parser_run(config, name, size, err) < 0) {
        config_free(config);
        return -1;
    }
    *ret = config;
    return 0;
}

/* Like a missing file, a link that leads to nothing has ENOENT: but somebody wanted one.
 */
static bool is_missing(const char *path, int cause)
{
    struct stat st;

    return (cause == ENOENT || cause == ENOTDIR) && lstat(path, &st) < 0;
}

int config_load(const char *path, bool must_exist, struct config **ret,
                struct vitrine_error *err)
{
    /* O_NONBLOCK: a FIFO must be refused, not waited for. */
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    cleanup_free char *text = NULL;
    size_t size;

    if (fd < 0 && !must_exist && is_missing(path, errno))
        return config_parse(path, NULL, 0, ret, err);
    if (fd < 0)
        return vitrine_fail_sys(err, VITRINE_ECONFIG, "cannot open %s", path);
    if (secure_check(fd, path, err) < 0)
        return -1;
    int rc = fd_read_all(fd, (size_t)LIMIT_CONFIG_SIZE, &text, &size);
    if (rc == -EFBIG)
        return vitrine_fail(err, VITRINE_ECONFIG, "%s is longer than %zu bytes", path,
                            (size_t)LIMIT_CONFIG_SIZE);
    if (rc < 0)
        return error_from(err, VITRINE_ECONFIG, rc, "cannot read %s", path);
    cleanup_free char *copy = strdup(path);
    if (!copy)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot read %s", path);
    if (config_parse(path, text, size, ret, err) < 0)
        return -1;
    (*ret)->path = steal_ptr(&copy);
    return 0;
}

static int compare_name(const void *name, const void *partition)
{
    return strcmp(name, ((const struct config_partition *)partition)->name);
}

const struct config_image *config_image_for(const struct config *config,
                                            const char *partition)
{
    const struct config_image *image = &config->global;
    const struct config_partition *found = NULL;

    if (partition && config->npartitions > 0)
        found = bsearch(partition, config->partitions, config->npartitions,
                        sizeof(*found), compare_name);
    if (found)
        image = &config->images[found->image];
    return image->image ? image : NULL;
}

bool config_has_required(const struct config *config)
{
    for (size_t i = 0; i < config->nimages; i++)
        if (config->images[i].required)
            return true;
    return config->global.required;
}
