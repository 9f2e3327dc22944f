/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user or as root, on texts that a user wrote. It only looks at the text:
 * nothing is opened here, and neither variables nor commands in it are expanded.
 *
 * There is no escape for ',' and ':', as in pyxis: a path that has one is reached through
 * a symbolic link. The flags may have colons, which policies of a tmpfs need.
 */
#include "spec/mountspec.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/path.h"
#include "spec/mountflags.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>

/* So much of an entry is quoted that the reason still fits. */
#define QUOTED 300

int mountspec_fail(const struct mountspec *spec, struct vitrine_error *err,
                   enum vitrine_errcode code, neg_errno cause, const char *fmt, ...)
{
    char reason[sizeof(err->text)];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    return error_from(err, code, cause, "mount '%.*s%s': %s", QUOTED, spec->text,
                      strlen(spec->text) > QUOTED ? "..." : "", reason);
}

static int out_of_memory(struct vitrine_error *err)
{
    return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
}

neg_errno mountspec_normalise(const char *path, char **ret)
{
    char *normal = malloc(strlen(path) + 2);
    size_t used = 0;

    if (!normal)
        return -ENOMEM;
    for (const char *p = path + strspn(path, "/"); *p; p += strspn(p, "/")) {
        size_t n = strcspn(p, "/");

        if (n == 2 && p[0] == '.' && p[1] == '.') {
            if (used == 0) {
                free(normal);
                return -EXDEV;
            }
            while (normal[--used] != '/')
                ;
        } else if (n != 1 || p[0] != '.') {
            normal[used++] = '/';
            memcpy(normal + used, p, n);
            used += n;
        }
        p += n;
    }
    if (used == 0)
        normal[used++] = '/';
    normal[used] = '\0';
    *ret = normal;
    return 0;
}

static bool is_home(const char *source)
{
    return source[0] == '~' && (source[1] == '/' || source[1] == '\0');
}

char *mountspec_source(const struct mountspec *spec, const char *cwd, const char *home)
{
    const char *source = spec->source ? spec->source : "";

    if (is_home(source)) {
        cwd = home ? home : "/";
        source += 1 + strspn(source + 1, "/");
    }
    return path_join(cwd, source);
}

static int set_target(struct mountspec *spec, const char *text, struct vitrine_error *err)
{
    int rc = mountspec_normalise(text, &spec->target);

    if (rc == -ENOMEM)
        return out_of_memory(err);
    if (rc < 0)
        return mountspec_fail(spec, err, VITRINE_EUSAGE, 0,
                              "DST leads above the container's root");
    if (spec->target[1] == '\0')
        return mountspec_fail(spec, err, VITRINE_EUSAGE, 0,
                              "nothing can be mounted on /, the container's root; write "
                              "SRC:DST with another DST");
    if (strlen(spec->target) >= PATH_MAX)
        return mountspec_fail(spec, err, VITRINE_EUSAGE, 0, "DST is longer than %d bytes",
                              PATH_MAX - 1);
    return 0;
}

static int check_source(const struct mountspec *spec, struct vitrine_error *err)
{
    const char *source = spec->source;

    if (source[0] == '\0')
        return mountspec_fail(spec, err, VITRINE_EUSAGE, 0,
                              "SRC is empty; write SRC[:DST[:FLAG+FLAG...]]");
    if (strlen(source) >= PATH_MAX)
        return mountspec_fail(spec, err, VITRINE_EUSAGE, 0, "SRC is longer than %d bytes",
                              PATH_MAX - 1);
    if (source[0] == '/' || source[0] == '.' || is_home(source) ||
        (spec->kind == MOUNTSPEC_SQUASHFS && source[0] != '~' && source[0] != '$'))
        return 0;
    return mountspec_fail(spec, err, VITRINE_EUSAGE, 0,
                          "SRC must start with . or / or ~/, or be tmpfs or umount%s",
                          source[0] == '$' ? "; variables are not expanded here" : "");
}

static int check_target(const struct mountspec *spec, const char *target,
                        struct vitrine_error *err)
{
    if (target[0] == '/' || target[0] == '.')
        return 0;
    return mountspec_fail(spec, err, VITRINE_EUSAGE, 0,
                          "DST must start with / or .; flags come third, as in "
                          "/data:/data:ro");
}

