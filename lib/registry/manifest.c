/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user. A registry holds much that is called a manifest and is no image, so
 * each type is told by name, and what is not known is refused.
 */
#include "registry/manifest.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "registry/document.h"
#include "registry/platform.h"
#include "spec/registryref.h"

#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum kind { KIND_IMAGE, KIND_INDEX, KIND_SCHEMA1, KIND_UNKNOWN };

static const struct {
    const char *type;
    enum kind kind;
} manifest_types[] = {
    {MANIFEST_TYPE_OCI, KIND_IMAGE},
    {MANIFEST_TYPE_DOCKER, KIND_IMAGE},
    {MANIFEST_TYPE_OCI_INDEX, KIND_INDEX},
    {MANIFEST_TYPE_DOCKER_LIST, KIND_INDEX},
    {"application/vnd.docker.distribution.manifest.v1+json", KIND_SCHEMA1},
    {"application/vnd.docker.distribution.manifest.v1+prettyjws", KIND_SCHEMA1},
};

static const char *const config_types[] = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    /* of Docker 1.10 */
    "application/octet-stream",
};

/* Those that are not to be distributed are in the registry all the same, unless they have
 * URLs. */
static const char *const layer_types[] = {
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
};

/* Behind these: OCI's with '+', Docker's with '.', and some tools mix them. */
static const struct {
    const char *suffix;
    enum manifest_compression compression;
} layer_suffixes[] = {
    {"", MANIFEST_PLAIN},
    {"gzip", MANIFEST_GZIP},
    {"zstd", MANIFEST_ZSTD},
    {"zstd:chunked", MANIFEST_ZSTD},
};

static bool is_among(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(text, list[i]) == 0)
            return true;
    return false;
}

/* --- what kind of document it is --- */

/* Without parameters, as in "TYPE; charset=utf-8". */
static enum kind kind_of_type(const char *type)
{
    size_t len = strcspn(type, "; \t");

    for (size_t i = 0; i < COUNT(manifest_types); i++)
        if (strlen(manifest_types[i].type) == len &&
            strncasecmp(type, manifest_types[i].type, len) == 0)
            return manifest_types[i].kind;
    return KIND_UNKNOWN;
}

/* By its members: OCI's documents need not say their type, and a registry's header may be
 * anything. */
static enum kind kind_of_shape(struct json_object *document)
{
    return document_has(document, "manifests")  ? KIND_INDEX
           : document_has(document, "layers")   ? KIND_IMAGE
           : document_has(document, "fsLayers") ? KIND_SCHEMA1
                                                : KIND_UNKNOWN;
}

static int find_kind(struct json_object *document, const char *media_type, enum kind *ret,
                     struct vitrine_error *err)
{
    enum kind shape = kind_of_shape(document);
    const char *type;
    uint64_t version;

    if (document_string(document, "mediaType", &type, err) < 0 ||
        document_number(document, "schemaVersion", 1000, &version, err) < 0)
        return -1;
    /* CVE-2021-41190: one document that is two. */
    if (document_has(document, "manifests") &&
        (document_has(document, "layers") || document_has(document, "config")))
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is a manifest and an index at the same time");
    if (type && kind_of_type(type) == KIND_UNKNOWN)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "it is no container image but of the type %.200s", type);
    enum kind kind = type         ? kind_of_type(type)
                     : media_type ? kind_of_type(media_type)
                                  : shape;
    if (kind == KIND_UNKNOWN)
        kind = shape;
    if (version == 1 || kind == KIND_SCHEMA1)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "it has the format of Docker before 1.10 (schema 1), which "
                            "is not supported; push the image again with a newer tool");
    if (version != 2)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "it has the schema version %llu, which is not known",
                            (unsigned long long)version);
    if (kind != shape || kind == KIND_UNKNOWN)
        return vitrine_fail(
            err, VITRINE_EFORMAT,
            "it has neither 'layers' nor 'manifests', or not as its type says");
    *ret = kind;
    return 0;
}

/* --- descriptors --- */

static int read_descriptor(struct json_object *object, uint64_t max,
                           const char **ret_type, struct manifest_blob *ret,
                           struct vitrine_error *err)
{
    const char *digest;

