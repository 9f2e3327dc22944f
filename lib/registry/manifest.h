/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_MANIFEST_H
#define VITRINE_REGISTRY_MANIFEST_H

/*
 * Manifests, indexes and configurations as registries have them: hostile JSON, whose
 * bytes the caller has compared with their digest. OCI image specification 1.1
 * (image-index, manifest, config), Docker image manifest v2 schema 2.
 */
#include "base/error.h"
#include "registry/digest.h"

#include <stdint.h>

#define MANIFEST_TYPE_OCI       "application/vnd.oci.image.manifest.v1+json"
#define MANIFEST_TYPE_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MANIFEST_TYPE_DOCKER    "application/vnd.docker.distribution.manifest.v2+json"
#define MANIFEST_TYPE_DOCKER_LIST                                                        \
    "application/vnd.docker.distribution.manifest.list.v2+json"

/* An index may be in another one, as skopeo and buildx make them, but not deeper: who
 * resolves a reference reads so many indexes at most. */
#define MANIFEST_INDEXES 2

enum manifest_compression {
    MANIFEST_PLAIN,
    MANIFEST_GZIP,
    MANIFEST_ZSTD,
    MANIFEST_UNKNOWN, /* the media type does not say: the first bytes do */
};

struct manifest_blob {
    char digest[DIGEST_TEXT];
    uint64_t size;
    enum manifest_compression compression; /* of layers */
    bool is_index; /* of an index's entry: that it is another index */
};

struct manifest {
    struct manifest_blob config;
    struct manifest_blob *layers; /* the lowest first, each one that has files */
    size_t nlayers;
};

/* What an image must run on. */
struct manifest_platform {
    char architecture[32]; /* as in GOARCH: amd64, arm64, ppc64le, s390x, riscv64 */
    char variant[32];      /* "v8", "v7", or "" */
};

/* "ARCH[/VARIANT]", also with "linux/" before it and in the words of uname(2); NULL: this
 * machine's. */
int manifest_platform(const char *text, struct manifest_platform *ret,
                      struct vitrine_error *err);

/*
 * Reads a manifest of any known media type (the type is taken from the document, or else
 * from `media_type`, which may be NULL). If it is an index, *ret_chosen is the entry for
 * the platform and *ret_is_index is true; otherwise *ret is filled. Texts name what the
 * index has instead if the platform is not among it, and go on after "the manifest of X".
 */
int manifest_parse(const char *json, size_t size, const char *media_type,
                   const struct manifest_platform *platform, bool *ret_is_index,
                   struct manifest_blob *ret_chosen, struct manifest *ret,
                   struct vitrine_error *err);
/* The same for index.json of an OCI layout: the image with a tag, or the only one ("").
 */
int manifest_layout(const char *json, size_t size, const char *tag,
                    const struct manifest_platform *platform, struct manifest_blob *ret,
                    struct vitrine_error *err);

void manifest_free(struct manifest *manifest);

/*
 * From the image's configuration to the file /.vitrine/config (image/meta.h says its
 * format). `platform` is what was asked for: an image that tells another architecture is
 * refused, as a manifest without an index says nothing. The caller frees *ret.
 */
int manifest_config(const char *json, size_t size,
                    const struct manifest_platform *platform, char **ret,
                    size_t *ret_size, struct vitrine_error *err);

/*
 * The digests of the uncompressed layers as an image's configuration lists them, the
 * lowest first. The caller frees *ret.
 */
int manifest_diff_ids(const char *json, size_t size, char (**ret)[DIGEST_TEXT],
                      size_t *ret_count, struct vitrine_error *err);

#endif
