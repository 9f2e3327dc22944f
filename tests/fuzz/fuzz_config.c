/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine.conf: whatever parses keeps the promises of config.h. */
#include "config/config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

static void check_image(const struct config_image *image)
{
    claim(image->image || !image->required);
    claim(!image->image || image->imported || image->image[0] == '/');
    claim(!image->imported || !image->required);
}

static void check_paths(char **paths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        claim(paths[i][0] == '/' && paths[i][1] != '\0');
}

static void check_registries(const struct config *config)
{
    for (size_t i = 0; i < config->nregistries; i++) {
        const struct config_registry *r = &config->registries[i];

        claim(config_registry_for(config, r->host) == r);
        claim(!r->ca_file || r->ca_file[0] == '/');
        for (size_t j = 0; j < r->nmirrors; j++)
            claim(strstr(r->mirrors[j], "://") && !strchr(r->mirrors[j], '@'));
    }
}

static void check_cache(const struct config *config)
{
    char *dir = config_cache_dir(config, "user", "/home/user", NULL);
    char *other = config_cache_dir(config, "other", "/home/other", NULL);

    claim(!dir || (dir[0] == '/' && !strstr(dir, "/../") && !strstr(dir, "//")));
    claim(!config->cache_owner || (dir && other && strcmp(dir, other) == 0));
    free(dir);
    free(other);
}

static void check(const struct config *config)
{
    bool required = config->global.required;

    check_image(&config->global);
    check_paths(config->image_dirs, config->nimage_dirs);
    check_paths(config->mount_include, config->nmount_include);
    check_paths(config->mount_exclude, config->nmount_exclude);
    for (size_t i = 0; i < config->nimages; i++) {
        check_image(&config->images[i]);
        required = required || config->images[i].required;
    }
    claim(config_has_required(config) == required);
    for (size_t i = 0; i < config->npartitions; i++) {
        const struct config_partition *p = &config->partitions[i];
        const struct config_image *found = config_image_for(config, p->name);

        claim(p->name[0] != '\0' && p->image < config->nimages);
        claim(i == 0 || strcmp(p[-1].name, p->name) < 0);
        claim(found == &config->images[p->image] ||
              (!found && !config->images[p->image].image));
    }
    (void)config_image_for(config, NULL);
    check_registries(config);
    check_cache(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vitrine_error err = {0};
    struct config *config;

    if (config_parse("conf", (const char *)data, size, &config, &err) == 0) {
        check(config);
        config_free(config);
    } else {
        claim(err.code != VITRINE_OK && strncmp(err.text, "conf", 4) == 0);
    }
    return 0;
}
