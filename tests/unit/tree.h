/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_TREE_H
#define VITRINE_TESTS_TREE_H

/* A directory that plays an image's root: tree_make() and tree_remove() as fixtures. */
#include "unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree_path[64];
static int tree = -1;

static inline int tree_remove_one(const char *path, const struct stat *st, int type,
                                  struct FTW *ftw)
{
    return remove(path);
}

static inline void tree_make(void)
{
    (void)snprintf(tree_path, sizeof(tree_path), "/var/tmp/vitrine-test-tree.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(tree_path));
    ck_assert_int_eq(chmod(tree_path, 0755), 0);
    tree = open(tree_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(tree, 0);
}

static inline void tree_remove(void)
{
    (void)close(tree);
    (void)nftw(tree_path, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes the directories above "a/b/c". */
static inline void tree_mkdirs(const char *path)
{
    char dir[PATH_MAX];

    for (const char *p = path; (p = strchr(p, '/')); p++) {
        (void)snprintf(dir, sizeof(dir), "%.*s", (int)(p - path), path);
        (void)mkdirat(tree, dir, 0755);
    }
}

/* Writes a file of `size` bytes at `path` (relative to the tree) and the way to it. */
static inline void tree_write_bytes(const char *path, const void *data, size_t size)
{
    tree_mkdirs(path);
    int fd = openat(tree, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
    (void)close(fd);
}

static inline void tree_write(const char *path, const char *text)
{
    tree_write_bytes(path, text, strlen(text));
}

/* The beginning of a file, as text; "" if it cannot be read. */
static inline const char *tree_read(const char *path)
{
    static char text[16384];
    int fd = openat(tree, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        (void)close(fd);
    return text;
}

#endif
