/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/metavars.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

static struct metavars vars;

static void set(const char *name, const char *value)
{
    ck_assert_int_eq(metavars_set(&vars, name, strlen(name), value, strlen(value)), 0);
}

static void check(const char *name, const char *expected)
{
    const char *got = metavars_get(&vars, name, strlen(name));

    ck_assert_msg(expected ? got && strcmp(got, expected) == 0 : !got, "%s: %s", name,
                  got ? got : "nothing");
}

static void end(void)
{
    metalist_free(vars.vars.list);
    vars = (struct metavars){0};
}

START_TEST(last_value_of_a_name_counts)
{
    set("A", "1");
    set("AB", "2");
    set("A", "a longer one");
    set("A", "");
    check("A", "");
    check("AB", "2");
    check("B", NULL);
    ck_assert_uint_eq(vars.vars.count, 2);
    ck_assert_uint_eq(vars.bytes, sizeof("A=") + sizeof("AB=2"));
}
END_TEST

START_TEST(what_is_no_name_is_passed_over)
{
    static const char *const names[] = {
        "",    "1",   "1A",       "A-B", "A B", "A.B", " A", "A ",
        "A%%", "A()", "\xc3\xa9", "A\n", "$A",  "'A'", "-",  "BASH_FUNC_x%%",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        set(names[i], "x");
    ck_assert_uint_eq(vars.vars.count, 0);
}
END_TEST

START_TEST(path_must_be_one)
{
    static const char *const values[] = {"",       "bin",    ".:/a",   ":/a", "~/bin",
                                         "/a\x01", "/a\n/b", "/a\x7f", " /a"};

    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        set("PATH", values[i]);
    check("PATH", NULL);
    set("PATH", "/a b:/c");
    set("PATH", "bad");
    check("PATH", "/a b:/c");
}
END_TEST

START_TEST(limits_hold)
{
    static char big[LIMIT_ENV_STRING + 1];
    char name[16];

    memset(big, 'x', sizeof(big) - 1);
    big[LIMIT_ENV_STRING - 2] = '\0'; /* "B=" and the NUL make it one too long */
    set("B", big);
    check("B", NULL);
    big[LIMIT_ENV_STRING - 3] = '\0';
    set("B", big);
    check("B", big);
    for (unsigned i = 0; i < LIMIT_META_VARS + 10; i++) {
        (void)snprintf(name, sizeof(name), "N%u", i);
        set(name, "1");
    }
    ck_assert_uint_eq(vars.vars.count, LIMIT_META_VARS);
    set("N1", "2"); /* no new one */
    check("N1", "2");
    big[LIMIT_ENV_STRING - 4] = '\0';
    set("N2", big);
    check("N2", "1");
    set("B", "");
    set("N2", big);
    check("N2", big);
    ck_assert_uint_le(vars.bytes, LIMIT_META_BYTES);
}
END_TEST

START_TEST(lookup_prefers_the_image)
{
    static const char *const host[] = {"A=host", "PATH=/host", "LD_X=1", "NOEQUALS",
                                       NULL};
    vars.host = host;

    ck_assert_str_eq(metavars_lookup(&vars, "A", 1), "host");
    ck_assert_ptr_null(metavars_lookup(&vars, "NOEQUALS", 8));
    ck_assert_ptr_null(metavars_lookup(&vars, "LD_X", 4));
    ck_assert_ptr_null(metavars_lookup(&vars, "", 0));
    ck_assert_str_ne(metavars_lookup(&vars, "PATH", 4), "/host");
    set("A", "image");
    set("PATH", "/image");
    set("LD_X", "2");
    ck_assert_str_eq(metavars_lookup(&vars, "A", 1), "image");
    ck_assert_str_eq(metavars_lookup(&vars, "PATH", 4), "/image");
    ck_assert_str_eq(metavars_lookup(&vars, "LD_X", 4), "2");
}
END_TEST

START_TEST(text_and_lists_have_an_end)
{
    static char half[LIMIT_ENV_STRING / 2];
    struct metatext text = {0};
    struct metalist list = {0};

    memset(half, 'x', sizeof(half));
    ck_assert_int_eq(metatext_add(&text, half, sizeof(half)), 0);
    ck_assert_int_eq(metatext_add(&text, half, sizeof(half)), -E2BIG);
    ck_assert_int_eq(metatext_add(&text, half, sizeof(half) - 1), 0);
    ck_assert_int_eq(metatext_add(&text, "x", 1), -E2BIG);
    ck_assert_uint_eq(strlen(text.data), text.len);
    free(text.data);
    for (unsigned i = 0; i < LIMIT_META_WORDS + 10; i++)
        ck_assert_int_eq(metalist_add(&list, "word", 4), 0);
    ck_assert_uint_eq(list.count, LIMIT_META_WORDS);
    ck_assert_ptr_null(list.list[list.count]);
    metalist_free(list.list);
    metalist_free(NULL);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("metavars");
    TCase *tc = tcase_create("metavars");

    tcase_add_checked_fixture(tc, NULL, end);
    tcase_add_test(tc, last_value_of_a_name_counts);
    tcase_add_test(tc, what_is_no_name_is_passed_over);
    tcase_add_test(tc, path_must_be_one);
    tcase_add_test(tc, limits_hold);
    tcase_add_test(tc, lookup_prefers_the_image);
    tcase_add_test(tc, text_and_lists_have_an_end);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
