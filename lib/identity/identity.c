/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs in the builder, as the user. The image's files are hostile; format: passwd(5). */
#include "identity/identity.h"
#include "base/cleanup.h"

#include <string.h>

/* The `index`th field of a line of colon-separated fields; false if there are fewer. */
static bool field(const char *line, size_t len, int index, const char **ret,
                  size_t *ret_len)
{
    const char *end = line + len;

    for (; index > 0; index--) {
        line = memchr(line, ':', (size_t)(end - line));
        if (!line)
            return false;
        line++;
    }
    const char *stop = memchr(line, ':', (size_t)(end - line));
    *ret = line;
    *ret_len = (size_t)((stop ? stop : end) - line);
    return true;
}

static bool field_is(const char *line, size_t len, int index, const char *value)
{
    const char *got;
    size_t got_len;

    return field(line, len, index, &got, &got_len) && got_len == strlen(value) &&
           memcmp(got, value, got_len) == 0;
}

/* An entry is written only if none of its text could end the field or the line. */
static bool is_safe(const char *text)
{
    return text && !strpbrk(text, ":\n");
}

static const char *safe_or(const char *text, const char *otherwise)
{
    return is_safe(text) ? text : otherwise;
}

char *identity_passwd(const struct vitrine_identity *who, const char *image)
{
    cleanup_free char *text = NULL;
    char uid[16];
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    (void)snprintf(uid, sizeof(uid), "%u", (unsigned)who->uid);
    for (const char *line = image; *line;) {
        size_t len = strcspn(line, "\n");

        if (len > 0 && !field_is(line, len, 2, uid) &&
            !(who->user && field_is(line, len, 0, who->user)))
            (void)fprintf(out, "%.*s\n", (int)len, line);
        line += len + (line[len] == '\n');
    }
    if (is_safe(who->user) && who->user[0])
        (void)fprintf(out, "%s:x:%s:%u:%s:%s:%s\n", who->user, uid, (unsigned)who->gid,
                      safe_or(who->gecos, ""), safe_or(who->home, "/"),
                      safe_or(who->shell, "/bin/sh"));
    if (fclose(out) != 0)
        return NULL;
    return steal_ptr(&text);
}

/* The user's group that a line of the image's file clashes with by name or id. */
static bool group_clashes(const struct vitrine_identity *who, const char *line,
                          size_t len)
{
    char gid[16];

    for (size_t i = 0; i < who->ngroups; i++) {
        if (!is_safe(who->groups[i].name))
            continue;
        (void)snprintf(gid, sizeof(gid), "%u", (unsigned)who->groups[i].gid);
        if (field_is(line, len, 2, gid) || field_is(line, len, 0, who->groups[i].name))
            return true;
    }
    return false;
}

char *identity_group(const struct vitrine_identity *who, const char *image)
{
    cleanup_free char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    for (const char *line = image; *line;) {
        size_t len = strcspn(line, "\n");

        if (len > 0 && !group_clashes(who, line, len))
            (void)fprintf(out, "%.*s\n", (int)len, line);
        line += len + (line[len] == '\n');
    }
    for (size_t i = 0; i < who->ngroups; i++)
        if (is_safe(who->groups[i].name) && who->groups[i].name[0])
            (void)fprintf(out, "%s:x:%u:%s\n", who->groups[i].name,
                          (unsigned)who->groups[i].gid,
                          who->groups[i].gid == who->gid ? "" : safe_or(who->user, ""));
    if (fclose(out) != 0)
        return NULL;
    return steal_ptr(&text);
}

/* Ends the last line of `text` and adds another, unless some line has `name` in its first
 * field or "0" in its third. Fresh text. */
static char *add_root(const char *text, const char *name, const char *entry)
{
    size_t size = strlen(text);
    bool found = false;

    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n");

        found = found || field_is(line, len, 0, name) || field_is(line, len, 2, "0");
        line += len + (line[len] == '\n');
    }
    size_t room = size + strlen(entry) + 2;
    char *ret = malloc(room);
    if (ret)
        (void)snprintf(ret, room, "%s%s%s", text,
                       size > 0 && text[size - 1] != '\n' ? "\n" : "",
                       found ? "" : entry);
    return ret;
}

char *identity_root_passwd(const char *image)
{
    return add_root(image, "root", "root:x:0:0:root:/root:/bin/sh\n");
}

char *identity_root_group(const struct vitrine_identity *who, uint32_t gids,
                          const char *image)
{
    struct vitrine_identity root = {.user = "root"};
    cleanup_free struct vitrine_group *groups = calloc(who->ngroups + 1, sizeof(*groups));

    if (!groups)
        return NULL;
    for (size_t i = 0; i < who->ngroups; i++)
        if (who->groups[i].gid >= gids && who->groups[i].gid > 0 &&
            who->groups[i].gid != who->gid)
            groups[root.ngroups++] = who->groups[i];
    root.groups = groups;
    cleanup_free char *text = identity_group(&root, image);
    return text ? add_root(text, "root", "root:x:0:\n") : NULL;
}
