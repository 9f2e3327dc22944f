/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "environ/changes.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"

#include <string.h>
#include <sys/stat.h>

static int add_set(FILE *out, const char *const *from, const char *var,
                   struct vitrine_error *err)
{
    size_t len = envlist_name_length(var), size = strlen(var) + 1;
    const char *old = envlist_find(from, var, len);

    if (old && strcmp(old, var + len + 1) == 0)
        return 0;
    if (size > LIMIT_ENV_STRING)
        return vitrine_fail(
            err, VITRINE_EUSAGE,
            "%.*s would be longer in the container than the %d bytes that "
            "a variable may have: make it shorter",
            (int)(len < 64 ? len : 64), var, LIMIT_ENV_STRING - 1);
    (void)fwrite(var, 1, size, out);
    return 0;
}

static void add_unset(FILE *out, const struct envlist *to, const char *var)
{
    size_t len = envlist_name_length(var);

    if (len > 0 && !envlist_get(to, var, len)) {
        (void)fwrite(var, 1, len, out);
        (void)fputc('\0', out);
    }
}

static int write_all(FILE *out, const char *const *from, const struct envlist *to,
                     struct vitrine_error *err)
{
    for (size_t i = 0; i < to->count; i++)
        if (add_set(out, from, to->list[i], err) < 0)
            return -1;
    for (const char *const *var = from; var && *var; var++)
        add_unset(out, to, *var);
    return ferror(out) ? vitrine_fail(err, VITRINE_EINTERNAL, "out of memory") : 0;
}

int changes_write(const char *const *from, const struct envlist *to, int fd,
                  struct vitrine_error *err)
{
    cleanup_free char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    int rc = write_all(out, from, to, err);
    if (fclose(out) != 0 && rc == 0)
        rc = vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    if (rc < 0)
        return -1;
    rc = size > LIMIT_ENV_CHANGES ? -E2BIG : fd_write_full(fd, text, size);
    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc,
                               "cannot keep the environment of the tasks")
                  : 0;
}

static int each_record(char *data, size_t size,
                       bool (*each)(void *arg, const char *name, const char *value),
                       void *arg, struct vitrine_error *err)
{
    for (char *p = data, *end = data + size; p < end;) {
        char *next = p + strlen(p) + 1;
        char *equals = strchr(p, '=');

        if (next > end || p[0] == '\0' || equals == p)
            return vitrine_fail(err, VITRINE_EINTERNAL,
                                "the environment of the tasks is damaged");
        if (equals)
            *equals = '\0';
        if (!each(arg, p, equals ? equals + 1 : NULL))
            return vitrine_fail(err, VITRINE_EINTERNAL,
                                "cannot change variable %s of the task", p);
        p = next;
    }
    return 0;
}

int changes_each(int fd, bool (*each)(void *arg, const char *name, const char *value),
                 void *arg, struct vitrine_error *err)
{
    struct stat st;
    cleanup_free char *data = NULL;

    if (fstat(fd, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL,
                                "cannot read the environment of the tasks");
    if (st.st_size < 0 || (size_t)st.st_size > LIMIT_ENV_CHANGES)
        return vitrine_fail(err, VITRINE_EINTERNAL,
                            "the environment of the tasks is damaged");
    size_t size = (size_t)st.st_size;
    data = malloc(size + 1);
    if (!data)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    int rc = fd_pread_full(fd, data, size, 0);
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc,
                          "cannot read the environment of the tasks");
    data[size] = '\0';
    return each_record(data, size, each, arg, err);
}
