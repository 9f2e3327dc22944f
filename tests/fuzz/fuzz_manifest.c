/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests and indexes: what is accepted has sound digests and sizes. */
#include "base/limits.h"
#include "registry/manifest.h"
#include "spec/registryref.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

static void check(const struct manifest *manifest)
{
    claim(registryref_is_digest(manifest->config.digest));
    claim(manifest->config.size <= LIMIT_JSON_SIZE);
    claim(manifest->nlayers > 0 && manifest->nlayers <= LIMIT_LAYERS);
    for (size_t i = 0; i < manifest->nlayers; i++) {
        claim(registryref_is_digest(manifest->layers[i].digest));
        claim(manifest->layers[i].size <= LIMIT_LAYER_SIZE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct manifest_platform platform = {.architecture = "amd64", .variant = "v2"};
    struct vitrine_error err = {0};
    struct manifest_blob chosen;
    struct manifest manifest;
    bool is_index;

    if (manifest_parse((const char *)data, size, NULL, &platform, &is_index, &chosen,
                       &manifest, &err) < 0) {
        claim(err.code != VITRINE_OK && err.text[0] != '\0');
        return 0;
    }
    if (is_index) {
        claim(registryref_is_digest(chosen.digest) && chosen.size <= LIMIT_JSON_SIZE);
    } else {
        check(&manifest);
        manifest_free(&manifest);
    }
    return 0;
}
