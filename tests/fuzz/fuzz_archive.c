/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Archives of docker save: whatever is in one, its blobs have the digests they are said
 * to have, and can be read as often as wanted. */
#include "source/source.h"
#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

static void read_layer(struct source *source, const struct manifest_blob *layer)
{
    struct digest *digest = digest_new();
    struct vitrine_error err = {0};
    char found[DIGEST_TEXT];
    uint64_t total = 0;

    claim(digest && source->ops->want(source, layer, 1, &err) == 0);
    for (;;) {
        const void *data;
        size_t size;

        if (source->ops->read(source, &data, &size, &err) < 0) {
            claim(err.text[0] != '\0');
            digest_free(digest);
            return;
        }
        if (size == 0)
            break;
        claim(digest_update(digest, data, size) == 0);
        total += size;
    }
    claim(total == layer->size && digest_text(digest, found) == 0 &&
          strcmp(found, layer->digest) == 0);
    digest_free(digest);
}

static void read_image(struct source *source)
{
    struct manifest manifest = {.layers = NULL};
    struct vitrine_error err = {0};
    char digest[DIGEST_TEXT], found[DIGEST_TEXT], *config;

    if (source->ops->resolve(source, digest, &manifest, &err) < 0) {
        claim(err.code != VITRINE_OK && err.text[0] != '\0' && !manifest.layers);
        return;
    }
    claim(registryref_is_digest(digest));
    if (source->ops->blob(source, &manifest.config, &config, &err) == 0) {
        claim(digest_of(config, manifest.config.size, found) == 0 &&
              strcmp(found, manifest.config.digest) == 0);
        free(config);
    }
    /* The first that is wrong ends it, as an import would. */
    if (manifest.nlayers > 0)
        read_layer(source, &manifest.layers[manifest.nlayers - 1]);
    manifest_free(&manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct vitrine_import_spec spec = {.platform = "amd64"};
    struct registryref ref = {.kind = REGISTRYREF_DOCKER_ARCHIVE};
    struct vitrine_error err = {0};
    struct source *source;
    int fd = memfd_create("archive", MFD_CLOEXEC);

    if (fd < 0)
        return 0;
    (void)snprintf(ref.path, sizeof(ref.path), "/proc/self/fd/%d", fd);
    if (write(fd, data, size) == (ssize_t)size) {
        if (source_archive_open(&ref, NULL, &spec, &source, &err) == 0) {
            read_image(source);
            source->ops->close(source);
        } else {
            claim(err.code != VITRINE_OK && err.text[0] != '\0');
        }
    }
    (void)close(fd);
    return 0;
}
