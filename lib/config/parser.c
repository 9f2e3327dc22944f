/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the text of vitrine.conf to values: what keys there are, and what they may say. */
#include "config/parser.h"
#include "base/closest.h"
#include "base/limits.h"
#include "base/path.h"
#include "config/syntax.h"
#include "spec/imageref.h"

#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One user in passwd form: names, home and shell. */
#define PASSWD_BUFFER 32768

enum key {
    KEY_COMPAT,
    KEY_CONTAINER_DIR,
    KEY_CONTAINER_SCOPE,
    KEY_IMAGE,
    KEY_IMAGE_DIR,
    KEY_KERNEL_MOUNT,
    KEY_MOUNT_EXCLUDE,
    KEY_MOUNT_HOST,
    KEY_MOUNT_INCLUDE,
    KEY_PARTITION_NAME,
    KEY_REMAP_ROOT,
    KEY_REQUIRED,
    KEY_TRUSTED_OWNER,
    KEY_WRITABLE_SIZE,
    KEYS,
};

static const char *const key_names[KEYS] = {
    [KEY_COMPAT] = "Compat",
    [KEY_CONTAINER_DIR] = "ContainerDir",
    [KEY_CONTAINER_SCOPE] = "ContainerScope",
    [KEY_IMAGE] = "Image",
    [KEY_IMAGE_DIR] = "ImageDir",
    [KEY_KERNEL_MOUNT] = "KernelMount",
    [KEY_MOUNT_EXCLUDE] = "MountExclude",
    [KEY_MOUNT_HOST] = "MountHost",
    [KEY_MOUNT_INCLUDE] = "MountInclude",
    [KEY_PARTITION_NAME] = "PartitionName",
    [KEY_REMAP_ROOT] = "RemapRoot",
    [KEY_REQUIRED] = "Required",
    [KEY_TRUSTED_OWNER] = "TrustedOwner",
    [KEY_WRITABLE_SIZE] = "WritableSize",
};

struct parser {
    struct config *config;
    const char *name;
    unsigned line;
    unsigned seen[KEYS]; /* the line of a global key, or 0 */
};

static int fail_memory(struct vitrine_error *err)
{
    return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot read the configuration");
}

/* `array` with room for one more than `count`: it grows by doubling. NULL: no memory, and
 * the array is as it was. */
static void *grow(void *array, size_t count, size_t size)
{
    if (count & (count - 1))
        return array;
    return reallocarray(array, count ? count * 2 : 1, size);
}

/* The index of `value` among the words of a key. */
static int read_word(enum key key, const char *value, const char *const *words,
                     const char *list, struct vitrine_error *err)
{
    for (int i = 0; words[i]; i++)
        if (strcasecmp(value, words[i]) == 0)
            return i;
    return vitrine_fail(err, VITRINE_ECONFIG, "%s must be %s, not '%s'", key_names[key],
                        list, value);
}

static int read_paths(enum key key, char *list, char ***paths, size_t *count,
                      struct vitrine_error *err)
{
    for (char *path; (path = syntax_next_item(&list));) {
        if (!path_is_normal(path) || strlen(path) >= PATH_MAX)
            return vitrine_fail(err, VITRINE_ECONFIG,
                                "%s: '%s' is not an absolute path free of '.', '..', and "
                                "needless slashes",
                                key_names[key], path);
        if (path[1] == '\0')
            return vitrine_fail(err, VITRINE_ECONFIG, "%s cannot be '/'", key_names[key]);
        char **more = grow(*paths, *count, sizeof(*more));
        if (!more)
            return fail_memory(err);
        *paths = more;
        more[(*count)++] = path;
    }
    return 0;
}

/* --- images --- */

/*
 * Sets ret->image to a copy of the text, NULL for "none". A bare name becomes a path in
 * finish_image(), when ImageDir is known wherever it stands.
 */
static int read_image(const char *text, struct config_image *ret,
                      struct vitrine_error *err)
{
    struct imageref ref;

