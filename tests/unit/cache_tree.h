/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_CACHE_TREE_H
#define VITRINE_TESTS_CACHE_TREE_H

/* A cache of images in a tree of its own: cache_make() and cache_end() as fixtures. */
#include "store/store.h"
#include "tree.h"

#include <dirent.h>
#include <time.h>

static struct store cache;
static struct vitrine_error error;

#define must_ok(rc) ck_assert_msg((rc) == 0, "%s", error.text)
#define must_say(rc, words)                                                              \
    do {                                                                                 \
        ck_assert_int_eq((rc), -1);                                                      \
        ck_assert_msg(strstr(error.text, (words)), "%s", error.text);                    \
    } while (0)

static inline void cache_path(char ret[PATH_MAX])
{
    (void)snprintf(ret, PATH_MAX, "%s/cache", tree_path);
}

static inline void cache_open(uint64_t limit)
{
    char path[PATH_MAX];

    cache_path(path);
    must_ok(store_open(path, limit, false, &cache, &error));
}

static inline void cache_make(void)
{
    tree_make();
    cache_open(0);
}

static inline void cache_end(void)
{
    store_close(&cache);
    tree_remove();
}

/* A key that is easily told from others. */
static inline const char *key_of(unsigned n)
{
    static char keys[16][72];
    char *key = keys[n % 16];

    (void)snprintf(key, 72, "sha256:%064x", n);
    return key;
}

/* Entries of a directory of the cache; -1: it is not there. */
static inline int cache_count(const char *name)
{
    char path[PATH_MAX + 100];
    int n = 0;

    (void)snprintf(path, sizeof(path), "%s/cache/%s", tree_path, name);
    DIR *dir = opendir(path);
    if (!dir)
        return -1;
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n - 2;
}

static inline bool cache_has(unsigned n)
{
    bool found;

    must_ok(store_find(&cache, key_of(n), NULL, &found, &error));
    return found;
}

/* Without counting as a use of it. */
static inline bool cache_has_file(unsigned n)
{
    char name[STORE_NAME_MAX];

    store_name(key_of(n), name);
    return faccessat(cache.images, name, F_OK, 0) == 0;
}

static inline void cache_add(unsigned n, size_t size)
{
    struct store_file *file;
    char block[1024];
    int fd;

    memset(block, (int)n, sizeof(block));
    must_ok(store_create(&cache, key_of(n), &file, &fd, &error));
    for (size_t done = 0; done < size; done += sizeof(block))
        ck_assert_int_eq(write(fd, block, sizeof(block)), sizeof(block));
    must_ok(store_commit(file, &error));
    store_discard(file);
}

/* As if it had been changed so many seconds ago. */
static inline void age(int dir, const char *name, int64_t seconds)
{
    struct timespec times[2];

    (void)clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= seconds;
    times[1] = times[0];
    ck_assert_int_eq(utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* As if an image had been made and used last so many seconds ago. */
static inline void age_image(unsigned n, int64_t seconds)
{
    char name[STORE_NAME_MAX], used[100];

    store_name(key_of(n), name);
    (void)snprintf(used, sizeof(used), "%.71s.used", name);
    age(cache.images, name, seconds);
    age(cache.leases, used, seconds);
}

#endif
