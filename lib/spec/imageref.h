/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SPEC_IMAGEREF_H
#define VITRINE_SPEC_IMAGEREF_H

/* What the text of --container-image means, before anybody looks for the image. */
#include "base/error.h"
#include "base/limits.h"

enum imageref_kind {
    IMAGEREF_NONE,     /* "none": no container */
    IMAGEREF_ABSOLUTE, /* "/x/y.sqfs" */
    IMAGEREF_RELATIVE, /* "./x", "../x", ".", "..": from the submit directory alone */
    IMAGEREF_HOME, /* "~", "~/x": no shell expands it in #SBATCH lines and after '=' */
    IMAGEREF_NAME, /* "x", "x/y": submit directory first, then the ImageDir list */
    IMAGEREF_REGISTRY, /* what registryref_parse() takes, and no file can be */
};

struct imageref {
    enum imageref_kind kind;
    bool maybe_registry; /* an IMAGEREF_NAME that reads like docker://NAME: a file of that
                            name wins, so it matters only when there is none */
    const char *text;    /* the whole text, borrowed */
};

/*
 * Reads a text of at most LIMIT_IMAGE_REF bytes without control characters; the length is
 * checked first, so `text` may be of any size. A registry's reference is checked, too, so
 * that srun can refuse it. Messages do not say where it comes from.
 */
int imageref_parse(const char *text, struct imageref *ret, struct vitrine_error *err);

/*
 * For sites where a name may stand for docker://NAME (Compat=pyxis): that, if it can be
 * one and does not end as files do. False for all other kinds.
 */
#define IMAGEREF_REGISTRY_MAX (LIMIT_IMAGE_REF + sizeof("docker://"))
bool imageref_as_registry(const struct imageref *ref, char ret[IMAGEREF_REGISTRY_MAX]);

#endif
