/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user. A registry holds much that is called a manifest and is no image, so
 * each type is told by name, and what is not known is refused.
 */
#include "registry/manifest.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "registry/descriptor.h"
#include "spec/registryref.h"

#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *type;
    enum descriptor_kind kind;
} manifest_types[] = {
    {MANIFEST_TYPE_OCI, DESCRIPTOR_IMAGE},
    {MANIFEST_TYPE_DOCKER, DESCRIPTOR_IMAGE},
    {MANIFEST_TYPE_OCI_INDEX, DESCRIPTOR_INDEX},
    {MANIFEST_TYPE_DOCKER_LIST, DESCRIPTOR_INDEX},
    {"application/vnd.docker.distribution.manifest.v1+json", DESCRIPTOR_SCHEMA1},
    {"application/vnd.docker.distribution.manifest.v1+prettyjws", DESCRIPTOR_SCHEMA1},
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

bool descriptor_is_config_type(const char *type)
{
    for (size_t i = 0; i < COUNT(config_types); i++)
        if (strcasecmp(type, config_types[i]) == 0)
            return true;
    return false;
}

/* --- what kind of document it is --- */

enum descriptor_kind descriptor_kind_of(const char *type)
{
    size_t len = strcspn(type, "; \t");

    for (size_t i = 0; i < COUNT(manifest_types); i++)
        if (strlen(manifest_types[i].type) == len &&
            strncasecmp(type, manifest_types[i].type, len) == 0)
            return manifest_types[i].kind;
    return DESCRIPTOR_UNKNOWN;
}

/* By its members: OCI's documents need not say their type, and a registry's header may be
 * anything. */
static enum descriptor_kind kind_of_shape(struct json_object *document)
{
    return document_has(document, "manifests")  ? DESCRIPTOR_INDEX
           : document_has(document, "layers")   ? DESCRIPTOR_IMAGE
           : document_has(document, "fsLayers") ? DESCRIPTOR_SCHEMA1
                                                : DESCRIPTOR_UNKNOWN;
}

static int find_kind(struct json_object *document, const char *media_type,
                     enum descriptor_kind *ret, struct vitrine_error *err)
{
    enum descriptor_kind shape = kind_of_shape(document);
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
    if (type && descriptor_kind_of(type) == DESCRIPTOR_UNKNOWN)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "it is no container image but of the type %.200s", type);
    enum descriptor_kind kind = type         ? descriptor_kind_of(type)
                                : media_type ? descriptor_kind_of(media_type)
                                             : shape;
    if (kind == DESCRIPTOR_UNKNOWN)
        kind = shape;
    if (version == 1 || kind == DESCRIPTOR_SCHEMA1)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "it has the format of Docker before 1.10 (schema 1), which "
                            "is not supported; push the image again with a newer tool");
    if (version != 2)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "it has the schema version %llu, which is not known",
                            (unsigned long long)version);
    if (kind != shape || kind == DESCRIPTOR_UNKNOWN)
        return vitrine_fail(
            err, VITRINE_EFORMAT,
            "it has neither 'layers' nor 'manifests', or not as its type says");
    *ret = kind;
    return 0;
}

/* --- descriptors --- */

int descriptor_read(struct json_object *object, uint64_t max, const char **ret_type,
                    struct manifest_blob *ret, struct vitrine_error *err)
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
        descriptor_read(object, LIMIT_LAYER_SIZE, &type, ret, err) < 0 ||
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
    if (descriptor_read(config, LIMIT_JSON_SIZE, &type, &ret->config, err) < 0)
        return vitrine_wrap(err, "its configuration");
    if (!descriptor_is_config_type(type))
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

int manifest_parse(const char *json, size_t size, const char *media_type,
                   const struct manifest_platform *platform, bool *ret_is_index,
                   struct manifest_blob *ret_chosen, struct manifest *ret,
                   struct vitrine_error *err)
{
    cleanup_document struct json_object *document = NULL;
    struct manifest manifest = {.layers = NULL};
    enum descriptor_kind kind = DESCRIPTOR_UNKNOWN;

    if (document_parse(json, size, &document, err) < 0 ||
        find_kind(document, media_type, &kind, err) < 0)
        return -1;
    if (kind == DESCRIPTOR_INDEX) {
        if (index_choose(document, NULL, platform, ret_chosen, err) < 0)
            return -1;
    } else {
        if (read_image(document, &manifest, err) < 0) {
            manifest_free(&manifest);
            return -1;
        }
        *ret = manifest;
    }
    *ret_is_index = kind == DESCRIPTOR_INDEX;
    return 0;
}
