/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/keys.h"
#include "base/path.h"
#include "config/syntax.h"

#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One user in passwd form: names, home and shell. */
#define PASSWD_BUFFER 32768

const char *const key_names[KEYS] = {
    [KEY_ALLOW_HTTP] = "AllowHTTP",
    [KEY_CACHE_DIR] = "CacheDir",
    [KEY_CACHE_OWNER] = "CacheOwner",
    [KEY_CACHE_SIZE] = "CacheSize",
    [KEY_CA_FILE] = "CAFile",
    [KEY_COMPAT] = "Compat",
    [KEY_CONTAINER_DIR] = "ContainerDir",
    [KEY_CONTAINER_SCOPE] = "ContainerScope",
    [KEY_IMAGE] = "Image",
    [KEY_IMAGE_DIR] = "ImageDir",
    [KEY_IMPORT_ON] = "ImportOn",
    [KEY_KERNEL_MOUNT] = "KernelMount",
    [KEY_MIRROR] = "Mirror",
    [KEY_MOUNT_EXCLUDE] = "MountExclude",
    [KEY_MOUNT_HOST] = "MountHost",
    [KEY_MOUNT_INCLUDE] = "MountInclude",
    [KEY_PARTITION_NAME] = "PartitionName",
    [KEY_REGISTRY] = "Registry",
    [KEY_REMAP_ROOT] = "RemapRoot",
    [KEY_REQUIRED] = "Required",
    [KEY_TRUSTED_OWNER] = "TrustedOwner",
    [KEY_WRITABLE_SIZE] = "WritableSize",
};

int keys_fail_memory(struct vitrine_error *err)
{
    return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot read the configuration");
}

void *keys_grow(void *array, size_t count, size_t size)
{
    if (count & (count - 1))
        return array;
    return reallocarray(array, count ? count * 2 : 1, size);
}

int keys_read_word(enum key key, const char *value, const char *const *words,
                   const char *list, struct vitrine_error *err)
{
    for (int i = 0; words[i]; i++)
        if (strcasecmp(value, words[i]) == 0)
            return i;
    return vitrine_fail(err, VITRINE_ECONFIG, "%s must be %s, not '%s'", key_names[key],
                        list, value);
}

int keys_read_yes(enum key key, const char *value, bool *ret, struct vitrine_error *err)
{
    static const char *const words[] = {"no", "yes", NULL};
    int word = keys_read_word(key, value, words, "yes or no", err);

    if (word < 0)
        return -1;
    *ret = word;
    return 0;
}

int keys_check_path(enum key key, const char *path, struct vitrine_error *err)
{
    if (!path_is_normal(path) || strlen(path) >= PATH_MAX)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "%s: '%s' is not an absolute path free of '.', '..', and "
                            "needless slashes",
                            key_names[key], path);
    if (path[1] == '\0')
        return vitrine_fail(err, VITRINE_ECONFIG, "%s cannot be '/'", key_names[key]);
    return 0;
}

int keys_read_paths(enum key key, char *list, char ***paths, size_t *count,
                    struct vitrine_error *err)
{
    for (char *path; (path = syntax_next_item(&list));) {
        if (keys_check_path(key, path, err) < 0)
            return -1;
        char **more = keys_grow(*paths, *count, sizeof(*more));
        if (!more)
            return keys_fail_memory(err);
        *paths = more;
        more[(*count)++] = path;
    }
    return 0;
}

static int find_user(enum key key, const char *name, uid_t *ret,
                     struct vitrine_error *err)
{
    char buf[PASSWD_BUFFER];
    struct passwd pwd, *found = NULL;
    int rc = getpwnam_r(name, &pwd, buf, sizeof(buf), &found);

    if (rc != 0)
        return error_from(err, VITRINE_ECONFIG, -rc, "%s: cannot look up the user '%s'",
                          key_names[key], name);
    if (!found)
        return vitrine_fail(err, VITRINE_ECONFIG, "%s: there is no user '%s'",
                            key_names[key], name);
    *ret = pwd.pw_uid;
    return 0;
}

int keys_read_uid(enum key key, const char *text, uid_t *ret, struct vitrine_error *err)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || text[digits])
        return find_user(key, text, ret, err);
    unsigned long long uid = digits <= 10 ? strtoull(text, NULL, 10) : UINT_MAX;
    if (uid >= UINT_MAX)
        return vitrine_fail(err, VITRINE_ECONFIG, "%s: %s is no uid", key_names[key],
                            text);
    *ret = (uid_t)uid;
    return 0;
}

int keys_allow_only(char *const values[KEYS], const enum key *allowed, const char *thing,
                    struct vitrine_error *err)
{
    for (int key = 0; key < KEYS; key++) {
        const enum key *known = allowed;

        while (*known != KEYS && (int)*known != key)
            known++;
        if (values[key] && *known == KEYS)
            return vitrine_fail(err, VITRINE_ECONFIG,
                                "%s cannot be set for one %s; put it on a line of its "
                                "own",
                                key_names[key], thing);
    }
    return 0;
}
