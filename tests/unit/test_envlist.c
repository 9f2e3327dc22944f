/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "environ/envlist.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct envlist list;

static void check(const char *name, const char *expected)
{
    const char *got = envlist_get(&list, name, strlen(name));

    ck_assert_msg(expected ? got && strcmp(got, expected) == 0 : !got, "%s: %s", name,
                  got ? got : "nothing");
}

static void end(void)
{
    envlist_free(&list);
}

START_TEST(copy_has_each_name_once)
{
    static const char *const env[] = {
        "A=1",   "AB=2", "A=3", "B=", "NONE", "=x", "", "BASH_FUNC_f%%=() { :; }",
        "C=d=e", NULL};

    ck_assert_int_eq(envlist_copy(&list, NULL), 0);
    ck_assert_ptr_null(list.list);
    ck_assert_int_eq(envlist_copy(&list, env), 0);
    ck_assert_uint_eq(list.count, 5);
    ck_assert_ptr_null(list.list[5]);
    check("A", "1");
    check("AB", "2");
    check("B", "");
    check("C", "d=e");
    check("BASH_FUNC_f%%", "() { :; }");
    check("NONE", NULL);
    check("", NULL);
}
END_TEST

START_TEST(set_and_unset_keep_the_rest)
{
    char name[16];

    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof(name), "N%d", i);
        ck_assert_int_eq(envlist_set(&list, name, strlen(name), name), 0);
    }
    for (int i = 0; i < 200; i += 2) {
        (void)snprintf(name, sizeof(name), "N%d", i);
        envlist_unset(&list, name, strlen(name));
        envlist_unset(&list, name, strlen(name));
    }
    ck_assert_uint_eq(list.count, 100);
    ck_assert_ptr_null(list.list[100]);
    check("N0", NULL);
    check("N199", "N199");
    ck_assert_int_eq(envlist_set(&list, "N199", 4, envlist_get(&list, "N1", 2)), 0);
    ck_assert_int_eq(envlist_set(&list, "N1", 2, envlist_get(&list, "N1", 2) + 1), 0);
    check("N199", "N1");
    check("N1", "1");
    ck_assert_uint_eq(list.count, 100);
}
END_TEST

START_TEST(find_knows_whole_names_alone)
{
    static const char *const env[] = {"AB=1", "A", "A=2", NULL};

    ck_assert_str_eq(envlist_find(env, "A", 1), "2");
    ck_assert_ptr_null(envlist_find(env, "B", 1));
    ck_assert_ptr_null(envlist_find(NULL, "A", 1));
    ck_assert_uint_eq(envlist_name_length("A=b=c"), 1);
    ck_assert_uint_eq(envlist_name_length("A"), 0);
    ck_assert_uint_eq(envlist_name_length("=A"), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("envlist");
    TCase *tc = tcase_create("envlist");

    tcase_add_checked_fixture(tc, NULL, end);
    tcase_add_test(tc, copy_has_each_name_once);
    tcase_add_test(tc, set_and_unset_keep_the_rest);
    tcase_add_test(tc, find_knows_whole_names_alone);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
