/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user. Indexes: of a registry, where entries differ by their platform, and
 * index.json of an OCI layout, where they may also be different images.
 */
#include "base/cleanup.h"
#include "base/limits.h"
#include "registry/descriptor.h"
#include "registry/platform.h"

#include <string.h>

/* image-spec 1.1, annotations. */
#define NAME "org.opencontainers.image.ref.name"

struct choice {
    const struct manifest_platform *platform;
    struct manifest_blob best;
    unsigned rank;              /* of best; 0: none */
    struct manifest_blob other; /* one whose platform is not said */
    unsigned others;
    char has[400]; /* "linux/amd64, linux/arm64/v8", for the message */
};

static void list_platform(struct choice *choice, const char *os, const char *architecture,
                          const char *variant)
{
    size_t used = strlen(choice->has), room = sizeof(choice->has) - used;
    bool has_variant = variant && variant[0];
    int n = snprintf(choice->has + used, room, "%s%s/%s%s%s", used ? ", " : "", os,
                     architecture, has_variant ? "/" : "", has_variant ? variant : "");

    if (n < 0 || (size_t)n >= room)
        choice->has[used] = '\0';
}

/* Signatures, attestations and the like, which stand beside images. */
static int is_image(struct json_object *entry, const char *type, bool *ret,
                    struct vitrine_error *err)
{
    struct json_object *notes;
    const char *artifact, *reference;
    enum descriptor_kind kind = descriptor_kind_of(type);

    if (document_string(entry, "artifactType", &artifact, err) < 0 ||
        document_object(entry, "annotations", &notes, err) < 0 ||
        document_string(notes, "vnd.docker.reference.type", &reference, err) < 0)
        return -1;
    *ret = (kind == DESCRIPTOR_IMAGE || kind == DESCRIPTOR_INDEX) && !reference &&
           (!artifact || descriptor_is_config_type(artifact));
    return 0;
}

/* What a layout calls an entry, or NULL. */
static int read_name(struct json_object *entry, const char **ret,
                     struct vitrine_error *err)
{
    struct json_object *notes;

    if (document_object(entry, "annotations", &notes, err) < 0)
        return -1;
    return document_string(notes, NAME, ret, err);
}

static int weigh(struct choice *choice, const char *name, struct json_object *entry,
                 struct vitrine_error *err)
{
    const char *own_name, *type, *os, *architecture, *variant;
    struct json_object *platform;
    struct manifest_blob blob;
    bool usable;

    if (descriptor_read(entry, LIMIT_JSON_SIZE, &type, &blob, err) < 0 ||
        is_image(entry, type, &usable, err) < 0 || read_name(entry, &own_name, err) < 0 ||
        document_object(entry, "platform", &platform, err) < 0 ||
        document_string(platform, "os", &os, err) < 0 ||
        document_string(platform, "architecture", &architecture, err) < 0 ||
        document_string(platform, "variant", &variant, err) < 0)
        return -1;
    if (!usable || (name && (!own_name || strcmp(own_name, name) != 0)))
        return 0;
    blob.is_index = descriptor_kind_of(type) == DESCRIPTOR_INDEX;
    if (!os || !os[0] || !architecture || !architecture[0]) {
        choice->other = blob;
        choice->others++;
        return 0;
    }
    if (strcmp(os, "unknown") == 0)
        return 0;
    list_platform(choice, os, architecture, variant);
    unsigned rank = strcmp(os, "linux") == 0
                        ? platform_rank(choice->platform, architecture, variant)
                        : 0;
    if (rank > choice->rank) {
        choice->best = blob;
        choice->rank = rank;
    }
    return 0;
}

int index_choose(struct json_object *document, const char *name,
                 const struct manifest_platform *platform, struct manifest_blob *ret,
                 struct vitrine_error *err)
{
    struct choice choice = {.platform = platform};
    struct json_object *array, *entry;
    size_t n;

    if (document_array(document, "manifests", &array, err) < 0)
        return -1;
    n = document_length(array);
    if (n > LIMIT_INDEX_ENTRIES)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "its index has %zu entries, more than %d", n,
                            LIMIT_INDEX_ENTRIES);
    for (size_t i = 0; i < n; i++)
        if (document_element(array, i, &entry, err) < 0 ||
            weigh(&choice, name, entry, err) < 0)
            return vitrine_wrap(err, "entry %zu of its index", i + 1);
    /* One that does not say what it is for is looked at; its configuration does. */
    if (choice.rank == 0 && choice.others != 1)
        return vitrine_fail(
            err, VITRINE_EUNSUPPORTED, "it has nothing for linux/%s%s%s, only %s",
            platform->architecture, platform->variant[0] ? "/" : "", platform->variant,
            choice.has[0]       ? choice.has
            : choice.others > 1 ? "images that do not say their platform"
                                : "what is no container image");
    *ret = choice.rank > 0 ? choice.best : choice.other;
    return 0;
}

/* --- layouts --- */

struct names {
    const char *list[LIMIT_INDEX_ENTRIES];
    size_t count;
    bool unnamed;   /* an image has none */
    char text[400]; /* "a, b", for the message */
};

static void add_name(struct names *names, const char *name)
{
    size_t used = strlen(names->text), room = sizeof(names->text) - used;

    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->list[i], name) == 0)
            return;
    names->list[names->count++] = name;
    if (snprintf(names->text + used, room, "%s%s", used ? ", " : "", name) >= (int)room)
        names->text[used] = '\0';
}

static int read_names(struct json_object *array, struct names *ret,
                      struct vitrine_error *err)
{
    size_t n = document_length(array);

    if (n > LIMIT_INDEX_ENTRIES)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "its index has %zu entries, more than %d", n,
                            LIMIT_INDEX_ENTRIES);
    for (size_t i = 0; i < n; i++) {
        const char *type, *name;
        struct json_object *entry;
        struct manifest_blob blob;
        bool usable;

        if (document_element(array, i, &entry, err) < 0 ||
            descriptor_read(entry, LIMIT_JSON_SIZE, &type, &blob, err) < 0 ||
            is_image(entry, type, &usable, err) < 0 || read_name(entry, &name, err) < 0)
            return vitrine_wrap(err, "entry %zu of its index", i + 1);
        if (usable && name)
            add_name(ret, name);
        else if (usable)
            ret->unnamed = true;
    }
    return 0;
}

static int check_tag(const struct names *names, const char *tag,
                     struct vitrine_error *err)
{
    if (!tag[0] && names->count + names->unnamed > 1)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "it has several images; add the tag of one behind a colon: "
                            "%s",
                            names->text);
    for (size_t i = 0; tag[0] && i < names->count; i++)
        if (strcmp(names->list[i], tag) == 0)
            return 0;
    if (tag[0])
        return vitrine_fail(err, VITRINE_ENOIMAGE,
                            "it has no image with the tag %s, only %s", tag,
                            names->text[0] ? names->text : "what has no tag");
    return 0;
}

int manifest_layout(const char *json, size_t size, const char *tag,
                    const struct manifest_platform *platform, struct manifest_blob *ret,
                    struct vitrine_error *err)
{
    cleanup_document struct json_object *document = NULL;
    struct names names = {.count = 0};
    struct json_object *array;

    if (document_parse(json, size, &document, err) < 0 ||
        document_array(document, "manifests", &array, err) < 0)
        return -1;
    if (read_names(array, &names, err) < 0 || check_tag(&names, tag, err) < 0)
        return -1;
    return index_choose(document, tag[0] ? tag : NULL, platform, ret, err);
}
