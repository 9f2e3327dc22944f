/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user, on what hostile files of an image say. */
#include "image/metavars.h"
#include "base/limits.h"
#include "base/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

neg_errno metatext_add(struct metatext *text, const char *data, size_t len)
{
    if (len >= LIMIT_ENV_STRING || text->len + len >= LIMIT_ENV_STRING)
        return -E2BIG;
    if (text->len + len + 1 > text->cap) {
        size_t cap = (text->len + len + 1) * 2;
        char *more = realloc(text->data, cap);

        if (!more)
            return -ENOMEM;
        text->data = more;
        text->cap = cap;
    }
    if (len > 0)
        memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
    return 0;
}

/* Room for one more word and the NULL behind it. */
static neg_errno grow(struct metalist *list)
{
    if (list->count + 2 <= list->cap)
        return 0;
    size_t cap = list->cap ? list->cap * 2 : 16;
    char **more = realloc(list->list, cap * sizeof(*more));
    if (!more)
        return -ENOMEM;
    list->list = more;
    list->cap = cap;
    return 0;
}

/* Takes over `word`, also if it fails. */
static neg_errno append(struct metalist *list, char *word)
{
    if (!word || grow(list) < 0) {
        free(word);
        return -ENOMEM;
    }
    list->list[list->count++] = word;
    list->list[list->count] = NULL;
    return 0;
}

neg_errno metalist_add(struct metalist *list, const char *word, size_t len)
{
    if (list->count >= LIMIT_META_WORDS)
        return 0;
    return append(list, strndup(word, len));
}

void metalist_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

size_t metavars_name_length(const char *text)
{
    size_t len = 0;

    while (is_letter(text[len]) || (len > 0 && text[len] >= '0' && text[len] <= '9'))
        len++;
    return len;
}

static bool is_name(const char *name, size_t len)
{
    /* What follows a name is no letter: "=", a quote, the end. */
    return len > 0 && metavars_name_length(name) == len;
}

static bool is_called(const char *name, size_t len, const char *called)
{
    return strlen(called) == len && memcmp(name, called, len) == 0;
}

static bool is_search_path(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
            return false;
    return len > 0 && value[0] == '/';
}

static char **find(char **list, const char *name, size_t len)
{
    for (; list && *list; list++)
        if (strncmp(*list, name, len) == 0 && (*list)[len] == '=')
            return list;
    return NULL;
}

neg_errno metavars_set(struct metavars *vars, const char *name, size_t len,
                       const char *value, size_t value_len)
{
    size_t size = len + 1 + value_len + 1;

    if (!is_name(name, len) || size > LIMIT_ENV_STRING ||
        (is_called(name, len, "PATH") && !is_search_path(value, value_len)))
        return 0;
    char **old = find(vars->vars.list, name, len);
    size_t freed = old ? strlen(*old) + 1 : 0;
    if ((!old && vars->vars.count >= LIMIT_META_VARS) ||
        vars->bytes - freed + size > LIMIT_META_BYTES)
        return 0;
    char *text = malloc(size);
    if (!text)
        return -ENOMEM;
    memcpy(text, name, len);
    text[len] = '=';
    if (value_len > 0)
        memcpy(text + len + 1, value, value_len);
    text[size - 1] = '\0';
    if (old) {
        free(*old);
        *old = text;
    } else if (append(&vars->vars, text) < 0) {
        return -ENOMEM;
    }
    vars->bytes = vars->bytes - freed + size;
    return 0;
}

const char *metavars_get(const struct metavars *vars, const char *name, size_t len)
{
    char **found = find(vars->vars.list, name, len);

    return found ? *found + len + 1 : NULL;
}

const char *metavars_lookup(const struct metavars *vars, const char *name, size_t len)
{
    const char *value = metavars_get(vars, name, len);

    if (value)
        return value;
    if (is_called(name, len, "PATH"))
        return PATH_SEARCH_DEFAULT;
    if (strncmp(name, "LD_", 3) == 0)
        return NULL;
    for (const char *const *host = vars->host; host && *host; host++)
        if (strncmp(*host, name, len) == 0 && (*host)[len] == '=')
            return *host + len + 1;
    return NULL;
}
