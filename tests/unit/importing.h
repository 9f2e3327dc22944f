/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_IMPORTING_H
#define VITRINE_TESTS_IMPORTING_H

/* Imports from a registry that is none: make() and tree_remove() as fixtures. */
#include "child.h"
#include "fake_source.h"

#define IMAGE "docker://registry.example/group/app:1"

static char cache_dir[PATH_MAX];
static struct config config = {.cache_dir = cache_dir};
static struct vitrine_import_spec spec;
static struct vitrine_imported imported;
static char remarks[4096];
static bool is_cancelled;

static inline void remark(void *arg, const char *line)
{
    size_t n = strlen(remarks);

    (void)snprintf(remarks + n, sizeof(remarks) - n, "%s\n", line);
}

static inline bool cancelled(void *arg)
{
    return is_cancelled;
}

static const struct vitrine_watch watch = {.remark = remark, .cancelled = cancelled};

static inline void make(void)
{
    world_make();
    cache_path(cache_dir);
    config = (struct config){.cache_dir = cache_dir};
    spec = (struct vitrine_import_spec){
        .image = IMAGE, .platform = "amd64", .home = "/", .user = "u", .watch = &watch};
}

static inline int import(void)
{
    return vitrine_import((const struct vitrine_config *)&config, &spec, &imported,
                          &error);
}

/* The file under the name that was told, whole; nothing else but what may stay. */
static inline void check_only(int images)
{
    struct stat st;

    ck_assert_int_eq(cache_count("images"), images);
    ck_assert_int_eq(cache_count("locks"), 0);
    if (images > 0) {
        ck_assert_int_eq(stat(imported.path, &st), 0);
        ck_assert_int_eq(st.st_size, (off_t)world->size);
    }
}

/* What a process tells its parent. */
struct outcome {
    int rc;
    struct vitrine_imported imported;
    struct vitrine_error error;
};

#endif
