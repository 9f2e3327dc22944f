/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is removed from the cache of images, and what is not. */
#include "base/limits.h"
#include "cache_tree.h"
#include "store/records.h"

#include <sys/wait.h>

#define KIB  1024
#define HOUR 3600

static struct store_collected collected;

static void collect(uint64_t limit, uint64_t need)
{
    cache.limit = limit;
    must_ok(store_collect(&cache, need, &collected, &error));
}

static void add_aged(unsigned n, size_t size, int64_t seconds)
{
    cache_add(n, size);
    age_image(n, seconds);
}

START_TEST(least_recently_used_go_first)
{
    add_aged(1, 10 * KIB, 5 * HOUR);
    add_aged(2, 10 * KIB, 9 * HOUR);
    add_aged(3, 10 * KIB, 7 * HOUR);
    collect(20 * KIB, 0);
    ck_assert(cache_has_file(1) && !cache_has_file(2) && cache_has_file(3));
    ck_assert_uint_eq(collected.images, 1);
    ck_assert_uint_eq(collected.bytes, 10 * KIB);
    /* Its time goes with it. */
    ck_assert_int_eq(cache_count("leases"), 2);
    collect(19 * KIB, 0);
    ck_assert(cache_has_file(1) && !cache_has_file(3));
}
END_TEST

START_TEST(use_counts_and_not_age)
{
    add_aged(1, KIB, 9 * HOUR);
    add_aged(2, KIB, 5 * HOUR);
    ck_assert(cache_has(1));
    collect(KIB, 0);
    ck_assert(cache_has_file(1) && !cache_has_file(2));
}
END_TEST

START_TEST(nothing_goes_without_need)
{
    add_aged(1, KIB, 1000 * HOUR);
    collect(0, 0);
    collect(KIB, 0);
    ck_assert(cache_has_file(1));
    ck_assert_uint_eq(collected.images, 0);
    collect(0, 1);
    ck_assert(!cache_has_file(1));
    ck_assert_uint_eq(collected.bytes, KIB);
}
END_TEST

START_TEST(as_much_goes_as_is_needed)
{
    for (unsigned n = 1; n <= 5; n++)
        add_aged(n, 10 * KIB, (10 - n) * HOUR);
    collect(0, 15 * KIB);
    ck_assert_uint_eq(collected.images, 2);
    ck_assert(!cache_has_file(1) && !cache_has_file(2) && cache_has_file(3));
}
END_TEST

START_TEST(young_and_leased_images_stay)
{
    cache_add(1, KIB);
    add_aged(2, KIB, 3000);
    add_aged(3, KIB, 9 * HOUR);
    add_aged(4, KIB, 8 * HOUR);
    add_aged(5, KIB, 7 * HOUR);
    must_ok(store_lease(&cache, key_of(3), "job", time(NULL) + 60, &error));
    must_ok(store_lease(&cache, key_of(5), "a", time(NULL) - 2 * HOUR, &error));
    must_ok(store_lease(&cache, key_of(5), "b", time(NULL) + HOUR, &error));
    collect(1, 1000000);
    ck_assert(cache_has_file(1) && cache_has_file(2) && cache_has_file(3));
    ck_assert(!cache_has_file(4) && cache_has_file(5));
    ck_assert_uint_eq(collected.images, 1);
}
END_TEST

START_TEST(lease_ends)
{
    add_aged(1, KIB, 9 * HOUR);
    must_ok(store_lease(&cache, key_of(1), "job", time(NULL) - HOUR, &error));
    collect(1, 0);
    ck_assert(!cache_has_file(1));
    ck_assert_int_eq(cache_count("leases"), 0);
}
END_TEST

START_TEST(what_nobody_needs_is_removed)
{
    cache_add(1, KIB);
    tree_write_bytes("cache/locks/image-1", "x", 1);
    tree_write_bytes("cache/locks/image-2", "x", 1);
    tree_write_bytes("cache/locks/.0123.stale", "x", 1);
    age(cache.locks, "image-1", 2 * HOUR);
    age(cache.locks, ".0123.stale", 2 * HOUR);
    must_ok(record_write(&cache, "step-1", "x", &error));
    must_ok(record_write(&cache, "step-2", "x", &error));
    age(cache.records, "step-1", LIMIT_INDEX_RECORD_S + 10);
    tree_write_bytes("cache/images/my-notes.txt", "x", 1);
    age(cache.images, "my-notes.txt", 100 * HOUR);
    collect(0, 0);
    ck_assert_int_eq(cache_count("locks"), 1);
    ck_assert_int_eq(cache_count("records"), 2); /* and the clock */
    ck_assert_int_eq(cache_count("images"), 2);
}
END_TEST

