/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONFIG_KEYS_H
#define VITRINE_CONFIG_KEYS_H

/* What the parts of the parser share: the keys, and the kinds of values that several of
 * them have. For this folder alone. */
#include "config/config.h"

enum key {
    KEY_ALLOW_HTTP,
    KEY_CACHE_DIR,
    KEY_CACHE_OWNER,
    KEY_CACHE_SIZE,
    KEY_CA_FILE,
    KEY_COMPAT,
    KEY_CONTAINER_DIR,
    KEY_CONTAINER_SCOPE,
    KEY_IMAGE,
    KEY_IMAGE_DIR,
    KEY_IMPORT_ON,
    KEY_KERNEL_MOUNT,
    KEY_MIRROR,
    KEY_MOUNT_EXCLUDE,
    KEY_MOUNT_HOST,
    KEY_MOUNT_INCLUDE,
    KEY_PARTITION_NAME,
    KEY_REGISTRY,
    KEY_REMAP_ROOT,
    KEY_REQUIRED,
    KEY_TRUSTED_OWNER,
    KEY_WRITABLE_SIZE,
    KEYS,
};

extern const char *const key_names[KEYS];

struct parser {
    struct config *config;
    const char *name;
    unsigned line;       /* where a message says that the mistake is */
    unsigned seen[KEYS]; /* the line of a global key, or 0 */
};

int keys_fail_memory(struct vitrine_error *err);

/* `array` with room for one more than `count`: it grows by doubling. NULL: no memory, and
 * the array is as it was. */
void *keys_grow(void *array, size_t count, size_t size);

/* The index of `value` among the words of a key; `list` has them for the message. */
int keys_read_word(enum key key, const char *value, const char *const *words,
                   const char *list, struct vitrine_error *err);
int keys_read_yes(enum key key, const char *value, bool *ret, struct vitrine_error *err);

/* One absolute path that is not "/", and a list of such. */
int keys_check_path(enum key key, const char *path, struct vitrine_error *err);
int keys_read_paths(enum key key, char *list, char ***paths, size_t *count,
                    struct vitrine_error *err);

/* A user, by name or number. */
int keys_read_uid(enum key key, const char *text, uid_t *ret, struct vitrine_error *err);

/* Of a line that is about one thing only, such as a partition: fails if it has other keys
 * than `allowed`, which ends with KEYS. */
int keys_allow_only(char *const values[KEYS], const enum key *allowed, const char *thing,
                    struct vitrine_error *err);

#endif
