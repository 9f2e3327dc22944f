/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* References to registries: what parses has sound parts, and its canonical text means the
 * same. */
#include "base/limits.h"
#include "spec/registryref.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

/* Nothing that would mean something else in a URL. */
static void check_registry(const struct registryref *ref)
{
    claim(ref->host[0] && strcspn(ref->host, "/@#?% \t\n") == strlen(ref->host));
    claim(strspn(ref->repository, "abcdefghijklmnopqrstuvwxyz0123456789._-/") ==
          strlen(ref->repository));
    claim(ref->repository[0] && ref->repository[0] != '/' &&
          !strstr(ref->repository, "//") && !strstr(ref->repository, ".."));
    claim(strcspn(ref->tag, "/@#?% \t\n:") == strlen(ref->tag));
}

static void check(const struct registryref *ref)
{
    struct registryref again;
    char text[LIMIT_IMAGE_REF + 64];

    claim(ref->digest[0] == '\0' || registryref_is_digest(ref->digest));
    if (ref->kind == REGISTRYREF_REGISTRY) {
        check_registry(ref);
        claim(ref->tag[0] || ref->digest[0]);
    } else {
        claim(ref->path[0] && !strchr(ref->path, ':'));
        if (ref->host[0])
            check_registry(ref);
    }
    registryref_print(ref, text, sizeof(text));
    if (strlen(text) > LIMIT_IMAGE_REF)
        return;
    claim(registryref_parse(text, &again, NULL) == 0);
    claim(again.kind == ref->kind && strcmp(again.host, ref->host) == 0 &&
          strcmp(again.repository, ref->repository) == 0 &&
          strcmp(again.tag, ref->tag) == 0 && strcmp(again.digest, ref->digest) == 0 &&
          strcmp(again.path, ref->path) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vitrine_error err = {0};
    struct registryref ref;
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (registryref_parse(text, &ref, &err) == 0)
        check(&ref);
    else
        claim(err.code != VITRINE_OK && err.text[0] != '\0');
    (void)registryref_is_likely(text);
    (void)registryref_is_certain(text);
    free(text);
    return 0;
}
