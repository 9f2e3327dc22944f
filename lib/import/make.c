/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user, or as whom a shared cache belongs to. One image, from its source. */
#include "base/cleanup.h"
#include "layers/build.h"
#include "import/conduct.h"

#include <string.h>

static uint64_t layers_size(const struct manifest *manifest)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < manifest->nlayers; i++)
        if (__builtin_add_overflow(sum, manifest->layers[i].size, &sum))
            return UINT64_MAX;
    return sum;
}

static int build(struct conduct *c, const struct manifest *manifest, int fd,
                 struct vitrine_error *err)
{
    cleanup_free char *json = NULL, *text = NULL;
    struct build build = {.source = c->source,
                          .manifest = manifest,
                          .config_json_size = (size_t)manifest->config.size,
                          .watch = c->spec->watch};

    if (c->source->ops->blob(c->source, &manifest->config, &json, err) < 0 ||
        manifest_config(json, build.config_json_size, &c->platform, &text,
                        &build.config_size, err) < 0)
        return -1;
    build.config_json = json;
    build.config = text;
    /* Compressed anew, layers take about what they took. */
    c->need = layers_size(manifest);
    return build_image(&build, fd, err);
}

/* The manifest of `digest` (""; any), though its tag may have moved. */
static int resolve(struct conduct *c, const char *digest, char ret_digest[DIGEST_TEXT],
                   struct manifest *ret, struct vitrine_error *err)
{
    if (conduct_open_source(c, err) < 0 ||
        c->source->ops->resolve(c->source, ret_digest, ret, err) < 0)
        return -1;
    if (!digest[0] || strcmp(ret_digest, digest) == 0)
        return 0;
    manifest_free(ret);
    *ret = (struct manifest){0};
    conduct_close_source(c);
    (void)snprintf(c->ref.digest, sizeof(c->ref.digest), "%s", digest);
    if (conduct_open_source(c, err) < 0 ||
        c->source->ops->resolve(c->source, ret_digest, ret, err) < 0)
        return -1;
    if (strcmp(ret_digest, digest) != 0)
        return vitrine_fail(err, VITRINE_EFORMAT, "what is there now is %s and not %s",
                            ret_digest, digest);
    return 0;
}

int make_image(struct conduct *c, const char *digest, int fd,
               char ret_digest[DIGEST_TEXT], struct vitrine_error *err)
{
    struct manifest manifest = {0};
    int rc = resolve(c, digest, ret_digest, &manifest, err);

    if (rc == 0)
        rc = build(c, &manifest, fd, err);
    manifest_free(&manifest);
    /* Layers that were announced are gone. */
    conduct_close_source(c);
    if (rc == 0 && conduct_is_cancelled(c))
        return conduct_fail_cancelled(err);
    /* This can take long, and what follows must not: see import_hold_abandon(). */
    if (rc == 0 && fdatasync(fd) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "it cannot be put on the disk");
    return rc;
}

static int make_once(struct conduct *c, const char *digest, const char *key,
                     struct vitrine_error *err)
{
    struct import_hold *hold = c->hold;
    char got[DIGEST_TEXT];
    struct store_file *file;
    int fd;

    (void)pthread_mutex_lock(&hold->mutex);
    int rc = store_create(&c->store, key, &file, &fd, err);
    hold->file = rc == 0 ? file : NULL;
    (void)pthread_mutex_unlock(&hold->mutex);
    if (rc < 0)
        return -1;
    rc = make_image(c, digest, fd, got, err);
    (void)pthread_mutex_lock(&hold->mutex);
    if (rc == 0)
        rc = store_commit(file, err);
    hold->file = NULL;
    store_discard(file);
    (void)pthread_mutex_unlock(&hold->mutex);
    return rc;
}

int make_in_store(struct conduct *c, const char *digest, const char *key,
                  struct vitrine_error *err)
{
    struct store_collected collected;
    int rc = make_once(c, digest, key, err);

    if (rc < 0 && conduct_make_room(c, err))
        rc = make_once(c, digest, key, err);
    if (rc < 0)
        return -1;
    /* If it fails, the next one will. */
    if (store_collect(&c->store, 0, &collected, NULL) == 0 && collected.images > 0)
        conduct_remark(c,
                       "removed %u images from %s, which were used least recently: "
                       "together they are to have no more than %ju MiB",
                       collected.images, c->store.path,
                       (uintmax_t)c->store.limit / 1048576);
    return 0;
}
