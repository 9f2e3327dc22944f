/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_DESCRIPTOR_H
#define VITRINE_REGISTRY_DESCRIPTOR_H

/* What manifests and indexes have in common: how they name what they refer to. */
#include "registry/document.h"
#include "registry/manifest.h"

enum descriptor_kind {
    DESCRIPTOR_IMAGE,
    DESCRIPTOR_INDEX,
    DESCRIPTOR_SCHEMA1,
    DESCRIPTOR_UNKNOWN,
};

/* By a media type, which may have parameters, as in "TYPE; charset=utf-8". */
enum descriptor_kind descriptor_kind_of(const char *type);
bool descriptor_is_config_type(const char *type);

/* Type, digest and size, of which all must be there. */
int descriptor_read(struct json_object *object, uint64_t max, const char **ret_type,
                    struct manifest_blob *ret, struct vitrine_error *err);

/* The best entry of an index for a platform, of those called `name` (NULL: all). */
int index_choose(struct json_object *document, const char *name,
                 const struct manifest_platform *platform, struct manifest_blob *ret,
                 struct vitrine_error *err);

#endif
