/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the text of vitrine.conf to values: what keys there are, and what they may say. */
#include "config/parser.h"
#include "base/closest.h"
#include "base/limits.h"
#include "base/path.h"
#include "config/images.h"
#include "config/keys.h"
#include "config/registries.h"
#include "config/syntax.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

/* --- trusted owners --- */

static int read_owners(struct config *config, char *list, struct vitrine_error *err)
{
    for (char *item; (item = syntax_next_item(&list));) {
        uid_t uid = 0;

        if (item[0] == '\0')
            return vitrine_fail(err, VITRINE_ECONFIG,
                                "TrustedOwner has an empty name in it");
        if (keys_read_uid(KEY_TRUSTED_OWNER, item, &uid, err) < 0)
            return -1;
        uid_t *more =
            keys_grow(config->trusted_owners, config->ntrusted_owners, sizeof(*more));
        if (!more)
            return keys_fail_memory(err);
        config->trusted_owners = more;
        more[config->ntrusted_owners++] = uid;
    }
    return 0;
}

/* --- containers --- */

static int read_directory(const char *value, const char **ret, struct vitrine_error *err)
{
    if (!path_is_normal(value) || value[1] == '\0' || strlen(value) >= PATH_MAX / 2)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "ContainerDir: '%s' is not an absolute path free of '.', "
                            "'..', and needless slashes",
                            value);
    *ret = value;
    return 0;
}

/* As tmpfs takes it: bytes, or with k, m, g or t so many times 1024, or a share of the
 * memory. */
static int read_size(const char *value, const char **ret, struct vitrine_error *err)
{
    size_t digits = strspn(value, "0123456789");
    const char *unit = value + digits;

    if (digits == 0 || digits > 15 || value[0] == '0' || (unit[0] && unit[1]) ||
        !strchr("kKmMgGtT%", unit[0]))
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "WritableSize: '%s' is not a size, as in 500M, 16G or 25%%",
                            value);
    *ret = value;
    return 0;
}

/* --- lines --- */

static const char *const compat_words[] = {
    [CONFIG_COMPAT_NONE] = "none", [CONFIG_COMPAT_PYXIS] = "pyxis", NULL};
static const char *const scope_words[] = {
    [CONFIG_SCOPE_JOB] = "job", [CONFIG_SCOPE_USER] = "user", NULL};
static const char *const kernel_words[] = {
    [CONFIG_KERNEL_MOUNT_TRUSTED] = "trusted",
    [CONFIG_KERNEL_MOUNT_ALWAYS] = "always",
    [CONFIG_KERNEL_MOUNT_NEVER] = "never",
    NULL,
};
static const char *const host_words[] = {"none", "auto", NULL};

/* Keys whose value is one of a few words. */
static int read_choice(struct config *config, enum key key, const char *value,
                       struct vitrine_error *err)
{
    int word;

    if (key == KEY_COMPAT) {
        word = keys_read_word(key, value, compat_words, "pyxis or none", err);
        config->compat = word > 0 ? CONFIG_COMPAT_PYXIS : CONFIG_COMPAT_NONE;
    } else if (key == KEY_CONTAINER_SCOPE) {
        word = keys_read_word(key, value, scope_words, "job or user", err);
        config->scope = word > 0 ? CONFIG_SCOPE_USER : CONFIG_SCOPE_JOB;
    } else if (key == KEY_KERNEL_MOUNT) {
        word = keys_read_word(key, value, kernel_words, "trusted, always or never", err);
        if (word >= 0)
            config->kernel_mount = (enum config_kernel_mount)word;
    } else {
        word = keys_read_word(key, value, host_words, "auto or none", err);
        config->mount_host = word > 0;
    }
    return word < 0 ? -1 : 0;
}

