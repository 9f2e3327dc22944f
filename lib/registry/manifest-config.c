/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user. From the OCI image configuration (image-spec 1.1, config.md) to the
 * records that lib/image/meta.h describes. What does not fit into those limits is an
 * error here, so that no image runs with half of its variables.
 */
#include "base/cleanup.h"
#include "base/limits.h"
#include "registry/document.h"
#include "registry/manifest.h"
#include "registry/platform.h"
#include "spec/registryref.h"

#include <string.h>

struct records {
    char *data;
    size_t size, room;
};

/* KEY=PREFIX VALUE and a NUL. */
static int add(struct records *records, const char *key, const char *prefix,
               const char *value, struct vitrine_error *err)
{
    size_t need = strlen(key) + 1 + strlen(prefix) + strlen(value) + 1;

    if (need > LIMIT_META_FILE - records->size)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "its variables, entry point and command take more than %lu "
                            "bytes",
                            LIMIT_META_FILE);
    if (need > records->room - records->size) {
        size_t room = (records->size + need) * 2;
        char *more = realloc(records->data, room);

        if (!more)
            return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
        records->data = more;
        records->room = room;
    }
    (void)snprintf(records->data + records->size, need, "%s=%s%s", key, prefix, value);
    records->size += need;
    return 0;
}

/* A list, or the single text that Docker takes for one. */
static int add_list(struct records *records, struct json_object *config, const char *name,
                    const char *key, size_t max, struct vitrine_error *err)
{
    cleanup_free const char **list = NULL;
    size_t n;

    if (document_strings(config, name, &list, &n, err) < 0)
        return -1;
    if (n > max)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED, "its '%s' has more than %zu parts",
                            name, max);
    for (size_t i = 0; i < n; i++)
        if (add(records, key, "", list[i], err) < 0)
            return -1;
    return 0;
}

/* Without those that name nothing, which a program would not get either. */
static int add_variables(struct records *records, struct json_object *config,
                         struct vitrine_error *err)
{
    cleanup_free const char **list = NULL;
    size_t n;

    if (document_strings(config, "Env", &list, &n, err) < 0)
        return -1;
    if (n > LIMIT_META_VARS)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED, "it has more than %d variables",
                            LIMIT_META_VARS);
    for (size_t i = 0; i < n; i++)
        if (list[i][0] != '=' && strchr(list[i], '=') &&
            add(records, "env", "", list[i], err) < 0)
            return -1;
    return 0;
}

struct volumes {
    struct records *records;
    size_t count;
    int rc;
    struct vitrine_error *err;
};

static bool add_volume(void *arg, const char *name, struct json_object *value)
{
    struct volumes *volumes = arg;

    (void)value;
    if (name[0] != '/')
        return true;
    if (++volumes->count > LIMIT_META_WORDS)
        volumes->rc = vitrine_fail(volumes->err, VITRINE_EUNSUPPORTED,
                                   "it has more than %d volumes", LIMIT_META_WORDS);
    else
        volumes->rc = add(volumes->records, "volume", "", name, volumes->err);
    return volumes->rc == 0;
}

static int add_all(struct records *records, struct json_object *config,
                   struct vitrine_error *err)
{
    struct volumes volumes = {.records = records, .err = err};
    struct json_object *object;
    const char *text;

    if (add_variables(records, config, err) < 0 ||
        document_string(config, "WorkingDir", &text, err) < 0)
        return -1;
    /* A relative one counts from the root, as for runc. */
    if (text && text[0] &&
        add(records, "workdir", text[0] == '/' ? "" : "/", text, err) < 0)
        return -1;
    if (add_list(records, config, "Entrypoint", "entrypoint", LIMIT_META_WORDS, err) <
            0 ||
        add_list(records, config, "Cmd", "cmd", LIMIT_META_WORDS, err) < 0 ||
        document_string(config, "User", &text, err) < 0 ||
        (text && text[0] && add(records, "user", "", text, err) < 0) ||
        document_object(config, "Volumes", &object, err) < 0)
        return -1;
    document_each(object, add_volume, &volumes);
    return volumes.rc;
}

static int check_platform(struct json_object *document,
                          const struct manifest_platform *platform,
                          struct vitrine_error *err)
{
    const char *os, *architecture;

    if (document_string(document, "os", &os, err) < 0 ||
        document_string(document, "architecture", &architecture, err) < 0)
        return -1;
    if (os && os[0] && strcmp(os, "linux") != 0)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED, "it is for %.100s, not for linux",
                            os);
    if (architecture && architecture[0] &&
        !platform_same_architecture(architecture, platform->architecture))
        return vitrine_fail(err, VITRINE_EUNSUPPORTED, "it is for %.100s, not for %s",
                            architecture, platform->architecture);
    return 0;
}

int manifest_config(const char *json, size_t size,
                    const struct manifest_platform *platform, char **ret,
                    size_t *ret_size, struct vitrine_error *err)
{
    cleanup_document struct json_object *document = NULL;
    struct json_object *config;
    struct records records = {.room = 1};

    if (document_parse(json, size, &document, err) < 0 ||
        check_platform(document, platform, err) < 0 ||
        document_object(document, "config", &config, err) < 0)
        return -1;
    /* Not NULL, whatever the image says. */
    records.data = malloc(records.room);
    if (!records.data)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    if (add_all(&records, config, err) < 0) {
        free(records.data);
        return -1;
    }
    *ret = records.data;
    *ret_size = records.size;
    return 0;
}

int manifest_diff_ids(const char *json, size_t size, char (**ret)[DIGEST_TEXT],
                      size_t *ret_count, struct vitrine_error *err)
{
    cleanup_document struct json_object *document = NULL;
    cleanup_free const char **list = NULL;
    cleanup_free char(*ids)[DIGEST_TEXT] = NULL;
    struct json_object *rootfs;
    size_t n;

    if (document_parse(json, size, &document, err) < 0 ||
        document_object(document, "rootfs", &rootfs, err) < 0 ||
        document_strings(rootfs, "diff_ids", &list, &n, err) < 0)
        return -1;
    if (n == 0 || n > LIMIT_LAYERS)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "its rootfs has %zu diff_ids, not 1 to %d", n, LIMIT_LAYERS);
    ids = calloc(n, sizeof(*ids));
    if (!ids)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (!registryref_is_digest(list[i]))
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "'%.100s' of its diff_ids is no sha256 digest", list[i]);
        memcpy(ids[i], list[i], sizeof(ids[i]));
    }
    *ret = steal_ptr(&ids);
    *ret_count = n;
    return 0;
}