static void set_kind(struct mountspec *spec, const char *source)
{
    if (strcmp(source, "tmpfs") == 0)
        spec->kind = MOUNTSPEC_TMPFS;
    else if (strcmp(source, "umount") == 0)
        spec->kind = MOUNTSPEC_UMOUNT;
    else
        spec->kind = MOUNTSPEC_BIND;
    spec->recursive = spec->kind == MOUNTSPEC_BIND;
}

/* `fields` is a copy of the entry, cut up on the way. */
static int read_fields(struct mountspec *spec, char *fields, struct vitrine_error *err)
{
    const char *source = strsep(&fields, ":"), *target = strsep(&fields, ":");

    set_kind(spec, source);
    if (fields && mountflags_apply(spec, fields, err) < 0)
        return -1;
    if (spec->kind == MOUNTSPEC_BIND || spec->kind == MOUNTSPEC_SQUASHFS) {
        spec->source = strdup(source);
        if (!spec->source)
            return out_of_memory(err);
        if (check_source(spec, err) < 0)
            return -1;
    }
    if (target)
        return check_target(spec, target, err) < 0 ? -1 : set_target(spec, target, err);
    if (!spec->source)
        return mountspec_fail(spec, err, VITRINE_EUSAGE, 0,
                              "there is no DST; write %s:/DST", source);
    return source[0] == '/' ? set_target(spec, source, err) : 0;
}

static int read_entry(const char *text, size_t len, struct mountspec *ret,
                      struct vitrine_error *err)
{
    struct mountspec spec = {.text = strndup(text, len)};
    cleanup_free char *fields = strndup(text, len);

    if (!spec.text || !fields) {
        free(spec.text);
        (void)out_of_memory(err);
        return -1;
    }
    *ret = spec;
    if (len == 0)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "there is an empty mount between commas; write "
                            "SRC[:DST[:FLAG+FLAG...]],...");
    return read_fields(ret, fields, err);
}

static bool same_target(const struct mountspec *a, const struct mountspec *b)
{
    if (!a->target || !b->target)
        return strcmp(a->text, b->text) == 0;
    return strcmp(a->target, b->target) == 0;
}

/* Does the last of the first `count` at the entry's target say the same as the entry? */
static bool is_repeated(const struct mountspec *list, size_t count)
{
    for (size_t i = count; i-- > 0;)
        if (same_target(&list[i], &list[count]))
            return strcmp(list[i].text, list[count].text) == 0;
    return false;
}

static void clear(struct mountspec *spec)
{
    free(spec->text);
    free(spec->source);
    free(spec->target);
    free(spec->data);
    *spec = (struct mountspec){0};
}

void mountspec_free(struct mountspec *list, size_t count)
{
    for (size_t i = 0; list && i < count; i++)
        clear(&list[i]);
    free(list);
}

static int check_text(const char *text, size_t *ret_entries, struct vitrine_error *err)
{
    size_t len = strnlen(text, LIMIT_MOUNTS + 1), entries = 1;

    if (len > LIMIT_MOUNTS)
        return vitrine_fail(err, VITRINE_EUSAGE, "the value is longer than %d bytes",
                            LIMIT_MOUNTS);
    if (len == 0)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "the value is empty; write SRC[:DST[:FLAG+FLAG...]],...");
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return vitrine_fail(err, VITRINE_EUSAGE,
                                "the value has a control character in it: %.*s", QUOTED,
                                text);
        entries += text[i] == ',';
    }
    if (entries > LIMIT_MOUNT_ENTRIES)
        return vitrine_fail(err, VITRINE_EUSAGE, "there are more than %d mounts",
                            LIMIT_MOUNT_ENTRIES);
    *ret_entries = entries;
    return 0;
}

int mountspec_parse(const char *text, struct mountspec **ret, size_t *ret_count,
                    struct vitrine_error *err)
{
    size_t entries = 1, count = 0;

    if (check_text(text, &entries, err) < 0)
        return -1;
    struct mountspec *list = calloc(entries, sizeof(*list));
    if (!list)
        return out_of_memory(err);
    for (size_t i = 0; i < entries; i++) {
        size_t len = strcspn(text, ",");

        if (read_entry(text, len, &list[count], err) < 0) {
            mountspec_free(list, count + 1);
            return -1;
        }
        if (is_repeated(list, count))
            clear(&list[count]);
        else
            count++;
        text += len + 1;
    }
    *ret = list;
    *ret_count = count;
    return 0;
}