    if (document_string(object, "mediaType", ret_type, err) < 0 ||
        document_string(object, "digest", &digest, err) < 0 ||
        document_number(object, "size", max, &ret->size, err) < 0)
        return -1;
    if (!*ret_type)
        return vitrine_fail(err, VITRINE_EFORMAT, "it has no 'mediaType'");
    if (!digest)
        return vitrine_fail(err, VITRINE_EFORMAT, "it has no 'digest'");
    if (!registryref_is_digest(digest)) {
        int algorithm = (int)strcspn(digest, ":");

        if (strncmp(digest, "sha256:", 7) != 0 && digest[algorithm])
            return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                                "its digest is of the algorithm %.*s; only sha256 is "
                                "supported",
                                algorithm < 50 ? algorithm : 50, digest);
        return vitrine_fail(err, VITRINE_EFORMAT, "'%.100s' is not a digest", digest);
    }
    memcpy(ret->digest, digest, sizeof(ret->digest));
    ret->compression = MANIFEST_UNKNOWN;
    return 0;
}

/* --- images --- */

static int find_compression(const char *type, enum manifest_compression *ret,
                            struct vitrine_error *err)
{
    if (strlen(type) > 10 && strcasecmp(type + strlen(type) - 10, "+encrypted") == 0)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "it is encrypted; decrypt the image first, for example with "
                            "skopeo copy --decryption-key");
    for (size_t i = 0; i < COUNT(layer_types); i++) {
        size_t n = strlen(layer_types[i]);
        const char *rest = type + n;

        if (strncasecmp(type, layer_types[i], n) != 0)
            continue;
        bool suffixed = *rest == '+' || *rest == '.';
        for (size_t j = 0; j < COUNT(layer_suffixes); j++) {
            if (strcasecmp(rest + suffixed, layer_suffixes[j].suffix) != 0 ||
                suffixed != (layer_suffixes[j].suffix[0] != '\0'))
                continue;
            *ret = layer_suffixes[j].compression;
            return 0;
        }
    }
    return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                        "it is no part of a container image but of the type %.200s",
                        type);
}

static int read_layer(struct json_object *array, size_t i, struct manifest_blob *ret,
                      struct vitrine_error *err)
{
    struct json_object *object, *urls;
    const char *type;

    if (document_element(array, i, &object, err) < 0 ||
        read_descriptor(object, LIMIT_LAYER_SIZE, &type, ret, err) < 0 ||
        find_compression(type, &ret->compression, err) < 0 ||
        document_array(object, "urls", &urls, err) < 0)
        return -1;
    if (document_length(urls) > 0 &&
        (strcasestr(type, "nondistributable") || strcasestr(type, "foreign")))
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "it is not in the registry but must be fetched from "
                            "elsewhere, as those of Windows");
    return 0;
}

static int read_layers(struct json_object *document, struct manifest *ret,
                       struct vitrine_error *err)
{
    struct json_object *array;
    size_t n;

    if (document_array(document, "layers", &array, err) < 0)
        return -1;
    n = document_length(array);
    if (n == 0)
        return vitrine_fail(err, VITRINE_EFORMAT, "it has no layers");
    if (n > LIMIT_LAYERS)
        return vitrine_fail(err, VITRINE_EFORMAT, "it has %zu layers, more than %d", n,
                            LIMIT_LAYERS);
    ret->layers = calloc(n, sizeof(*ret->layers));
    if (!ret->layers)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    ret->nlayers = n;
    for (size_t i = 0; i < n; i++)
        if (read_layer(array, i, &ret->layers[i], err) < 0)
            return vitrine_wrap(err, "layer %zu", i + 1);
    return 0;
}

static int read_image(struct json_object *document, struct manifest *ret,
                      struct vitrine_error *err)
{
    const char *type, *artifact;
    struct json_object *config;

    if (document_object(document, "config", &config, err) < 0 ||
        document_string(document, "artifactType", &artifact, err) < 0)
        return -1;
    if (!config)
        return vitrine_fail(err, VITRINE_EFORMAT, "it has no 'config'");
    if (read_descriptor(config, LIMIT_JSON_SIZE, &type, &ret->config, err) < 0)
        return vitrine_wrap(err, "its configuration");
    if (!is_among(type, config_types, COUNT(config_types)))
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "it is no container image but of the type %.200s",
                            artifact && artifact[0] ? artifact : type);
    return read_layers(document, ret, err);
}

void manifest_free(struct manifest *manifest)
{
    free(manifest->layers);
    *manifest = (struct manifest){.layers = NULL};
}

/* --- indexes --- */

struct choice {
    const struct manifest_platform *platform;
    struct manifest_blob best;
    unsigned rank;              /* of best; 0: none */
    struct manifest_blob other; /* one whose platform is not said */
    unsigned others;
    char has[400]; /* "linux/amd64, linux/arm64/v8", for the message */
};

