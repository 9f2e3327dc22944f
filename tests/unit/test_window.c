/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In which order parts are given out, without threads. */
#include "source/window.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define PART LIMIT_FETCH_PART

static struct window window;

static void want(const char *content, uint64_t size)
{
    struct manifest_blob blob = {.size = size};

    (void)snprintf(blob.digest, sizeof(blob.digest), "%s", content);
    ck_assert_int_eq(window_add(&window, &blob), 0);
}

static void set_up(void)
{
    ck_assert_int_eq(window_init(&window), 0);
    (void)pthread_mutex_lock(&window.lock);
}

static void tear_down(void)
{
    (void)pthread_mutex_unlock(&window.lock);
    window_done(&window);
}

/* "DIGEST OFFSET SIZE" of the next part, or "". */
static const char *next(bool expect_rest)
{
    static char text[128];
    bool rest = false;
    const struct window_part *part = window_take_part(&window, &rest);

    text[0] = '\0';
    if (part)
        (void)snprintf(text, sizeof(text), "%s %zu %zu", part->layer->blob.digest,
                       (size_t)part->offset, part->size);
    ck_assert_int_eq(rest, expect_rest);
    return text;
}

static void fill_head(const char *data)
{
    struct window_part *part = window_head(&window);

    if (!part->data)
        part->data = calloc(1, PART);
    part->capacity = PART;
    if (data)
        memcpy(part->data, data, part->size);
    part->filled = part->read = part->size;
}

START_TEST(layers_are_one_sequence_of_parts)
{
    want("a", 2 * PART + 1);
    want("b", 0);
    want("c", PART);
    want("d", 7);
    window.has_ranges = true;
    ck_assert_uint_eq(window_work(&window), LIMIT_FETCH_THREADS);
    ck_assert_str_eq(next(false), "a 0 8388608");
    ck_assert_str_eq(next(false), "a 8388608 8388608");
    ck_assert_str_eq(next(false), "a 16777216 1");
    ck_assert_str_eq(next(false), "b 0 0");
    ck_assert_str_eq(next(false), "c 0 8388608");
    ck_assert_str_eq(next(false), "d 0 7");
    ck_assert_str_eq(next(false), "");
    want("e", 1);
    ck_assert_str_eq(next(false), "e 0 1");
}
END_TEST

START_TEST(the_window_is_bounded)
{
    want("a", 100 * PART);
    window.has_ranges = true;
    for (size_t i = 0; i < LIMIT_FETCH_WINDOW; i++)
        ck_assert_str_ne(next(false), "");
    ck_assert_str_eq(next(false), "");
    fill_head(NULL);
    window_pop(&window);
    ck_assert_str_eq(next(false), "a 58720256 8388608");
    ck_assert_str_eq(next(false), "");
}
END_TEST

START_TEST(small_images_need_few_threads)
{
    ck_assert_uint_eq(window_work(&window), 0);
    want("a", 1);
    ck_assert_uint_eq(window_work(&window), 1);
    want("b", 1);
    ck_assert_uint_eq(window_work(&window), 2);
    (void)next(false);
    ck_assert_uint_eq(window_work(&window), 2);
}
END_TEST

START_TEST(one_part_shows_whether_there_are_parts)
{
    want("a", 3 * PART);
    ck_assert_str_eq(next(false), "a 0 8388608");
    ck_assert_str_eq(next(false), "");
    window.has_ranges = true;
    ck_assert_str_eq(next(false), "a 8388608 8388608");
}
END_TEST

START_TEST(without_parts_one_takes_the_layer)
{
    struct window_part *part;

    want("a", 3 * PART);
    want("b", 1);
    ck_assert_str_eq(next(false), "a 0 8388608");
    ck_assert(window_refuse_parts(&window, window_head(&window)));
    ck_assert_str_eq(next(false), "");
    part = window_next_part(&window, window_head(&window)->layer);
    ck_assert_uint_eq(part->offset, PART);
    ck_assert_str_eq(next(false), "");
    part = window_next_part(&window, window_head(&window)->layer);
    ck_assert_uint_eq(part->offset, 2 * PART);
    ck_assert(!window_next_part(&window, window_head(&window)->layer));
    ck_assert_str_eq(next(false), "b 0 1");
}
END_TEST

START_TEST(a_late_refusal_leaves_the_rest_to_one)
{
    want("a", 5 * PART);
    window.has_ranges = true;
    ck_assert_str_eq(next(false), "a 0 8388608");
    ck_assert_str_eq(next(false), "a 8388608 8388608");
    /* Others have gone on by now. */
    ck_assert(!window_refuse_parts(&window, window_head(&window)));
    ck_assert_str_eq(next(true), "a 16777216 8388608");
    ck_assert_str_eq(next(false), "");
}
END_TEST

START_TEST(parts_are_hashed_in_their_order)
{
    char digest[DIGEST_TEXT];

    want("a", 3);
    want("b", 0);
    (void)next(false);
    (void)next(false);
    ck_assert_int_eq(window_hash(&window), 0); /* of the first nothing is there */
    fill_head("abc");
    ck_assert_int_eq(window_hash(&window), 1);
    ck_assert_int_eq(window_hash(&window), 1);
    ck_assert_int_eq(window_hash(&window), 0);
    ck_assert_int_eq(digest_of("abc", 3, digest), 0);
    ck_assert_str_eq(window.first->found, digest);
    ck_assert_int_eq(digest_of("", 0, digest), 0);
    ck_assert_str_eq(window.first->next->found, digest);
    ck_assert(window_ends_layer(window_head(&window)));
}
END_TEST

static Suite *window_suite(void)
{
    Suite *suite = suite_create("window");
    TCase *tc = tcase_create("window");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, layers_are_one_sequence_of_parts);
    tcase_add_test(tc, the_window_is_bounded);
    tcase_add_test(tc, small_images_need_few_threads);
    tcase_add_test(tc, one_part_shows_whether_there_are_parts);
    tcase_add_test(tc, without_parts_one_takes_the_layer);
    tcase_add_test(tc, a_late_refusal_leaves_the_rest_to_one);
    tcase_add_test(tc, parts_are_hashed_in_their_order);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(window_suite)
