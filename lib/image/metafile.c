/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user, on hostile text. */
#include "image/metafile.h"
#include "base/cleanup.h"

#include <string.h>

/* A line, and what of it lies between blanks. */
struct span {
    const char *text;
    size_t len;
};

static struct span trim(struct span s)
{
    while (s.len > 0 && strchr(" \t\r", s.text[0])) {
        s.text++;
        s.len--;
    }
    while (s.len > 0 && strchr(" \t\r", s.text[s.len - 1]))
        s.len--;
    return s;
}

static struct span unquote(struct span s, const char *quotes)
{
    if (s.len >= 2 && strchr(quotes, s.text[0]) && s.text[s.len - 1] == s.text[0]) {
        s.text++;
        s.len -= 2;
    }
    return s;
}

static neg_errno add_variable(const struct metavars *vars, const char *name, size_t len,
                              struct metatext *out)
{
    const char *value = metavars_lookup(vars, name, len);

    return value ? metatext_add(out, value, strlen(value)) : 0;
}

/* ${NAME}, and nothing else: a lone dollar is one. */
static neg_errno expand_braces(const struct metavars *vars, struct span s,
                               struct metatext *out)
{
    int rc = 0;

    for (size_t i = 0; i < s.len && rc == 0;) {
        const char *p = s.text + i;
        size_t len =
            p[0] == '$' && i + 1 < s.len && p[1] == '{' ? metavars_name_length(p + 2) : 0;

        if (len > 0 && i + 2 + len < s.len && p[2 + len] == '}') {
            rc = add_variable(vars, p + 2, len, out);
            i += len + 3;
        } else {
            rc = metatext_add(out, p, 1);
            i++;
        }
    }
    return rc;
}

static neg_errno expand_elements(const struct metavars *vars, struct span s,
                                 struct metatext *out)
{
    bool any = false;
    int rc = 0;

    for (size_t i = 0; i <= s.len && rc == 0;) {
        const char *p = s.text + i, *colon = memchr(p, ':', s.len - i);
        size_t len = colon ? (size_t)(colon - p) : s.len - i;
        const char *value = NULL;

        i += len + 1;
        if (len > 0 && p[0] == '$') {
            value = metavars_name_length(p + 1) >= len - 1
                        ? metavars_lookup(vars, p + 1, len - 1)
                        : NULL;
            if (!value || !value[0])
                continue;
        }
        if (any)
            rc = metatext_add(out, ":", 1);
        if (rc == 0)
            rc = value ? metatext_add(out, value, strlen(value))
                       : metatext_add(out, p, len);
        any = true;
    }
    return rc;
}

static bool is_for_a_shell(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (strchr("$`\\\"'", s.text[i]) || s.text[i] == '\0')
            return true;
    return false;
}

static neg_errno value_of(const struct metavars *vars, enum metafile_dialect dialect,
                          struct span value, struct metatext *out)
{
    switch (dialect) {
    case METAFILE_ENROOT:
        return expand_braces(vars, unquote(value, "\"'"), out);
    case METAFILE_CHARLIECLOUD:
        return expand_elements(vars, unquote(value, "'"), out);
    case METAFILE_PLAIN:
        value = unquote(value, "\"'");
        return is_for_a_shell(value) ? -EINVAL : metatext_add(out, value.text, value.len);
    }
    return -EINVAL;
}

static neg_errno variable(struct metavars *vars, enum metafile_dialect dialect,
                          struct span line)
{
    struct metatext out = {0};

    if (dialect == METAFILE_PLAIN && line.len > 7 &&
        (memcmp(line.text, "export ", 7) == 0 || memcmp(line.text, "export\t", 7) == 0))
        line = trim((struct span){line.text + 7, line.len - 7});
    const char *equals = memchr(line.text, '=', line.len);
    if (!equals || (dialect == METAFILE_ENROOT && line.len > 7 &&
                    memcmp(line.text, "ENROOT_", 7) == 0))
        return 0;
    size_t len = (size_t)(equals - line.text);
    struct span value = {equals + 1, line.len - len - 1};
    int rc = value_of(vars, dialect, value, &out);
    if (rc == 0)
        rc = metavars_set(vars, line.text, len, out.data, out.len);
    free(out.data);
    return rc == -ENOMEM ? rc : 0;
}

neg_errno metafile_environment(const char *text, enum metafile_dialect dialect,
                               struct metavars *vars)
{
    int rc = 0;

    while (*text && rc == 0) {
        size_t len = strcspn(text, "\n");
        struct span line = {text, len};

        /* Charliecloud's values may end in blanks: nobody quotes them there. */
        if (dialect != METAFILE_CHARLIECLOUD)
            line = trim(line);
        text += len + (text[len] == '\n');
        if (line.len > 0)
            rc = variable(vars, dialect, line);
    }
    return rc;
}

static neg_errno keep_text(char **ret, const char *value)
{
    char *copy = strdup(value);

    if (!copy)
        return -ENOMEM;
    free(*ret);
    *ret = copy;
    return 0;
}

static neg_errno record(const char *key, size_t len, const char *value,
                        struct metavars *vars, struct metafile_config *ret)
{
    static const char *const keys[] = {"env", "workdir", "entrypoint",
                                       "cmd", "user",    "volume"};
    size_t i = 0, name;

    while (i < 6 && (strlen(keys[i]) != len || memcmp(keys[i], key, len) != 0))
        i++;
    switch (i) {
    case 0:
        name = strcspn(value, "=");
        return value[name] ? metavars_set(vars, value, name, value + name + 1,
                                          strlen(value + name + 1))
                           : 0;
    case 1:
        return value[0] == '/' ? keep_text(&ret->workdir, value) : 0;
    case 2:
        return metalist_add(&ret->entrypoint, value, strlen(value));
    case 3:
        return metalist_add(&ret->cmd, value, strlen(value));
    case 4:
        return value[0] ? keep_text(&ret->user, value) : 0;
    case 5:
        return value[0] == '/' ? metalist_add(&ret->volumes, value, strlen(value)) : 0;
    default:
        return 0;
    }
}

neg_errno metafile_config(const char *data, size_t size, struct metavars *vars,
                          struct metafile_config *ret)
{
    const char *end = data + size;
    int rc = 0;

    for (const char *p = data, *nul; rc == 0 && p < end; p = nul + 1) {
        nul = memchr(p, '\0', (size_t)(end - p));
        if (!nul)
            break; /* the file was cut */
        size_t len = strcspn(p, "=");
        if (p[len] == '=')
            rc = record(p, len, p + len + 1, vars, ret);
    }
    return rc;
}

neg_errno metafile_volumes(const char *text, struct metalist *ret)
{
    static const char root[] = "${ENROOT_ROOTFS}";
    int rc = 0;

    while (*text && rc == 0) {
        size_t len = strcspn(text, "\n"), n = sizeof(root) - 1;
        const char *line = text;

        text += len + (text[len] == '\n');
        if (len <= n || memcmp(line, root, n) != 0 || line[n] != '/')
            continue;
        const char *from = line + n;
        size_t from_len = strcspn(from, " \t\n");
        const char *to = from + from_len + strspn(from + from_len, " \t");
        if (strcspn(to, " \t\n") == from_len && memcmp(to, from, from_len) == 0)
            rc = metalist_add(ret, to, from_len);
    }
    return rc;
}
