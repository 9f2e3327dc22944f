/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "identity/subids.h"
#include "tree.h"

static const struct subids_owner ada = {.user = "ada", .uid = 1000, .own = 1000};

struct text_case {
    const char *text;
    size_t n;
    struct id_range ranges[3];
};

static void check(const struct text_case *c)
{
    struct subids got;

    memset(&got, 0xff, sizeof(got));
    subids_parse(c->text, &ada, &got);
    ck_assert_msg(got.n == c->n, "%s: %zu", c->text, got.n);
    for (size_t i = 0; i < c->n; i++)
        ck_assert_msg(got.ranges[i].start == c->ranges[i].start &&
                          got.ranges[i].count == c->ranges[i].count,
                      "%s: range %zu", c->text, i);
}

START_TEST(ranges_are_found_by_name_and_by_number)
{
    static const struct text_case cases[] = {
        {"", 0, {{0}}},
        {"ada:100000:65536\n", 1, {{100000, 65536}}},
        {"ada:100000:65536", 1, {{100000, 65536}}},
        {"1000:100000:65536\n", 1, {{100000, 65536}}},
        {"bob:1:5\nada:100000:10\n1000:200000:20\neve:7:7\n",
         2,
         {{100000, 10}, {200000, 20}}},
        {"ada:200000:1\nada:100000:1\n", 2, {{200000, 1}, {100000, 1}}},
        {"ada:100000:10\nada:100010:10\n", 2, {{100000, 10}, {100010, 10}}},
        {"ada:4294967294:1\n", 1, {{4294967294U, 1}}},
        {"ada:1:999\nada:1001:5\n", 2, {{1, 999}, {1001, 5}}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check(&cases[i]);
}
END_TEST

START_TEST(what_cannot_be_meant_gives_nothing)
{
    static const char *const texts[] = {
        "bob:100000:65536\n",
        "adam:100000:65536\n",
        "ad:100000:65536\n",
        "01000:100000:65536\n",
        ":100000:65536\n",
        "ada\n",
        "ada:\n",
        "ada:5\n",
        "ada:100000:\n",
        "ada::65536\n",
        "ada:::\n",
        "ada:100000:65536:\n",
        "ada:100000:65536 \n",
        "ada: 100000:65536\n",
        " ada:100000:65536\n",
        "#ada:100000:65536\n",
        "ada:-1:5\n",
        "ada:+100000:5\n",
        "ada:0x186a0:5\n",
        "ada:1e5:5\n",
        "ada:100000:0\n",                    /* none at all */
        "ada:0:65536\n",                     /* root's */
        "ada:1000:1\n",                      /* his own */
        "ada:1:1000\n",                      /* ends with his own */
        "ada:999:2\n",                       /* the same */
        "ada:1:4294967294\n",                /* holds it, too */
        "ada:4294967295:1\n",                /* nobody's */
        "ada:4294967294:2\n",                /* ends there */
        "ada:100000:4294967295\n",           /* wraps */
        "ada:4294967296:1\n",                /* more than 32 bits */
        "ada:100000:4294967297\n",           /* the same */
        "ada:100000:18446744073709551617\n", /* more than 64 */
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        check(&(struct text_case){.text = texts[i]});
}
END_TEST

START_TEST(range_that_overlaps_an_earlier_one_is_passed_over)
{
    static const struct text_case cases[] = {
        {"ada:100000:10\nada:100000:10\n", 1, {{100000, 10}}},
        {"ada:100000:10\nada:100009:1\nada:100010:1\n", 2, {{100000, 10}, {100010, 1}}},
        {"ada:100000:10\nada:99999:2\nada:99999:1\n", 2, {{100000, 10}, {99999, 1}}},
        {"ada:100000:10\nada:90000:50000\n", 1, {{100000, 10}}},
        {"ada:90000:50000\nada:100000:10\n", 1, {{90000, 50000}}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check(&cases[i]);
}
END_TEST

START_TEST(user_without_a_name_is_found_by_number_alone)
{
    const struct subids_owner nameless = {.uid = 4294967294U, .own = 4294967294U};
    const struct subids_owner empty = {.user = "", .uid = 5, .own = 5};
    struct subids got;

    subids_parse(":7:7\n4294967294:7:8\n", &nameless, &got);
    ck_assert_uint_eq(got.n, 1);
    ck_assert_uint_eq(got.ranges[0].count, 8);
    subids_parse(":7:7\n", &empty, &got);
    ck_assert_uint_eq(got.n, 0);
}
END_TEST

START_TEST(ranges_beyond_the_limit_are_left_out)
{
    char text[100 * 16] = "";
    size_t used = 0;
    struct subids got;

    for (unsigned i = 0; i < 100; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "ada:%u:1\n",
                                 2000 + 2 * i);
    subids_parse(text, &ada, &got);
    ck_assert_uint_eq(got.n, LIMIT_SUBIDS);
    ck_assert_uint_eq(got.ranges[LIMIT_SUBIDS - 1].start, 2000 + 2 * (LIMIT_SUBIDS - 1));
}
END_TEST

START_TEST(file_that_is_missing_gives_nobody_anything)
{
    char path[PATH_MAX];
    struct subids got = {.n = 9};
    struct vitrine_error err = {0};

    tree_write("subuid", "ada:100000:65536\n");
    (void)snprintf(path, sizeof(path), "%s/subuid", tree_path);
    ck_assert_int_eq(subids_read(path, &ada, &got, &err), 0);
    ck_assert_uint_eq(got.n, 1);
    (void)snprintf(path, sizeof(path), "%s/none", tree_path);
    ck_assert_int_eq(subids_read(path, &ada, &got, &err), 0);
    ck_assert_uint_eq(got.n, 0);
    got.n = 9;
    ck_assert_int_eq(subids_read(tree_path, &ada, &got, &err), -1);
    ck_assert_uint_eq(got.n, 9);
    ck_assert_msg(strstr(err.text, tree_path), "%s", err.text);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("subids");
    TCase *tc = tcase_create("subids");

    tcase_add_checked_fixture(tc, tree_make, tree_remove);
    tcase_add_test(tc, ranges_are_found_by_name_and_by_number);
    tcase_add_test(tc, what_cannot_be_meant_gives_nothing);
    tcase_add_test(tc, range_that_overlaps_an_earlier_one_is_passed_over);
    tcase_add_test(tc, user_without_a_name_is_found_by_number_alone);
    tcase_add_test(tc, ranges_beyond_the_limit_are_left_out);
    tcase_add_test(tc, file_that_is_missing_gives_nobody_anything);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
