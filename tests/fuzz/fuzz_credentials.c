/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files with credentials: the first byte says which format. No helper is in the PATH. */
#include "registry/credfile.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const environ[] = {"PATH=", "TOKEN=x", NULL};
    const struct credentials_lookup lookup = {.environ = environ};
    const struct credfile_query query = {
        .host = "docker.io",
        .repository = "library/x",
        .user = "",
        .file = "FILE",
        .docker = true,
        .lookup = &lookup,
    };
    struct credentials found = {.user = NULL};
    struct vitrine_error err = {0};
    bool is_found = false;
    const char *text = (const char *)data + 1;
    int rc;

    if (size == 0)
        return 0;
    rc = data[0] == 'n' ? netrc_find(text, size - 1, &query, &found, &is_found, &err)
                        : authfile_find(text, size - 1, &query, &found, &is_found, &err);
    if (rc < 0)
        claim(err.code != VITRINE_OK && err.text[0] != '\0');
    else if (is_found)
        claim(found.password || found.identity_token);
    else
        claim(!found.user && !found.password && !found.identity_token);
    credentials_free(&found);
    return 0;
}
