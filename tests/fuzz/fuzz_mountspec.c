/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of mounts: whatever parses keeps what mountspec.h promises. */
#include "base/limits.h"
#include "base/path.h"
#include "spec/mountspec.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

static void check_source(const struct mountspec *spec)
{
    char *source = mountspec_source(spec, "/work", "/home/ada"), *normal = NULL;

    claim(source && source[0] == '/');
    claim(spec->target || spec->source[0] == '.' || spec->source[0] == '~');
    if (mountspec_normalise(source, &normal) == 0)
        claim(path_is_normal(normal));
    free(normal);
    free(source);
}

static void check(const struct mountspec *spec)
{
    bool has_source = spec->kind == MOUNTSPEC_BIND || spec->kind == MOUNTSPEC_SQUASHFS;

    claim(spec->text && spec->text[0] && !strchr(spec->text, ','));
    claim(has_source == (spec->source != NULL));
    claim(!spec->data || spec->kind == MOUNTSPEC_TMPFS);
    claim(!spec->recursive || spec->kind == MOUNTSPEC_BIND);
    claim((spec->attr_set & spec->attr_clear & ~UINT64_C(0x70)) == 0);
    claim(!spec->target || (path_is_normal(spec->target) && spec->target[1]));
    if (has_source)
        check_source(spec);
    else
        claim(spec->target != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vitrine_error err = {0};
    struct mountspec *list = NULL;
    size_t count = 0;
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (mountspec_parse(text, &list, &count, &err) == 0) {
        claim(count > 0 && count <= LIMIT_MOUNT_ENTRIES);
        for (size_t i = 0; i < count; i++)
            check(&list[i]);
    } else {
        claim(err.code == VITRINE_EUSAGE && err.text[0] != '\0' && !list);
    }
    mountspec_free(list, count);
    free(text);
    return 0;
}
