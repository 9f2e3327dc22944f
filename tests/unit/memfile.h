/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_MEMFILE_H
#define VITRINE_TESTS_MEMFILE_H

/* An empty file, and what changes it holds as one line: "A=1|-B". */
#include "environ/changes.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static inline int memfile_open(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    return fd;
}

static inline bool memfile_add(void *arg, const char *name, const char *value)
{
    FILE *out = arg;

    (void)fprintf(out, "%s%s%s%s%s", ftell(out) > 0 ? "|" : "", value ? "" : "-", name,
                  value ? "=" : "", value ? value : "");
    return true;
}

/* The caller frees it. */
static inline char *memfile_text(int fd)
{
    struct vitrine_error err = {0};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    ck_assert_msg(changes_each(fd, memfile_add, out, &err) == 0, "%s", err.text);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

#endif
