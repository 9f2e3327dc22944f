/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_SOURCE_WORLD_H
#define VITRINE_TESTS_SOURCE_WORLD_H

/* A directory of one's own with images in it, and what a source gives of them. */
#include "source/source.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char world[64];

static inline void world_make(void)
{
    (void)strcpy(world, "/tmp/vitrine-source-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(world));
    ck_assert_int_eq(chdir(world), 0);
}

static inline void world_remove(void)
{
    char command[128];

    ck_assert_int_eq(chdir("/"), 0);
    (void)snprintf(command, sizeof(command), "rm -rf %s", world);
    ck_assert_int_eq(system(command), 0);
}

static inline void world_put(const char *name, const void *data, size_t size)
{
    char path[300];

    (void)snprintf(path, sizeof(path), "%s", name);
    for (char *slash = path; (slash = strchr(slash + 1, '/')); *slash = '/') {
        *slash = '\0';
        (void)mkdir(path, 0755);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ck_assert_msg(fd >= 0, "%s", path);
    ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
    (void)close(fd);
}

static inline void world_text(const char *name, const char *text)
{
    world_put(name, text, strlen(text));
}

typedef int (*world_open_f)(const struct registryref *ref, const struct config *config,
                            const struct vitrine_import_spec *spec, struct source **ret,
                            struct vitrine_error *err);

/* All bytes of some layers, one behind the other. */
static inline int world_read(struct source *source, const struct manifest_blob *layers,
                             size_t n, char **ret, size_t *ret_size,
                             struct vitrine_error *err)
{
    char *data = NULL;
    size_t size = 0;

    if (source->ops->want(source, layers, n, err) < 0)
        return -1;
    for (size_t i = 0; i < n;) {
        const void *part;
        size_t part_size;

        if (source->ops->read(source, &part, &part_size, err) < 0) {
            free(data);
            return -1;
        }
        if (part_size == 0) {
            i++;
            continue;
        }
        data = realloc(data, size + part_size);
        ck_assert_ptr_nonnull(data);
        memcpy(data + size, part, part_size);
        size += part_size;
    }
    *ret = data;
    *ret_size = size;
    return 0;
}

/*
 * What an image has, whichever source it comes from: its digest, and its configuration
 * and all layers as one text, which the caller frees. NULL: an error.
 */
static inline char *world_image(world_open_f open_source, const char *reference,
                                const char *platform, char ret_digest[DIGEST_TEXT],
                                struct vitrine_error *err)
{
    const struct vitrine_import_spec spec = {.platform = platform};
    struct manifest manifest = {.layers = NULL};
    struct registryref ref;
    struct source *source;
    char *config = NULL, *layers = NULL, *all = NULL, again[DIGEST_TEXT];
    size_t size = 0;

    ck_assert_msg(registryref_parse(reference, &ref, err) == 0, "%s", err->text);
    if (open_source(&ref, NULL, &spec, &source, err) < 0)
        return NULL;
    if (source->ops->resolve(source, ret_digest, &manifest, err) == 0 &&
        source->ops->blob(source, &manifest.config, &config, err) == 0 &&
        world_read(source, manifest.layers, manifest.nlayers, &layers, &size, err) == 0) {
        ck_assert_uint_eq(source->ops->arrived(source), size);
        ck_assert_int_eq(source->ops->find_digest(source, again, err), 0);
        ck_assert_str_eq(again, ret_digest);
        all = calloc(1, manifest.config.size + size + 1);
        ck_assert_ptr_nonnull(all);
        memcpy(all, config, manifest.config.size);
        if (size > 0)
            memcpy(all + manifest.config.size, layers, size);
    }
    free(config);
    free(layers);
    manifest_free(&manifest);
    source->ops->close(source);
    return all;
}

static inline void world_has(world_open_f open_source, const char *reference,
                             const char *digest, const char *expected)
{
    char found[DIGEST_TEXT];
    struct vitrine_error err = {0};
    char *all = world_image(open_source, reference, "amd64", found, &err);

    ck_assert_msg(all != NULL, "%s: %s", reference, err.text);
    ck_assert_str_eq(all, expected);
    if (digest)
        ck_assert_str_eq(found, digest);
    free(all);
}

static inline void world_fails(world_open_f open_source, const char *reference,
                               const char *reason)
{
    char found[DIGEST_TEXT];
    struct vitrine_error err = {0};
    char *all = world_image(open_source, reference, "amd64", found, &err);

    ck_assert_msg(all == NULL, "%s: not %s", reference, reason);
    ck_assert_msg(strstr(err.text, reason) != NULL, "%s: %s", reference, err.text);
    ck_assert_int_ne(err.code, VITRINE_OK);
}

/* A configuration for uncompressed layers. */
static inline char *world_config(const char *const *layers, size_t n)
{
    char *text = NULL, digest[DIGEST_TEXT];
    size_t size;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    (void)fprintf(out, "{\"architecture\":\"amd64\",\"rootfs\":{\"diff_ids\":[");
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(digest_of(layers[i], strlen(layers[i]), digest), 0);
        (void)fprintf(out, "%s\"%s\"", i ? "," : "", digest);
    }
    (void)fprintf(out, "]}}");
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

#endif
