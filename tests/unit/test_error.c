/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

#define CAP sizeof(((struct vitrine_error *)NULL)->text)

START_TEST(fail_says_what_and_which_kind)
{
    struct vitrine_error err = {.sys_errno = 5};

    ck_assert_int_eq(vitrine_fail(&err, VITRINE_EUSAGE, "no %s in %d", "x", 7), -1);
    ck_assert_str_eq(err.text, "no x in 7");
    ck_assert_int_eq(err.code, VITRINE_EUSAGE);
    ck_assert_int_eq(err.sys_errno, 0);
}
END_TEST

START_TEST(fail_sys_adds_the_text_of_errno)
{
    struct vitrine_error err;

    errno = ENOENT;
    ck_assert_int_eq(vitrine_fail_sys(&err, VITRINE_ENOIMAGE, "cannot open %s", "x"), -1);
    ck_assert_str_eq(err.text, "cannot open x: No such file or directory");
    ck_assert_int_eq(err.sys_errno, ENOENT);
    ck_assert_int_eq(err.code, VITRINE_ENOIMAGE);
}
END_TEST

START_TEST(error_from_takes_the_cause_of_a_callee)
{
    struct vitrine_error err;

    errno = 0;
    ck_assert_int_eq(error_from(&err, VITRINE_EPERM, -EACCES, "cannot open %s", "x"), -1);
    ck_assert_str_eq(err.text, "cannot open x: Permission denied");
    ck_assert_int_eq(err.sys_errno, EACCES);
    ck_assert_int_eq(errno, 0);
}
END_TEST

START_TEST(wrap_puts_a_prefix_and_keeps_the_rest)
{
    struct vitrine_error err;

    errno = EIO;
    vitrine_fail_sys(&err, VITRINE_EMOUNT, "inner");
    errno = EBUSY;
    ck_assert_int_eq(vitrine_wrap(&err, "outer %d", 1), -1);
    ck_assert_str_eq(err.text, "outer 1: inner: Input/output error");
    ck_assert_int_eq(err.code, VITRINE_EMOUNT);
    ck_assert_int_eq(err.sys_errno, EIO);
    ck_assert_int_eq(errno, EBUSY);
}
END_TEST

START_TEST(errno_is_untouched)
{
    struct vitrine_error err;

    errno = EDOM;
    vitrine_fail(&err, VITRINE_EUSAGE, "x");
    ck_assert_int_eq(errno, EDOM);
    vitrine_fail_sys(&err, VITRINE_EUSAGE, "x");
    ck_assert_int_eq(errno, EDOM);
    error_from(&err, VITRINE_EUSAGE, -EIO, "x");
    ck_assert_int_eq(errno, EDOM);
    vitrine_wrap(&err, "x");
    ck_assert_int_eq(errno, EDOM);
}
END_TEST

START_TEST(null_is_allowed)
{
    ck_assert_int_eq(vitrine_fail(NULL, VITRINE_EUSAGE, "x"), -1);
    ck_assert_int_eq(vitrine_fail_sys(NULL, VITRINE_EUSAGE, "x"), -1);
    ck_assert_int_eq(error_from(NULL, VITRINE_EUSAGE, -EIO, "x"), -1);
    ck_assert_int_eq(vitrine_wrap(NULL, "x"), -1);
}
END_TEST

static void fill(char *text, size_t len)
{
    memset(text, 'a', len);
    text[len] = '\0';
}

START_TEST(text_that_just_fits_has_no_mark)
{
    struct vitrine_error err;
    char text[CAP];

    fill(text, CAP - 1);
    vitrine_fail(&err, VITRINE_EUSAGE, "%s", text);
    ck_assert_str_eq(err.text, text);
}
END_TEST

START_TEST(cut_text_ends_in_a_mark)
{
    struct vitrine_error err;
    char text[3 * CAP];

    fill(text, CAP);
    vitrine_fail(&err, VITRINE_EUSAGE, "%s", text);
    ck_assert_uint_eq(strlen(err.text), CAP - 1);
    ck_assert_int_eq(err.text[CAP - 2], '+');
    ck_assert_int_eq(err.text[CAP - 3], 'a');

    fill(text, 2 * CAP);
    vitrine_fail(&err, VITRINE_EUSAGE, "%s", text);
    ck_assert_uint_eq(strlen(err.text), CAP - 1);
    ck_assert_int_eq(err.text[CAP - 2], '+');
}
END_TEST

START_TEST(cut_cause_ends_in_a_mark)
{
    struct vitrine_error err;
    char text[CAP];

    for (size_t len = CAP - 4; len < CAP; len++) {
        fill(text, len);
        error_from(&err, VITRINE_EUSAGE, -ENOENT, "%s", text);
        ck_assert_uint_eq(strlen(err.text), CAP - 1);
        ck_assert_int_eq(err.text[CAP - 2], '+');
        ck_assert_int_eq(err.sys_errno, ENOENT);
    }
}
END_TEST

START_TEST(cut_wrap_ends_in_a_mark)
{
    struct vitrine_error err;
    char text[2 * CAP];

    vitrine_fail(&err, VITRINE_EUSAGE, "inner");
    fill(text, CAP - 7);
    vitrine_wrap(&err, "%s", text);
    ck_assert_uint_eq(strlen(err.text), CAP - 1);
    ck_assert_str_eq(err.text + CAP - 7, ": inn+");
    fill(text, 2 * CAP - 1);
    vitrine_wrap(&err, "%s", text);
    ck_assert_uint_eq(strlen(err.text), CAP - 1);
    ck_assert_int_eq(err.text[CAP - 2], '+');
}
END_TEST

START_TEST(control_characters_do_not_reach_a_terminal)
{
    struct vitrine_error err;

    vitrine_fail(&err, VITRINE_EUSAGE, "%s",
                 "a\nb\033[31mc\td\177e\xc3\xa4\xc2\x9b"
                 "f\xc2\xa0");
    ck_assert_str_eq(err.text, "a?b?[31mc?d?e\xc3\xa4??f\xc2\xa0");
    vitrine_wrap(&err, "%s", "x\r");
    ck_assert_str_eq(err.text, "x?: a?b?[31mc?d?e\xc3\xa4??f\xc2\xa0");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("error");
    TCase *tc = tcase_create("error");

    tcase_add_test(tc, fail_says_what_and_which_kind);
    tcase_add_test(tc, fail_sys_adds_the_text_of_errno);
    tcase_add_test(tc, error_from_takes_the_cause_of_a_callee);
    tcase_add_test(tc, wrap_puts_a_prefix_and_keeps_the_rest);
    tcase_add_test(tc, errno_is_untouched);
    tcase_add_test(tc, null_is_allowed);
    tcase_add_test(tc, text_that_just_fits_has_no_mark);
    tcase_add_test(tc, cut_text_ends_in_a_mark);
    tcase_add_test(tc, cut_cause_ends_in_a_mark);
    tcase_add_test(tc, cut_wrap_ends_in_a_mark);
    tcase_add_test(tc, control_characters_do_not_reach_a_terminal);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
