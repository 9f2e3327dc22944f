/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "environ/envlist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t envlist_name_length(const char *var)
{
    size_t len = strcspn(var, "=");

    return var[len] == '=' ? len : 0;
}

const char *envlist_find(const char *const *env, const char *name, size_t len)
{
    for (; env && *env; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    return NULL;
}

static char **find(const struct envlist *list, const char *name, size_t len)
{
    for (size_t i = 0; i < list->count; i++)
        if (strncmp(list->list[i], name, len) == 0 && list->list[i][len] == '=')
            return &list->list[i];
    return NULL;
}

const char *envlist_get(const struct envlist *list, const char *name, size_t len)
{
    char **found = find(list, name, len);

    return found ? *found + len + 1 : NULL;
}

/* Room for one more and the NULL behind it. */
static neg_errno grow(struct envlist *list)
{
    if (list->count + 2 <= list->cap)
        return 0;
    size_t cap = list->cap ? list->cap * 2 : 64;
    char **more = realloc(list->list, cap * sizeof(*more));
    if (!more)
        return -ENOMEM;
    list->list = more;
    list->cap = cap;
    return 0;
}

neg_errno envlist_set(struct envlist *list, const char *name, size_t len,
                      const char *value)
{
    char **old = find(list, name, len);
    size_t value_size = strlen(value) + 1;

    if (!old && grow(list) < 0)
        return -ENOMEM;
    char *var = malloc(len + 1 + value_size);
    if (!var)
        return -ENOMEM;
    memcpy(var, name, len);
    var[len] = '=';
    memcpy(var + len + 1, value, value_size);
    if (old) {
        free(*old);
        *old = var;
    } else {
        list->list[list->count++] = var;
        list->list[list->count] = NULL;
    }
    return 0;
}

void envlist_unset(struct envlist *list, const char *name, size_t len)
{
    char **found = find(list, name, len);

    if (!found)
        return;
    free(*found);
    size_t behind = list->count - (size_t)(found - list->list);
    memmove(found, found + 1, behind * sizeof(*found));
    list->count--;
}

neg_errno envlist_copy(struct envlist *list, const char *const *env)
{
    for (; env && *env; env++) {
        size_t len = envlist_name_length(*env);

        if (len == 0 || find(list, *env, len))
            continue;
        int rc = envlist_set(list, *env, len, *env + len + 1);
        if (rc < 0)
            return rc;
    }
    return 0;
}

void envlist_free(struct envlist *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->list[i]);
    free(list->list);
    *list = (struct envlist){0};
}