static int read_global(struct config *config, enum key key, char *value,
                       struct vitrine_error *err)
{
    switch (key) {
    case KEY_IMAGE:
        return images_read(value, &config->global, err);
    case KEY_REQUIRED:
        return keys_read_yes(key, value, &config->global.required, err);
    case KEY_REMAP_ROOT:
        return keys_read_yes(key, value, &config->remap_root, err);
    case KEY_IMAGE_DIR:
        return keys_read_paths(key, value, &config->image_dirs, &config->nimage_dirs,
                               err);
    case KEY_MOUNT_INCLUDE:
        return keys_read_paths(key, value, &config->mount_include,
                               &config->nmount_include, err);
    case KEY_MOUNT_EXCLUDE:
        return keys_read_paths(key, value, &config->mount_exclude,
                               &config->nmount_exclude, err);
    case KEY_TRUSTED_OWNER:
        return read_owners(config, value, err);
    case KEY_CONTAINER_DIR:
        return read_directory(value, &config->container_dir, err);
    case KEY_WRITABLE_SIZE:
        return read_size(value, &config->writable_size, err);
    case KEY_COMPAT:
    case KEY_CONTAINER_SCOPE:
    case KEY_KERNEL_MOUNT:
    case KEY_MOUNT_HOST:
        return read_choice(config, key, value, err);
    case KEY_CACHE_DIR:
    case KEY_CACHE_OWNER:
    case KEY_CACHE_SIZE:
    case KEY_IMPORT_ON:
        return registries_read_cache(config, key, value, err);
    case KEY_ALLOW_HTTP: /* these are on lines of their own */
    case KEY_CA_FILE:
    case KEY_MIRROR:
    case KEY_PARTITION_NAME:
    case KEY_REGISTRY:
    case KEYS:
        break;
    }
    return 0;
}

static int find_key(const char *text, struct vitrine_error *err)
{
    for (int key = 0; key < KEYS; key++)
        if (strcasecmp(text, key_names[key]) == 0)
            return key;
    const char *closest = closest_name(text, key_names, KEYS);
    return vitrine_fail(err, VITRINE_ECONFIG, "unknown key '%s'%s%s%s", text,
                        closest ? "; did you mean '" : "", closest ? closest : "",
                        closest ? "'?" : "");
}

static int check_line(const char *line, size_t len, struct vitrine_error *err)
{
    if (len > LIMIT_CONFIG_LINE)
        return vitrine_fail(err, VITRINE_ECONFIG, "the line is longer than %d bytes",
                            LIMIT_CONFIG_LINE);
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)line[i] < 0x20 || line[i] == 0x7f) && line[i] != '\t' &&
            line[i] != '\r')
            return vitrine_fail(err, VITRINE_ECONFIG, "byte %zu of the line is a %s",
                                i + 1, line[i] ? "control character" : "NUL");
    while (len > 0 && line[len - 1] == '\r')
        len--;
    if (len > 0 && line[len - 1] == '\\' && line[strspn(line, " \t")] != '#')
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "a line cannot be continued with '\\' on the next one");
    return 0;
}

static int read_line(struct parser *p, char *line, size_t len, struct vitrine_error *err)
{
    char *values[KEYS] = {NULL}, *name, *value;
    int rc;

    if (check_line(line, len, err) < 0)
        return -1;
    while ((rc = syntax_next_pair(&line, &name, &value, err)) > 0) {
        int key = find_key(name, err);

        if (key < 0)
            return -1;
        if (values[key])
            return vitrine_fail(err, VITRINE_ECONFIG, "%s is twice on this line",
                                key_names[key]);
        values[key] = value;
    }
    if (rc < 0)
        return -1;
    if (values[KEY_PARTITION_NAME])
        return images_read_partition(p, values, err);
    if (values[KEY_REGISTRY] || values[KEY_MIRROR] || values[KEY_CA_FILE] ||
        values[KEY_ALLOW_HTTP])
        return registries_read(p, values, err);
    for (int key = 0; key < KEYS; key++) {
        if (!values[key])
            continue;
        if (p->seen[key])
            return vitrine_fail(err, VITRINE_ECONFIG, "%s is already set in line %u",
                                key_names[key], p->seen[key]);
        p->seen[key] = p->line;
        if (read_global(p->config, (enum key)key, values[key], err) < 0)
            return -1;
    }
    return 0;
}

int parser_run(struct config *config, const char *name, size_t size,
               struct vitrine_error *err)
{
    struct parser p = {.config = config, .name = name};
    char *text = config->text, *end = text + size;
    int rc = 0;

    while (rc == 0 && text < end) {
        char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t len = (size_t)((newline ? newline : end) - text);

        p.line++;
        text[len] = '\0';
        rc = read_line(&p, text, len, err);
        text += len + 1;
    }
    if (rc == 0 && (images_finish(&p, err) < 0 || registries_finish(&p, err) < 0))
        rc = -1;
    return rc < 0 ? vitrine_wrap(err, "%s:%u", name, p.line) : 0;
}