    if (strcasecmp(text, "none") == 0)
        return 0;
    if (imageref_parse(text, &ref, err) < 0 ||
        (ref.kind == IMAGEREF_REGISTRY && imageref_fail_registry(&ref, err) < 0)) {
        if (err)
            err->code = VITRINE_ECONFIG;
        return vitrine_wrap(err, "Image");
    }
    if (ref.kind != IMAGEREF_ABSOLUTE && ref.kind != IMAGEREF_NAME)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "Image must be an absolute path, a name in ImageDir, or "
                            "none, not '%s'",
                            text);
    ret->image = strdup(text);
    return ret->image ? 0 : fail_memory(err);
}

static int read_yes(enum key key, const char *value, bool *ret, struct vitrine_error *err)
{
    static const char *const words[] = {"no", "yes", NULL};
    int word = read_word(key, value, words, "yes or no", err);

    if (word < 0)
        return -1;
    *ret = word;
    return 0;
}

/*
 * A name stands for a file in the first ImageDir: looked up as users' names are, it might
 * be found in a directory that the user chose, and Required would be worth nothing.
 */
static int finish_image(const struct config *config, struct config_image *image,
                        struct vitrine_error *err)
{
    if (!image->image && image->required)
        return vitrine_fail(err, VITRINE_ECONFIG, "Required=yes needs an Image");
    if (!image->image || image->image[0] == '/')
        return 0;
    if (config->nimage_dirs == 0)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "Image=%s is not an absolute path, and there is no ImageDir",
                            image->image);
    char *path = path_join(config->image_dirs[0], image->image);
    if (!path)
        return fail_memory(err);
    free(image->image);
    image->image = path;
    return 0;
}

/* --- partitions --- */

static int add_partition(struct parser *p, const char *name, struct vitrine_error *err)
{
    struct config *config = p->config;

    if (name[0] == '\0')
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "PartitionName has an empty name in it");
    if (strcasecmp(name, "DEFAULT") == 0)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "PartitionName=%s is not known here: a line with Image alone "
                            "is for all partitions",
                            name);
    if (strpbrk(name, "[]*?"))
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "PartitionName: '%s' is a pattern; write out each name",
                            name);
    struct config_partition *more =
        grow(config->partitions, config->npartitions, sizeof(*more));
    if (!more)
        return fail_memory(err);
    config->partitions = more;
    more[config->npartitions++] = (struct config_partition){
        .name = name, .image = config->nimages - 1, .line = p->line};
    return 0;
}

static int read_partition_line(struct parser *p, char *values[KEYS],
                               struct vitrine_error *err)
{
    struct config *config = p->config;

    for (int key = 0; key < KEYS; key++)
        if (values[key] && key != KEY_PARTITION_NAME && key != KEY_IMAGE &&
            key != KEY_REQUIRED)
            return vitrine_fail(err, VITRINE_ECONFIG,
                                "%s cannot be set for one partition; put it on a line of "
                                "its own",
                                key_names[key]);
    if (!values[KEY_IMAGE])
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "PartitionName=%s needs an Image on the same line",
                            values[KEY_PARTITION_NAME]);
    struct config_image *image = grow(config->images, config->nimages, sizeof(*image));
    if (!image)
        return fail_memory(err);
    config->images = image;
    image += config->nimages++;
    *image = (struct config_image){.line = p->line};
    if (read_image(values[KEY_IMAGE], image, err) < 0)
        return -1;
    if (values[KEY_REQUIRED] &&
        read_yes(KEY_REQUIRED, values[KEY_REQUIRED], &image->required, err) < 0)
        return -1;
    for (char *name; (name = syntax_next_item(&values[KEY_PARTITION_NAME]));)
        if (add_partition(p, name, err) < 0)
            return -1;
    return 0;
}

