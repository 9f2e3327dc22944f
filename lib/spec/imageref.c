/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user or as root, on texts that a user wrote. It only looks at the text: a
 * name says nothing of what a file is, and nothing is opened here.
 */
#include "spec/imageref.h"
#include "spec/registryref.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Endings that people give to files, and registries to nothing. */
static const char *const file_endings[] = {
    ".sqfs", ".sqsh", ".squashfs", ".sif", ".simg", ".img",
};

static bool has_file_ending(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < COUNT(file_endings); i++) {
        size_t n = strlen(file_endings[i]);

        if (len >= n && strcasecmp(text + len - n, file_endings[i]) == 0)
            return true;
    }
    return false;
}

/* The "scheme://" at the start of text: its length, or 0. */
static size_t scheme_length(const char *text)
{
    size_t n = 0;

    while (isalnum((unsigned char)text[n]) || (n > 0 && strchr("+-.", text[n])))
        if (text[n++] == '\0')
            return 0;
    return n > 0 && strncmp(text + n, "://", 3) == 0 ? n + 3 : 0;
}

static int check_text(const char *text, struct vitrine_error *err)
{
    size_t len = strnlen(text, LIMIT_IMAGE_REF + 1);

    if (len > LIMIT_IMAGE_REF)
        return vitrine_fail(err, VITRINE_EUSAGE, "the value is longer than %d bytes",
                            LIMIT_IMAGE_REF);
    if (len == 0)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "the value is empty; give an image, or none");
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return vitrine_fail(err, VITRINE_EUSAGE,
                                "the value has a control character in it: %s", text);
    return 0;
}

static int fail_scheme(const char *text, size_t scheme, struct vitrine_error *err)
{
    if (strncasecmp(text, "file://", scheme) == 0)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "write the path of the image without file://, not %s", text);
    return vitrine_fail(err, VITRINE_EUSAGE,
                        "images cannot be taken from %.*s; give a file or a directory, "
                        "not %s",
                        (int)scheme, text, text);
}

static enum imageref_kind kind_of(const char *text)
{
    size_t dots = strspn(text, ".");

    if (strcmp(text, "none") == 0)
        return IMAGEREF_NONE;
    if (text[0] == '/')
        return IMAGEREF_ABSOLUTE;
    if ((dots == 1 || dots == 2) && (text[dots] == '/' || text[dots] == '\0'))
        return IMAGEREF_RELATIVE;
    if (text[0] == '~' && (text[1] == '/' || text[1] == '\0'))
        return IMAGEREF_HOME;
    if (registryref_is_certain(text))
        return IMAGEREF_REGISTRY;
    return IMAGEREF_NAME;
}

int imageref_parse(const char *text, struct imageref *ret, struct vitrine_error *err)
{
    if (check_text(text, err) < 0)
        return -1;
    enum imageref_kind kind = kind_of(text);
    size_t scheme = scheme_length(text);
    struct registryref registry;

    if (kind == IMAGEREF_REGISTRY && registryref_parse(text, &registry, err) < 0)
        return -1;
    if (kind == IMAGEREF_NAME && scheme > 0)
        return fail_scheme(text, scheme, err);
    *ret = (struct imageref){
        .kind = kind,
        .maybe_registry = kind == IMAGEREF_NAME && !has_file_ending(text) &&
                          registryref_is_likely(text),
        .text = text,
    };
    return 0;
}

bool imageref_as_registry(const struct imageref *ref, char ret[IMAGEREF_REGISTRY_MAX])
{
    struct registryref registry;

    if (ref->kind != IMAGEREF_NAME || has_file_ending(ref->text))
        return false;
    (void)snprintf(ret, IMAGEREF_REGISTRY_MAX, "docker://%s", ref->text);
    return registryref_parse(ret, &registry, NULL) == 0;
}
