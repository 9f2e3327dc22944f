/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ENVIRON_ENVLIST_H
#define VITRINE_ENVIRON_ENVLIST_H

/* An environment as a value: "NAME=VALUE", each name once. */
#include "base/error.h"

#include <stddef.h>

/* Zero it first. */
struct envlist {
    char **list; /* NULL-terminated, NULL as long as it is empty */
    size_t count, cap;
};

/* Adds what `env` has; of two with one name the first counts, as for getenv(3). What has
 * no name is passed over. -ENOMEM. */
neg_errno envlist_copy(struct envlist *list, const char *const *env);
void envlist_free(struct envlist *list);

/* How long the name of "NAME=VALUE" is; 0 if it is not of this form. */
size_t envlist_name_length(const char *var);

const char *envlist_get(const struct envlist *list, const char *name, size_t len);

/* The same in an environment as exec(3) has it, which may be NULL. */
const char *envlist_find(const char *const *env, const char *name, size_t len);

/* -ENOMEM; the value may be one of the list's own. */
neg_errno envlist_set(struct envlist *list, const char *name, size_t len,
                      const char *value);
void envlist_unset(struct envlist *list, const char *name, size_t len);

#endif