static void list_platform(struct choice *choice, const char *os, const char *architecture,
                          const char *variant)
{
    size_t used = strlen(choice->has), room = sizeof(choice->has) - used;
    bool has_variant = variant && variant[0];
    int n = snprintf(choice->has + used, room, "%s%s/%s%s%s", used ? ", " : "", os,
                     architecture, has_variant ? "/" : "", has_variant ? variant : "");

    if (n < 0 || (size_t)n >= room)
        choice->has[used] = '\0';
}

/* Signatures, attestations and the like, which stand beside images. */
static int is_image(struct json_object *entry, const char *type, bool *ret,
                    struct vitrine_error *err)
{
    struct json_object *notes;
    const char *artifact, *reference;
    enum kind kind = kind_of_type(type);

    if (document_string(entry, "artifactType", &artifact, err) < 0 ||
        document_object(entry, "annotations", &notes, err) < 0 ||
        document_string(notes, "vnd.docker.reference.type", &reference, err) < 0)
        return -1;
    *ret = (kind == KIND_IMAGE || kind == KIND_INDEX) && !reference &&
           (!artifact || is_among(artifact, config_types, COUNT(config_types)));
    return 0;
}

static int weigh(struct choice *choice, struct json_object *entry,
                 struct vitrine_error *err)
{
    const char *type, *os, *architecture, *variant;
    struct json_object *platform;
    struct manifest_blob blob;
    bool usable;

    if (read_descriptor(entry, LIMIT_JSON_SIZE, &type, &blob, err) < 0 ||
        is_image(entry, type, &usable, err) < 0 ||
        document_object(entry, "platform", &platform, err) < 0 ||
        document_string(platform, "os", &os, err) < 0 ||
        document_string(platform, "architecture", &architecture, err) < 0 ||
        document_string(platform, "variant", &variant, err) < 0)
        return -1;
    if (!usable)
        return 0;
    if (!os || !os[0] || !architecture || !architecture[0]) {
        choice->other = blob;
        choice->others++;
        return 0;
    }
    if (strcmp(os, "unknown") == 0)
        return 0;
    list_platform(choice, os, architecture, variant);
    unsigned rank = strcmp(os, "linux") == 0
                        ? platform_rank(choice->platform, architecture, variant)
                        : 0;
    if (rank > choice->rank) {
        choice->best = blob;
        choice->rank = rank;
    }
    return 0;
}

static int choose(struct json_object *document, const struct manifest_platform *platform,
                  struct manifest_blob *ret, struct vitrine_error *err)
{
    struct choice choice = {.platform = platform};
    struct json_object *array, *entry;
    size_t n;

    if (document_array(document, "manifests", &array, err) < 0)
        return -1;
    n = document_length(array);
    if (n > LIMIT_INDEX_ENTRIES)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "its index has %zu entries, more than %d", n,
                            LIMIT_INDEX_ENTRIES);
    for (size_t i = 0; i < n; i++)
        if (document_element(array, i, &entry, err) < 0 || weigh(&choice, entry, err) < 0)
            return vitrine_wrap(err, "entry %zu of its index", i + 1);
    /* One that does not say what it is for is looked at; its configuration does. */
    if (choice.rank == 0 && choice.others != 1)
        return vitrine_fail(
            err, VITRINE_EUNSUPPORTED, "it has nothing for linux/%s%s%s, only %s",
            platform->architecture, platform->variant[0] ? "/" : "", platform->variant,
            choice.has[0]       ? choice.has
            : choice.others > 1 ? "images that do not say their platform"
                                : "what is no container image");
    *ret = choice.rank > 0 ? choice.best : choice.other;
    return 0;
}

int manifest_parse(const char *json, size_t size, const char *media_type,
                   const struct manifest_platform *platform, bool *ret_is_index,
                   struct manifest_blob *ret_chosen, struct manifest *ret,
                   struct vitrine_error *err)
{
    cleanup_document struct json_object *document = NULL;
    struct manifest manifest = {.layers = NULL};
    enum kind kind = KIND_UNKNOWN;

    if (document_parse(json, size, &document, err) < 0 ||
        find_kind(document, media_type, &kind, err) < 0)
        return -1;
    if (kind == KIND_INDEX) {
        if (choose(document, platform, ret_chosen, err) < 0)
            return -1;
    } else {
        if (read_image(document, &manifest, err) < 0) {
            manifest_free(&manifest);
            return -1;
        }
        *ret = manifest;
    }
    *ret_is_index = kind == KIND_INDEX;
    return 0;
}
