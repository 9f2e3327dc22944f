/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public face of lib/config and lib/spec: `struct vitrine_config` is `struct config`.
 */
#include "config/config.h"
#include "container/config-api.h"
#include "spec/imageref.h"
#include "spec/mountspec.h"

const struct config *config_of(const struct vitrine_config *config)
{
    return (const struct config *)(const void *)config;
}

int vitrine_config_load(const char *path, bool must_exist, struct vitrine_config **ret,
                        struct vitrine_error *err)
{
    struct config *config;

    if (config_load(path, must_exist, &config, err) < 0)
        return -1;
    *ret = (struct vitrine_config *)(void *)config;
    return 0;
}

void vitrine_config_free(struct vitrine_config *config)
{
    config_free((struct config *)(void *)config);
}

const char *vitrine_config_image(const struct vitrine_config *config,
                                 const char *partition, bool *ret_required)
{
    const struct config_image *image = config_image_for(config_of(config), partition);

    *ret_required = image && image->required;
    return image ? image->image : NULL;
}

bool vitrine_config_has_required(const struct vitrine_config *config)
{
    return config_has_required(config_of(config));
}

int vitrine_image_check(const char *image, enum vitrine_image_kind *ret,
                        struct vitrine_error *err)
{
    static const enum vitrine_image_kind kinds[] = {
        [IMAGEREF_NONE] = VITRINE_IMAGE_NONE,
        [IMAGEREF_ABSOLUTE] = VITRINE_IMAGE_FILE,
        [IMAGEREF_RELATIVE] = VITRINE_IMAGE_FILE,
        [IMAGEREF_HOME] = VITRINE_IMAGE_FILE,
        [IMAGEREF_NAME] = VITRINE_IMAGE_FILE,
        [IMAGEREF_REGISTRY] = VITRINE_IMAGE_IMPORTED,
    };
    char name[IMAGEREF_REGISTRY_MAX];
    struct imageref ref;

    if (imageref_parse(image, &ref, err) < 0)
        return -1;
    *ret = kinds[ref.kind];
    if (imageref_as_registry(&ref, name))
        *ret = VITRINE_IMAGE_NAME;
    return 0;
}

int vitrine_mounts_check(const char *mounts, struct vitrine_error *err)
{
    struct mountspec *list;
    size_t count;

    if (mountspec_parse(mounts, &list, &count, err) < 0)
        return -1;
    mountspec_free(list, count);
    return 0;
}
