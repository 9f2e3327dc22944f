/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/images.h"
#include "base/path.h"
#include "config/syntax.h"
#include "spec/imageref.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- images --- */

/*
 * Sets ret->image to a copy of the text, NULL for "none". A bare name becomes a path in
 * finish_image(), when ImageDir is known wherever it stands.
 */
int images_read(const char *text, struct config_image *ret, struct vitrine_error *err)
{
    struct imageref ref;

    if (strcasecmp(text, "none") == 0)
        return 0;
    if (imageref_parse(text, &ref, err) < 0) {
        if (err)
            err->code = VITRINE_ECONFIG;
        return vitrine_wrap(err, "Image");
    }
    if (ref.kind == IMAGEREF_RELATIVE || ref.kind == IMAGEREF_HOME)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "Image must be an absolute path, a name in ImageDir, an "
                            "image in a registry, or none, not '%s'",
                            text);
    ret->imported = ref.kind == IMAGEREF_REGISTRY;
    ret->image = strdup(text);
    return ret->image ? 0 : keys_fail_memory(err);
}

/*
 * A name stands for a file in the first ImageDir: looked up as users' names are, it might
 * be found in a directory that the user chose, and Required would be worth nothing.
 */
static int finish_image(const struct config *config, struct config_image *image,
                        struct vitrine_error *err)
{
    if (!image->image && image->required)
        return vitrine_fail(err, VITRINE_ECONFIG, "Required=yes needs an Image");
    /* What is in a cache that the user writes to is what he wants. */
    if (image->imported && image->required)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "Required=yes needs an image that is a file or a directory, "
                            "not %s",
                            image->image);
    if (!image->image || image->imported || image->image[0] == '/')
        return 0;
    if (config->nimage_dirs == 0)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "Image=%s is not an absolute path, and there is no ImageDir",
                            image->image);
    char *path = path_join(config->image_dirs[0], image->image);
    if (!path)
        return keys_fail_memory(err);
    free(image->image);
    image->image = path;
    return 0;
}

/* --- partitions --- */

static int add_partition(struct parser *p, const char *name, struct vitrine_error *err)
{
    struct config *config = p->config;

    if (name[0] == '\0')
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "PartitionName has an empty name in it");
    if (strcasecmp(name, "DEFAULT") == 0)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "PartitionName=%s is not known here: a line with Image alone "
                            "is for all partitions",
                            name);
    if (strpbrk(name, "[]*?"))
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "PartitionName: '%s' is a pattern; write out each name",
                            name);
    struct config_partition *more =
        keys_grow(config->partitions, config->npartitions, sizeof(*more));
    if (!more)
        return keys_fail_memory(err);
    config->partitions = more;
    more[config->npartitions++] = (struct config_partition){
        .name = name, .image = config->nimages - 1, .line = p->line};
    return 0;
}

int images_read_partition(struct parser *p, char *values[KEYS], struct vitrine_error *err)
{
    static const enum key mine[] = {KEY_PARTITION_NAME, KEY_IMAGE, KEY_REQUIRED, KEYS};
    struct config *config = p->config;

    if (keys_allow_only(values, mine, "partition", err) < 0)
        return -1;
    if (!values[KEY_IMAGE])
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "PartitionName=%s needs an Image on the same line",
                            values[KEY_PARTITION_NAME]);
    struct config_image *image =
        keys_grow(config->images, config->nimages, sizeof(*image));
    if (!image)
        return keys_fail_memory(err);
    config->images = image;
    image += config->nimages++;
    *image = (struct config_image){.line = p->line};
    if (images_read(values[KEY_IMAGE], image, err) < 0)
        return -1;
    if (values[KEY_REQUIRED] &&
        keys_read_yes(KEY_REQUIRED, values[KEY_REQUIRED], &image->required, err) < 0)
        return -1;
    for (char *name; (name = syntax_next_item(&values[KEY_PARTITION_NAME]));)
        if (add_partition(p, name, err) < 0)
            return -1;
    return 0;
}

static int compare_partitions(const void *a, const void *b)
{
    const struct config_partition *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* What can be said only after the last line. */
int images_finish(struct parser *p, struct vitrine_error *err)
{
    struct config *config = p->config;

    config->global.line = p->seen[KEY_IMAGE];
    p->line = p->seen[KEY_IMAGE] ? p->seen[KEY_IMAGE] : p->seen[KEY_REQUIRED];
    if (finish_image(config, &config->global, err) < 0)
        return -1;
    for (size_t i = 0; i < config->nimages; i++) {
        p->line = config->images[i].line;
        if (finish_image(config, &config->images[i], err) < 0)
            return -1;
    }
    if (config->npartitions == 0)
        return 0;
    qsort(config->partitions, config->npartitions, sizeof(*config->partitions),
          compare_partitions);
    for (size_t i = 1; i < config->npartitions; i++) {
        const struct config_partition *one = &config->partitions[i - 1], *two = one + 1;

        p->line = two->line;
        if (strcmp(one->name, two->name) == 0)
            return vitrine_fail(err, VITRINE_ECONFIG,
                                "partition '%s' already has its Image in line %u",
                                two->name, one->line);
    }
    return 0;
}
