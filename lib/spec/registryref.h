/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SPEC_REGISTRYREF_H
#define VITRINE_SPEC_REGISTRYREF_H

/* Where an image that has to be imported comes from, as text says it. */
#include "base/error.h"

enum registryref_kind {
    REGISTRYREF_REGISTRY,
    REGISTRYREF_OCI_LAYOUT,     /* oci:DIR[:TAG] */
    REGISTRYREF_DOCKER_ARCHIVE, /* docker-archive:FILE[:NAME[:TAG]], as docker save writes
                                 */
};

#define REGISTRYREF_HOST_MAX   300 /* a DNS name has 253 bytes; port, brackets */
#define REGISTRYREF_NAME_MAX   256 /* OCI distribution spec 1.1, "Pulling manifests" */
#define REGISTRYREF_TAG_MAX    129
#define REGISTRYREF_DIGEST_MAX 72

struct registryref {
    enum registryref_kind kind;
    /* REGISTRYREF_REGISTRY. Docker Hub's short names are completed: host "docker.io",
     * repository "library/debian". The host is lower case. */
    char host[REGISTRYREF_HOST_MAX]; /* "nvcr.io", "localhost:5000", "[::1]:5000" */
    char repository[REGISTRYREF_NAME_MAX];
    char user[64]; /* of USER@REGISTRY#IMAGE: which credentials are meant; "" */
    /* The others; a path as it was written. An archive's image is told by host,
     * repository and tag as above, or by nothing (host ""): then it must be the only one.
     */
    char path[4096];
    /* At least one of these is set for a registry: "latest" is the default; with a digest
     * the tag does not count. Of a layout both may be "": then it must have one image. */
    char tag[REGISTRYREF_TAG_MAX];
    char digest[REGISTRYREF_DIGEST_MAX]; /* "sha256:" and 64 lower-case digits, or "" */
};

/*
 * docker://[USER@]REGISTRY#IMAGE[:TAG][@DIGEST] (enroot), docker://[REGISTRY/]IMAGE...
 * (everybody), the same without docker://, oci:DIR[:TAG][@DIGEST],
 * docker-archive:FILE[:NAME[:TAG]]. The grammar of names is that of the OCI distribution
 * specification 1.1 and of docker's reference package. Fails with one sentence that says
 * which part of the text is wrong.
 */
int registryref_parse(const char *text, struct registryref *ret,
                      struct vitrine_error *err);

/* Whether a text can be nothing else: it has one of these prefixes (or another tool's, as
 * podman://), or is enroot's REGISTRY#IMAGE. It may still be wrong. */
bool registryref_is_certain(const char *text);

/* Whether a text could be one without docker:// before it, and shows it by a tag, a
 * digest, or a registry. */
bool registryref_is_likely(const char *text);

/* The canonical text, without the user: "docker://host/repository:tag@digest",
 * "oci:path:tag"... */
void registryref_print(const struct registryref *ref, char *buf, size_t size);

/* "sha256:" and 64 lower-case hexadecimal digits. */
bool registryref_is_digest(const char *text);

#endif
