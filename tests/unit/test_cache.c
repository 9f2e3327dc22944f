/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/cache.h"
#include "images.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define BLOCK_SIZE 64

/* A cache this small has one set: any key may push out any other. */
#define SMALL  8
#define MEDIUM 16
#define MANY   32

static atomic_int loads, slows;

static void count_slow(void)
{
    slows++;
}

/* Fills the block with its key; takes its time if arg is not NULL. */
static neg_errno load(void *arg, struct cache_block *block)
{
    loads++;
    if (arg)
        (void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    memset(block->data, (int)block->key, BLOCK_SIZE);
    block->size = BLOCK_SIZE;
    block->packed = (uint32_t)block->key + 1;
    return 0;
}

static neg_errno load_fails(void *arg, struct cache_block *block)
{
    loads++;
    return -EIO;
}

static const struct cache_block *get(struct cache *cache, uint64_t key, void *arg)
{
    const struct cache_block *block = NULL;

    ck_assert_int_eq(cache_get(cache, key, load, arg, &block), 0);
    ck_assert_uint_eq(block->key, key);
    ck_assert_uint_eq(block->size, BLOCK_SIZE);
    ck_assert_uint_eq(block->packed, key + 1);
    ck_assert_uint_eq(block->data[0], key & 0xff);
    ck_assert_uint_eq(block->data[BLOCK_SIZE - 1], key & 0xff);
    return block;
}

static struct cache *make_cache(size_t blocks)
{
    struct cache *cache = cache_new(blocks, BLOCK_SIZE, count_slow);

    ck_assert_ptr_nonnull(cache);
    loads = slows = 0;
    return cache;
}

START_TEST(block_is_loaded_once)
{
    struct cache *cache = make_cache(64);

    for (int i = 0; i < 3; i++)
        cache_put(cache, get(cache, 7, NULL));
    ck_assert_int_eq(loads, 1);
    ck_assert_int_eq(slows, 1);
    cache_free(cache);
}
END_TEST

START_TEST(failed_load_is_tried_again)
{
    struct cache *cache = make_cache(64);
    const struct cache_block *block = NULL;

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(cache_get(cache, 7, load_fails, NULL, &block), -EIO);
    ck_assert_int_eq(loads, 3);
    ck_assert_ptr_null(block);
    cache_put(cache, get(cache, 7, NULL));
    cache_free(cache);
}
END_TEST

START_TEST(block_in_use_is_not_pushed_out)
{
    struct cache *cache = make_cache(SMALL);
    const struct cache_block *kept = get(cache, 1000, NULL);

    for (uint64_t key = 0; key < 100; key++)
        cache_put(cache, get(cache, key, NULL));
    ck_assert_uint_eq(kept->key, 1000);
    ck_assert_uint_eq(kept->data[5], 1000 & 0xff);
    loads = 0;
    cache_put(cache, get(cache, 1000, NULL));
    ck_assert_int_eq(loads, 0);
    cache_put(cache, kept);
    cache_free(cache);
}
END_TEST

START_TEST(block_used_longest_ago_makes_room)
{
    struct cache *cache = make_cache(SMALL);

    for (uint64_t key = 0; key < SMALL; key++)
        cache_put(cache, get(cache, key, NULL));
    cache_put(cache, get(cache, 0, NULL)); /* now 1 is the oldest */
    cache_put(cache, get(cache, 99, NULL));
    loads = 0;
    cache_put(cache, get(cache, 0, NULL));
    ck_assert_int_eq(loads, 0);
    cache_put(cache, get(cache, 1, NULL));
    ck_assert_int_eq(loads, 1);
    cache_free(cache);
}
END_TEST

START_TEST(full_cache_still_gives_blocks)
{
    struct cache *cache = make_cache(SMALL);
    const struct cache_block *blocks[MANY];
    const struct cache_block *block = NULL;

    for (size_t i = 0; i < MANY; i++)
        blocks[i] = get(cache, i, NULL);
    ck_assert_int_eq(cache_get(cache, 1000, load_fails, NULL, &block), -EIO);
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_uint_eq(blocks[i]->data[0], i);
        cache_put(cache, blocks[i]);
    }
    cache_free(cache);
}
END_TEST

static void *get_slowly(void *arg)
{
    struct cache *cache = arg;

    cache_put(cache, get(cache, 7, cache));
    return NULL;
}

START_TEST(those_who_want_the_same_wait_for_one_load)
{
    struct cache *cache = make_cache(64);
    pthread_t threads[8];

    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, get_slowly, cache), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(loads, 1);
    cache_free(cache);
}
END_TEST

static void *get_many(void *arg)
{
    struct cache *cache = arg;
    uint64_t key = (uintptr_t)&key;

    for (int i = 0; i < 20000; i++) {
        key = key * 6364136223846793005U + 1442695040888963407U;
        cache_put(cache, get(cache, (key >> 33) % 40, NULL));
    }
    return NULL;
}

START_TEST(threads_never_see_each_others_blocks)
{
    struct cache *cache = make_cache(MEDIUM);
    pthread_t threads[6];

    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, get_many, cache), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    cache_free(cache);
}
END_TEST

START_TEST(nothing_can_be_freed)
{
    cache_free(NULL);
    cache_free(make_cache(1));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cache");
    TCase *tc = tcase_create("cache");

    tcase_add_test(tc, block_is_loaded_once);
    tcase_add_test(tc, failed_load_is_tried_again);
    tcase_add_test(tc, block_in_use_is_not_pushed_out);
    tcase_add_test(tc, block_used_longest_ago_makes_room);
    tcase_add_test(tc, full_cache_still_gives_blocks);
    tcase_add_test(tc, those_who_want_the_same_wait_for_one_load);
    tcase_add_test(tc, threads_never_see_each_others_blocks);
    tcase_add_test(tc, nothing_can_be_freed);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
