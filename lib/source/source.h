/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SOURCE_SOURCE_H
#define VITRINE_SOURCE_SOURCE_H

/*
 * Where manifests and layers come from: a registry, an OCI layout, an archive of docker
 * save. Each kind is one file with one function that opens it; import.c knows only this.
 */
#include "config/config.h"
#include "registry/manifest.h"
#include "spec/registryref.h"
#include "vitrine-import.h"

struct source;

/*
 * Layers are read one after the other, in the order in which they were announced with
 * `want`, so that a source can fetch ahead; a layer may be announced again later, and is
 * then fetched again. All but `read` are called by one thread; `read` by one other, and
 * `stop` ends it from anywhere.
 */
struct source_ops {
    /* The manifest that the reference names, verified against the digest that is known
     * (from the reference, the index, or the registry's header); *ret_digest is of the
     * platform's own manifest. */
    int (*resolve)(struct source *source, char ret_digest[DIGEST_TEXT],
                   struct manifest *ret, struct vitrine_error *err);
    /* Only the digest, by the cheapest means (HEAD); of an index the platform's entry. */
    int (*find_digest)(struct source *source, char ret_digest[DIGEST_TEXT],
                       struct vitrine_error *err);
    /* A small blob, as a whole and verified; the caller frees *ret. */
    int (*blob)(struct source *source, const struct manifest_blob *blob, char **ret,
                struct vitrine_error *err);
    int (*want)(struct source *source, const struct manifest_blob *layers, size_t n,
                struct vitrine_error *err);
    /* Some bytes of the next layer, as they are stored (compressed); *ret_data is valid
     * until the next call. Size 0: this layer ends here, and its size and digest were
     * right; the next call begins the next one. */
    int (*read)(struct source *source, const void **ret_data, size_t *ret_size,
                struct vitrine_error *err);
    /* Bytes that have arrived of all that was announced; any thread. */
    uint64_t (*arrived)(struct source *source);
    void (*stop)(struct source *source);
    void (*close)(struct source *source);
};

/* First in each kind's own. */
struct source {
    const struct source_ops *ops;
};

/*
 * Each kind's: says what is wrong with the reference, but makes no request yet. All that
 * is given outlives the source, which ends with ops->close. Of `spec`, the platform,
 * home, environ and watch are looked at; a digest that is known is in `ref` by now. Where
 * the registry serves users who are not the process's own (a cache of all users), files
 * of the user are read in between base/realuser.h's enter and leave.
 */
int source_registry_open(const struct registryref *ref, const struct config *config,
                         const struct vitrine_import_spec *spec, struct source **ret,
                         struct vitrine_error *err);
int source_oci_open(const struct registryref *ref, const struct config *config,
                    const struct vitrine_import_spec *spec, struct source **ret,
                    struct vitrine_error *err);
int source_archive_open(const struct registryref *ref, const struct config *config,
                        const struct vitrine_import_spec *spec, struct source **ret,
                        struct vitrine_error *err);

#endif