static int compare_partitions(const void *a, const void *b)
{
    const struct config_partition *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* --- trusted owners --- */

static int find_user(const char *name, uid_t *ret, struct vitrine_error *err)
{
    char buf[PASSWD_BUFFER];
    struct passwd pwd, *found = NULL;
    int rc = getpwnam_r(name, &pwd, buf, sizeof(buf), &found);

    if (rc != 0)
        return error_from(err, VITRINE_ECONFIG, -rc,
                          "TrustedOwner: cannot look up the user '%s'", name);
    if (!found)
        return vitrine_fail(err, VITRINE_ECONFIG, "TrustedOwner: there is no user '%s'",
                            name);
    *ret = pwd.pw_uid;
    return 0;
}

static int read_uid(const char *text, uid_t *ret, struct vitrine_error *err)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || text[digits])
        return find_user(text, ret, err);
    unsigned long long uid = digits <= 10 ? strtoull(text, NULL, 10) : UINT_MAX;
    if (uid >= UINT_MAX)
        return vitrine_fail(err, VITRINE_ECONFIG, "TrustedOwner: %s is no uid", text);
    *ret = (uid_t)uid;
    return 0;
}

static int read_owners(struct config *config, char *list, struct vitrine_error *err)
{
    for (char *item; (item = syntax_next_item(&list));) {
        uid_t uid = 0;

        if (item[0] == '\0')
            return vitrine_fail(err, VITRINE_ECONFIG,
                                "TrustedOwner has an empty name in it");
        if (read_uid(item, &uid, err) < 0)
            return -1;
        uid_t *more =
            grow(config->trusted_owners, config->ntrusted_owners, sizeof(*more));
        if (!more)
            return fail_memory(err);
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
        word = read_word(key, value, compat_words, "pyxis or none", err);
        config->compat = word > 0 ? CONFIG_COMPAT_PYXIS : CONFIG_COMPAT_NONE;
    } else if (key == KEY_CONTAINER_SCOPE) {
        word = read_word(key, value, scope_words, "job or user", err);
        config->scope = word > 0 ? CONFIG_SCOPE_USER : CONFIG_SCOPE_JOB;
    } else if (key == KEY_KERNEL_MOUNT) {
        word = read_word(key, value, kernel_words, "trusted, always or never", err);
        if (word >= 0)
            config->kernel_mount = (enum config_kernel_mount)word;
    } else {
        word = read_word(key, value, host_words, "auto or none", err);
        config->mount_host = word > 0;
    }
    return word < 0 ? -1 : 0;
}

static int read_global(struct config *config, enum key key, char *value,
                       struct vitrine_error *err)
{
    switch (key) {
    case KEY_IMAGE:
        return read_image(value, &config->global, err);
    case KEY_REQUIRED:
        return read_yes(key, value, &config->global.required, err);
    case KEY_REMAP_ROOT:
        return read_yes(key, value, &config->remap_root, err);
    case KEY_IMAGE_DIR:
        return read_paths(key, value, &config->image_dirs, &config->nimage_dirs, err);
    case KEY_MOUNT_INCLUDE:
        return read_paths(key, value, &config->mount_include, &config->nmount_include,
                          err);
    case KEY_MOUNT_EXCLUDE:
        return read_paths(key, value, &config->mount_exclude, &config->nmount_exclude,
                          err);
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
    case KEY_PARTITION_NAME:
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
        return read_partition_line(p, values, err);
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

/* What can be said only after the last line. */
static int finish(struct parser *p, struct vitrine_error *err)
{
    struct config *config = p->config;

    config->global.line = p->seen[KEY_IMAGE];
    p->line = p->seen[KEY_IMAGE] ? p->seen[KEY_IMAGE] : p->seen[KEY_REQUIRED];
    if (finish_image(config, &config->global, err) < 0)
        return -1;
    for (size_t i = 0; i < config->nimages; i++) {
        p->line = config->images[i].line;
        if (finish_image(config, &config->images[i], err) < 0)
            return -1;
    }
    if (config->npartitions == 0)
        return 0;
    qsort(config->partitions, config->npartitions, sizeof(*config->partitions),
          compare_partitions);
    for (size_t i = 1; i < config->npartitions; i++) {
        const struct config_partition *one = &config->partitions[i - 1], *two = one + 1;

        p->line = two->line;
        if (strcmp(one->name, two->name) == 0)
            return vitrine_fail(err, VITRINE_ECONFIG,
                                "partition '%s' already has its Image in line %u",
                                two->name, one->line);
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
    if (rc == 0)
        rc = finish(&p, err);
    return rc < 0 ? vitrine_wrap(err, "%s:%u", name, p.line) : 0;
}
