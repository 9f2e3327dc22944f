/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configurations of images: what is accepted becomes whole records, within bounds. */
#include "base/limits.h"
#include "registry/manifest.h"
#include "spec/registryref.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void check_records(const char *text, size_t size)
{
    claim(size <= LIMIT_META_FILE && (size == 0 || text[size - 1] == '\0'));
    for (const char *end = text + size; text < end; text += strlen(text) + 1) {
        if (begins(text, "env="))
            claim(text[4] != '=' && strchr(text + 4, '='));
        else
            claim(begins(text, "workdir=/") || begins(text, "volume=/") ||
                  begins(text, "entrypoint=") || begins(text, "cmd=") ||
                  (begins(text, "user=") && text[5]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct manifest_platform platform = {.architecture = "amd64"};
    struct vitrine_error err = {0};
    char *text, (*ids)[DIGEST_TEXT];
    size_t n;

    if (manifest_config((const char *)data, size, &platform, &text, &n, &err) == 0) {
        check_records(text, n);
        free(text);
    } else {
        claim(err.code != VITRINE_OK && err.text[0] != '\0');
    }
    if (manifest_diff_ids((const char *)data, size, &ids, &n, &err) == 0) {
        claim(n > 0 && n <= LIMIT_LAYERS);
        for (size_t i = 0; i < n; i++)
            claim(registryref_is_digest(ids[i]));
        free(ids);
    }
    return 0;
}
