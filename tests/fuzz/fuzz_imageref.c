/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Image references: whatever parses is what its kind says. */
#include "base/limits.h"
#include "spec/imageref.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

static void check(const struct imageref *ref)
{
    size_t len = strlen(ref->text);

    claim(len > 0 && len <= LIMIT_IMAGE_REF);
    for (size_t i = 0; i < len; i++)
        claim((unsigned char)ref->text[i] >= 0x20 && ref->text[i] != 0x7f);
    claim((ref->kind == IMAGEREF_ABSOLUTE) == (ref->text[0] == '/'));
    claim((ref->kind == IMAGEREF_NONE) == (strcmp(ref->text, "none") == 0));
    claim(ref->kind == IMAGEREF_NAME || !ref->maybe_registry);
    claim(ref->kind == IMAGEREF_REGISTRY || strncmp(ref->text, "docker://", 9) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vitrine_error err = {0};
    struct imageref ref = {.text = NULL};
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (imageref_parse(text, &ref, &err) == 0)
        check(&ref);
    else
        claim((err.code == VITRINE_EUSAGE || err.code == VITRINE_EUNSUPPORTED) &&
              err.text[0] != '\0' && !ref.text);
    free(text);
    return 0;
}
