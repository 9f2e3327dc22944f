/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "environ/changes.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "memfile.h"

START_TEST(only_what_differs_is_written)
{
    static const char *const from[] = {"A=1", "B=2", "C=3", "A=9", "NONE", "D=", NULL};
    static const char *const to[] = {"A=1", "B=", "E=a=b\nc", NULL};
    struct envlist list = {0};
    struct vitrine_error err;
    cleanup_fd int fd = memfile_open();

    ck_assert_int_eq(envlist_copy(&list, to), 0);
    ck_assert_int_eq(changes_write(from, &list, fd, &err), 0);
    cleanup_free char *text = memfile_text(fd);
    ck_assert_str_eq(text, "B=|E=a=b\nc|-C|-D");
    /* The offset, which tasks share, is where it was. */
    off_t offset = lseek(fd, 0, SEEK_CUR);
    cleanup_free char *again = memfile_text(fd);
    ck_assert_str_eq(again, text);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), offset);
    envlist_free(&list);
}
END_TEST

START_TEST(nothing_changes_nothing)
{
    struct envlist list = {0};
    struct vitrine_error err;
    cleanup_fd int fd = memfile_open();

    ck_assert_int_eq(changes_write(NULL, &list, fd, &err), 0);
    cleanup_free char *text = memfile_text(fd);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(variable_that_is_too_long_is_named)
{
    static char value[LIMIT_ENV_STRING];
    static const char *const longer[] = {value, NULL};
    struct envlist list = {0};
    struct vitrine_error err = {0};
    cleanup_fd int fd = memfile_open();

    memset(value, 'x', sizeof(value) - 1);
    ck_assert_int_eq(envlist_set(&list, "A", 1, value + 2), 0);
    ck_assert_int_eq(changes_write(NULL, &list, fd, &err), 0);
    ck_assert_int_eq(envlist_set(&list, "MY", 2, value + 2), 0);
    ck_assert_int_eq(changes_write(NULL, &list, fd, &err), -1);
    ck_assert_int_eq(err.code, VITRINE_EUSAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "MY would be longer"));
    /* One that was there before is none of ours. */
    memcpy(value, "MY=", 3);
    envlist_free(&list);
    ck_assert_int_eq(envlist_copy(&list, longer), 0);
    ck_assert_int_eq(changes_write(longer, &list, fd, &err), 0);
    envlist_free(&list);
}
END_TEST

static bool refuse(void *arg, const char *name, const char *value)
{
    ++*(int *)arg;
    return false;
}

START_TEST(refusal_ends_the_walk)
{
    struct vitrine_error err = {0};
    int calls = 0;
    cleanup_fd int fd = memfile_open();

    ck_assert_int_eq(write(fd, "A=1\0B=2", 8), 8);
    ck_assert_int_eq(changes_each(fd, refuse, &calls, &err), -1);
    ck_assert_int_eq(calls, 1);
    ck_assert_ptr_nonnull(strstr(err.text, "variable A"));
}
END_TEST

START_TEST(damaged_files_are_refused)
{
    static const struct {
        const char *data;
        size_t size;
    } cases[] = {{"A=1", 3}, {"A=1\0B", 5}, {"", 1}, {"A=1\0\0", 5}, {"=1", 3}, {"=", 2}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct vitrine_error err = {0};
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        cleanup_fd int fd = memfile_open();

        ck_assert_int_eq(write(fd, cases[i].data, cases[i].size), (ssize_t)cases[i].size);
        ck_assert_int_eq(changes_each(fd, memfile_add, out, &err), -1);
        ck_assert_int_eq(err.code, VITRINE_EINTERNAL);
        (void)fclose(out);
        free(text);
    }
}
END_TEST

START_TEST(file_that_is_none_is_refused)
{
    struct vitrine_error err = {0};
    cleanup_fd int fd = memfile_open();

    ck_assert_int_eq(ftruncate(fd, LIMIT_ENV_CHANGES + 1), 0);
    ck_assert_int_eq(changes_each(fd, memfile_add, NULL, &err), -1);
    ck_assert_int_eq(changes_each(-1, memfile_add, NULL, &err), -1);
    ck_assert_int_eq(err.sys_errno, EBADF);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("changes");
    TCase *tc = tcase_create("changes");

    tcase_add_test(tc, only_what_differs_is_written);
    tcase_add_test(tc, nothing_changes_nothing);
    tcase_add_test(tc, variable_that_is_too_long_is_named);
    tcase_add_test(tc, refusal_ends_the_walk);
    tcase_add_test(tc, damaged_files_are_refused);
    tcase_add_test(tc, file_that_is_none_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
