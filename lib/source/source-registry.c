/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images of registries. */
#include "base/cleanup.h"
#include "source/fetch.h"
#include "source/source.h"

#include <string.h>

struct source_registry {
    struct source source; /* first */
    const struct registryref *ref;
    struct manifest_platform platform;
    struct registry *registry;
    struct registry_link *link; /* of the thread that opened it */
    struct fetch *fetch;
    atomic_bool stop;
};

static struct source_registry *self(struct source *source)
{
    return (struct source_registry *)source;
}

static const char *reference_of(const struct source_registry *s)
{
    return s->ref->digest[0] ? s->ref->digest : s->ref->tag;
}

static int name_image(const struct source_registry *s, struct vitrine_error *err)
{
    char name[REGISTRYREF_HOST_MAX + REGISTRYREF_NAME_MAX + REGISTRYREF_TAG_MAX +
              REGISTRYREF_DIGEST_MAX + 16];

    registryref_print(s->ref, name, sizeof(name));
    return vitrine_wrap(err, "the manifest of %s", name);
}

/* What a document is: an index, of which *ret_next is the platform's entry, or not. */
static int parse(const struct source_registry *s,
                 const struct registry_manifest *document, bool *ret_is_index,
                 struct manifest_blob *ret_next, struct manifest *ret,
                 struct vitrine_error *err)
{
    if (manifest_parse(document->json, document->size, document->media_type, &s->platform,
                       ret_is_index, ret_next, ret, err) < 0)
        return name_image(s, err);
    return 0;
}

static int fail_indexes(const struct source_registry *s, struct vitrine_error *err)
{
    (void)vitrine_fail(err, VITRINE_EFORMAT, "it is an index of indexes of indexes");
    return name_image(s, err);
}

static int resolve(struct source *source, char ret_digest[DIGEST_TEXT],
                   struct manifest *ret, struct vitrine_error *err)
{
    struct source_registry *s = self(source);
    const char *reference = reference_of(s);
    struct manifest_blob next;

    for (unsigned i = 0; i <= MANIFEST_INDEXES; i++) {
        struct registry_manifest document = {.json = NULL};
        bool is_index;
        int rc;

        if (registry_manifest(s->link, reference, &document, err) < 0)
            return -1;
        rc = parse(s, &document, &is_index, &next, ret, err);
        free(document.json);
        if (rc < 0)
            return -1;
        if (!is_index) {
            memcpy(ret_digest, document.digest, DIGEST_TEXT);
            return 0;
        }
        reference = next.digest;
    }
    return fail_indexes(s, err);
}

static bool is_type(const char *media_type, const char *type)
{
    size_t n = strlen(type);

    return strncmp(media_type, type, n) == 0 && (!media_type[n] || media_type[n] == ';');
}

/* Whether the type says that a digest is of a platform's own manifest. */
static bool is_image_type(const char *media_type)
{
    return is_type(media_type, MANIFEST_TYPE_OCI) ||
           is_type(media_type, MANIFEST_TYPE_DOCKER);
}

/* By a look at the document to the entry of an index. */
static int step_down(struct source_registry *s, struct registry_manifest *document,
                     bool *ret_is_index, struct manifest_blob *next,
                     struct vitrine_error *err)
{
    struct manifest manifest = {.layers = NULL};
    struct manifest_blob entry;

    if (!document->json &&
        registry_manifest(s->link, document->digest, document, err) < 0)
        return -1;
    if (parse(s, document, ret_is_index, &entry, &manifest, err) < 0)
        return -1;
    if (*ret_is_index)
        *next = entry;
    else
        manifest_free(&manifest);
    return 0;
}

static int find_digest(struct source *source, char ret_digest[DIGEST_TEXT],
                       struct vitrine_error *err)
{
    struct source_registry *s = self(source);
    const char *reference = reference_of(s);
    struct manifest_blob next;

    for (unsigned i = 0; i <= MANIFEST_INDEXES; i++) {
        struct registry_manifest document = {.json = NULL};
        bool is_index = false;
        int rc = registry_head(s->link, reference, &document, err);

        if (rc == 0 && !is_image_type(document.media_type))
            rc = step_down(s, &document, &is_index, &next, err);
        free(document.json);
        if (rc < 0)
            return -1;
        if (!is_index || !next.is_index) {
            memcpy(ret_digest, is_index ? next.digest : document.digest, DIGEST_TEXT);
            return 0;
        }
        reference = next.digest;
    }
    return fail_indexes(s, err);
}

static int blob(struct source *source, const struct manifest_blob *wanted, char **ret,
                struct vitrine_error *err)
{
    return registry_blob(self(source)->link, wanted, ret, err);
}

static int want(struct source *source, const struct manifest_blob *layers, size_t n,
                struct vitrine_error *err)
{
    return fetch_want(self(source)->fetch, layers, n, err);
}

static int read_some(struct source *source, const void **ret_data, size_t *ret_size,
                     struct vitrine_error *err)
{
    return fetch_read(self(source)->fetch, ret_data, ret_size, err);
}

static uint64_t arrived(struct source *source)
{
    return fetch_arrived(self(source)->fetch);
}

static void stop(struct source *source)
{
    fetch_stop(self(source)->fetch);
}

static void close_source(struct source *source)
{
    struct source_registry *s = self(source);

    if (!s)
        return;
    fetch_free(s->fetch);
    registry_link_close(s->link);
    registry_close(s->registry);
    free(s);
}

static const struct source_ops ops = {
    .resolve = resolve,
    .find_digest = find_digest,
    .blob = blob,
    .want = want,
    .read = read_some,
    .arrived = arrived,
    .stop = stop,
    .close = close_source,
};

int source_registry_open(const struct registryref *ref, const struct config *config,
                         const struct vitrine_import_spec *spec, struct source **ret,
                         struct vitrine_error *err)
{
    struct source_registry *s = calloc(1, sizeof(*s));
    struct registry_settings settings = {.ref = ref,
                                         .config = config,
                                         .home = spec->home,
                                         .environ = spec->environ,
                                         .watch = spec->watch};

    if (!s)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "no memory for a registry");
    s->source.ops = &ops;
    s->ref = ref;
    settings.stop = &s->stop;
    if (manifest_platform(spec->platform, &s->platform, err) < 0 ||
        registry_open(&settings, &s->registry, err) < 0 ||
        registry_link_open(s->registry, true, &s->link, err) < 0 ||
        !(s->fetch = fetch_new(s->registry, &s->stop, err))) {
        close_source(&s->source);
        return -1;
    }
    *ret = &s->source;
    return 0;
}