/* Stamps of image 1 while it is collected: it is found, or whoever looks knows that it is
 * not there. */
START_TEST(image_that_is_found_is_not_removed)
{
    int lost = 0, kept = 0;

    for (int i = 0; i < 300; i++) {
        add_aged(1, KIB, 9 * HOUR);
        pid_t pid = fork();
        if (pid == 0) {
            cache.limit = 1;
            (void)store_collect(&cache, 0, &collected, &error);
            _exit(0);
        }
        (void)usleep((unsigned)(i * 7 % 400));
        bool found = cache_has(1);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        if (found)
            ck_assert(cache_has_file(1));
        found ? kept++ : lost++;
    }
    ck_assert_int_gt(kept + lost, 0);
}
END_TEST

START_TEST(grants_are_for_one_user_and_a_while)
{
    char path[PATH_MAX], name[80];
    bool found;

    store_close(&cache);
    cache_path(path);
    must_ok(store_open(path, 0, true, &cache, &error));
    must_ok(grant_find(&cache, 1001, key_of(1), &found, &error));
    ck_assert(!found);
    must_ok(grant_write(&cache, 1001, key_of(1), &error));
    must_ok(grant_write(&cache, 1003, key_of(3), &error));
    must_ok(grant_find(&cache, 1001, key_of(1), &found, &error));
    ck_assert(found);
    must_ok(grant_find(&cache, 1002, key_of(1), &found, &error));
    ck_assert(!found);
    must_ok(grant_find(&cache, 1001, key_of(2), &found, &error));
    ck_assert(!found);
    (void)snprintf(name, sizeof(name), "1001/%.64s", key_of(1) + 7);
    age(cache.grants, name, LIMIT_GRANT_S + 10);
    must_ok(grant_find(&cache, 1001, key_of(1), &found, &error));
    ck_assert(!found);
    collect(0, 0);
    ck_assert_int_eq(cache_count("grants"), 1);
    ck_assert_int_eq(cache_count("grants/1003"), 1);
    must_ok(grant_write(&cache, 1001, key_of(1), &error));
    must_ok(grant_find(&cache, 1001, key_of(1), &found, &error));
    ck_assert(found);
}
END_TEST

START_TEST(records_say_what_was_written_for_a_while)
{
    char text[20];
    bool found;

    must_ok(record_read(&cache, "step-1.0", 60, text, sizeof(text), &found, &error));
    ck_assert(!found);
    must_ok(record_write(&cache, "step-1.0", "first", &error));
    must_ok(record_write(&cache, "step-1.0", "second", &error));
    must_ok(record_read(&cache, "step-1.0", 60, text, sizeof(text), &found, &error));
    ck_assert(found);
    ck_assert_str_eq(text, "second");
    age(cache.records, "step-1.0", 61);
    must_ok(record_read(&cache, "step-1.0", 60, text, sizeof(text), &found, &error));
    ck_assert(!found);
    ck_assert_int_eq(cache_count("records"), 2); /* and the clock */
    record_remove(&cache, "step-1.0");
    ck_assert_int_eq(cache_count("records"), 1);
}
END_TEST

START_TEST(damaged_records_are_none)
{
    static const char *const bad[] = {"", "\n", "no end",
                                      "much longer than there is room\n"};
    char text[20];
    bool found;

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        tree_write_bytes("cache/records/x", bad[i], strlen(bad[i]));
        must_ok(record_read(&cache, "x", 60, text, sizeof(text), &found, &error));
        ck_assert_msg(!found, "%zu", i);
    }
    tree_write_bytes("cache/records/x", "a\0b\n", 4);
    must_ok(record_read(&cache, "x", 60, text, sizeof(text), &found, &error));
    ck_assert(!found);
    must_say(record_read(&cache, "../x", 60, text, sizeof(text), &found, &error),
             "cannot name");
    must_say(record_write(&cache, ".x", "", &error), "cannot name");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("collect");
    TCase *tc = tcase_create("collect");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, cache_make, cache_end);
    tcase_add_test(tc, least_recently_used_go_first);
    tcase_add_test(tc, use_counts_and_not_age);
    tcase_add_test(tc, nothing_goes_without_need);
    tcase_add_test(tc, as_much_goes_as_is_needed);
    tcase_add_test(tc, young_and_leased_images_stay);
    tcase_add_test(tc, lease_ends);
    tcase_add_test(tc, what_nobody_needs_is_removed);
    tcase_add_test(tc, image_that_is_found_is_not_removed);
    tcase_add_test(tc, grants_are_for_one_user_and_a_while);
    tcase_add_test(tc, records_say_what_was_written_for_a_while);
    tcase_add_test(tc, damaged_records_are_none);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
