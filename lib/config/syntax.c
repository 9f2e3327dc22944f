/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * slurm.conf(5) accepts '#' and '"' anywhere and makes something of it. Here whatever
 * could be meant in two ways is refused, since a default image or a Required that is
 * silently another is worse than an error.
 */
#include "config/syntax.h"

#include <string.h>

#define BLANKS " \t\r"

/* Ends the quoted value that starts at *value, and returns what stands behind it. */
static char *unquote(char **value)
{
    char *end = strchr(++*value, '"');

    if (!end)
        return NULL;
    *end = '\0';
    return end + 1;
}

static int take_value(char **line, char *value, const char *key, char **ret_value,
                      struct vitrine_error *err)
{
    char *end;

    if (value[0] == '"') {
        end = unquote(&value);
        if (!end)
            return vitrine_fail(err, VITRINE_ECONFIG, "%s: the closing '\"' is missing",
                                key);
        if (end[0] && !strchr(BLANKS, end[0]))
            return vitrine_fail(err, VITRINE_ECONFIG,
                                "%s: a blank must follow the closing '\"'", key);
    } else {
        end = value + strcspn(value, BLANKS "\"#");
        if (end[0] == '"' || end[0] == '#')
            return vitrine_fail(err, VITRINE_ECONFIG,
                                "%s: a value with '%c' in it must be put in double "
                                "quotes, and a comment needs a blank before it",
                                key, end[0]);
    }
    *line = end[0] ? end + 1 : end;
    end[0] = '\0';
    if (value[0] == '\0')
        return vitrine_fail(err, VITRINE_ECONFIG, "%s has no value", key);
    *ret_value = value;
    return 1;
}

int syntax_next_pair(char **line, char **ret_key, char **ret_value,
                     struct vitrine_error *err)
{
    char *key = *line + strspn(*line, BLANKS);
    size_t n = strcspn(key, BLANKS "=#");

    if (key[0] == '\0' || key[0] == '#')
        return 0;
    if (n == 0 || key[n] != '=')
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "expected Key=Value without blanks around '=', not '%.*s'",
                            n ? (int)n : 1, key);
    key[n] = '\0';
    *ret_key = key;
    return take_value(line, key + n + 1, key, ret_value, err);
}

char *syntax_next_item(char **list)
{
    return strsep(list, ",");
}
