/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plugin/optiontext.h"
#include "unit.h"

#include <stdio.h>

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(right_values_have_one_normal_form)
{
    static const struct {
        enum option option;
        const char *text, *normal;
    } cases[] = {
        {OPTION_IMAGE, "/a.sqfs", "/a.sqfs"},
        {OPTION_IMAGE, "none", "none"},
        {OPTION_IMAGE, "./none", "./none"},
        {OPTION_MOUNTS, "/a:/b", "/a:/b"},
        {OPTION_MOUNTS, "/a:/b,/c:/d:ro+nosuid", "/a:/b,/c:/d:ro+nosuid"},
        {OPTION_MOUNTS, "/a,/b,/a,/aa,/b", "/a,/b,/aa"},
        {OPTION_WORKDIR, "/w", "/w"},
        {OPTION_WORKDIR, "/", "/"},
        {OPTION_NAME, "a", "a"},
        {OPTION_NAME, "a:auto", "a:auto"},
        {OPTION_NAME, "a:create", "a:create"},
        {OPTION_NAME, "a:exec", "a:exec"},
        {OPTION_NAME, "a:no_exec", "a:no_exec"},
        {OPTION_SAVE, "out.sqfs", "out.sqfs"},
        {OPTION_SAVE, "../.x", "../.x"},
        {OPTION_SAVE, "...", "..."},
        {OPTION_SAVE, "/a/b.sqfs", "/a/b.sqfs"},
        {OPTION_ENV, "A", "A"},
        {OPTION_ENV, "_a9,B,_a9,B,C", "_a9,B,C"},
        {OPTION_UNSHARE, "net", "net"},
        {OPTION_UNSHARE, "uts,ipc,net,uts", "uts,ipc,net"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct vitrine_error err = {.text = "untouched"};
        char *text, *again;

        ck_assert_msg(optiontext_read(cases[i].option, cases[i].text, &text, &err) == 0,
                      "%s: %s", cases[i].text, err.text);
        ck_assert_str_eq(err.text, "untouched");
        ck_assert_str_eq(text, cases[i].normal);
        ck_assert_int_eq(optiontext_read(cases[i].option, text, &again, &err), 0);
        ck_assert_str_eq(text, again);
        free(text);
        free(again);
    }
}
END_TEST

START_TEST(wrong_values_are_refused)
{
    static const struct {
        enum option option;
        const char *text, *message;
    } cases[] = {
        {OPTION_IMAGE, "", "the value is empty; give an image, or none"},
        {OPTION_IMAGE, "a\nb", "the value has a control character in it: a?b"},
        {OPTION_IMAGE, "file:///a", "write the path"},
        {OPTION_IMAGE, "docker://a:", "image docker://a:: the tag behind ':' is empty"},
        {OPTION_IMAGE, "podman://a", "image podman://a: images cannot be taken"},
        {OPTION_MOUNTS, "", "the value is empty"},
        {OPTION_MOUNTS, "/a\x7f:/b", "the value has a control character"},
        {OPTION_MOUNTS, "\x1b[2J", "the value has a control character"},
        {OPTION_MOUNTS, ",", ""},
        {OPTION_WORKDIR, "", "the value is empty"},
        {OPTION_WORKDIR, "w", "give an absolute path in the container, not w"},
        {OPTION_WORKDIR, "./w", "give an absolute path"},
        {OPTION_WORKDIR, "../w", "give an absolute path"},
        {OPTION_WORKDIR, "~/w", "give an absolute path"},
        {OPTION_WORKDIR, " /w", "give an absolute path"},
        {OPTION_WORKDIR, "/\t", "the value has a control character"},
        {OPTION_NAME, "", "the value is empty"},
        {OPTION_NAME, ":auto", ""},
        {OPTION_NAME, "a/b", ""},
        {OPTION_NAME, "..", ""},
        {OPTION_NAME, "a:", "after the name give auto, create, exec or no_exec"},
        {OPTION_NAME, "a:Auto", "after the name give"},
        {OPTION_NAME, "a:none", "after the name give auto, create, exec or "},
        {OPTION_NAME, "a:auto:exec", "after the name give"},
        {OPTION_NAME, "a:noexec", "after the name give"},
        {OPTION_SAVE, "", "the value is empty"},
        {OPTION_SAVE, "/", "give the file to be written; / is a directory"},
        {OPTION_SAVE, "./", "give the file to be written; ./ is a directory"},
        {OPTION_SAVE, ".", "give the file to be written"},
        {OPTION_SAVE, "..", "give the file to be written"},
        {OPTION_SAVE, "../", "give the file to be written"},
        {OPTION_SAVE, "a/", "give the file to be written"},
        {OPTION_SAVE, "/home/user//", "give the file to be written"},
        {OPTION_SAVE, "/home/user/.", "give the file to be written"},
        {OPTION_SAVE, "/home/user/..", "give the file to be written"},
        {OPTION_SAVE, "a\rb", "the value has a control character"},
        {OPTION_ENV, "", "the value is empty"},
        {OPTION_ENV, ",", "'' is not the name of a variable"},
        {OPTION_ENV, "A,", "'' is not the name of a variable"},
        {OPTION_ENV, ",A", "'' is not the name of a variable"},
        {OPTION_ENV, "A,,B", "'' is not the name of a variable"},
        {OPTION_ENV, "A=b", "give the names of variables, without values: not A=b"},
        {OPTION_ENV, "A,B=", "give the names of variables, without values: not B="},
        {OPTION_ENV, "1A", "'1A' is not the name of a variable"},
        {OPTION_ENV, "A B", "'A B' is not the name of a variable"},
        {OPTION_ENV, "A, B", "' B' is not the name of a variable"},
        {OPTION_ENV, "A-B", "'A-B' is not the name of a variable"},
        {OPTION_ENV, "\xc3\xa4", ""},
        {OPTION_ENV, "A\n", "the value has a control character"},
        {OPTION_UNSHARE, "", "the value is empty"},
        {OPTION_UNSHARE, "pid", "give net, ipc or uts, not 'pid'"},
        {OPTION_UNSHARE, "net,", "give net, ipc or uts, not ''"},
        {OPTION_UNSHARE, "net,user", "give net, ipc or uts, not 'user'"},
        {OPTION_UNSHARE, "NET", "give net, ipc or uts, not 'NET'"},
        {OPTION_UNSHARE, "ne", "give net, ipc or uts, not 'ne'"},
        {OPTION_UNSHARE, "net ipc", "give net, ipc or uts, not 'net ipc'"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char *text = (char *)"before";
        struct vitrine_error err = {0};

        ck_assert_msg(optiontext_read(cases[i].option, cases[i].text, &text, &err) == -1,
                      "%s", cases[i].text);
        ck_assert_msg(strncmp(err.text, cases[i].message, strlen(cases[i].message)) == 0,
                      "%s: %s", cases[i].text, err.text);
        ck_assert(!strpbrk(err.text, "\n\r\t\x1b\x7f"));
        ck_assert_int_ne(err.code, VITRINE_OK);
        ck_assert_str_eq(text, "before");
        ck_assert_int_eq(optiontext_read(cases[i].option, cases[i].text, &text, NULL),
                         -1);
    }
}
END_TEST

/* The longest right text of an option that has one, without its end. */
static void fill(enum option option, char *text, size_t len)
{
    memset(text, option == OPTION_UNSHARE ? ',' : 'x', len);
    if (option == OPTION_WORKDIR)
        text[0] = '/';
    text[len] = '\0';
    /* As many different ones as there may be, with commas between them. */
    for (size_t i = 0; option == OPTION_MOUNTS && i < len; i += 256) {
        char number[8];

        (void)snprintf(number, sizeof(number), "/%03zu", i / 256 % 1000);
        memcpy(text + i, number, 4);
        if (i + 256 < len)
            text[i + 255] = ',';
    }
}

START_TEST(longest_value_fits_and_longer_ones_are_never_copied)
{
    static const enum option options[] = {OPTION_IMAGE, OPTION_MOUNTS, OPTION_WORKDIR,
                                          OPTION_SAVE, OPTION_ENV};
    static const size_t more[] = {1, 2, 4096, 1 << 24};
    char *text = malloc((1 << 24) + OPTIONTEXT_MOUNTS_MAX + 1);
    char *read = NULL;
    struct vitrine_error err = {0};

    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < COUNT(options); i++) {
        size_t max = options[i] == OPTION_MOUNTS ? OPTIONTEXT_MOUNTS_MAX : OPTIONTEXT_MAX;

        fill(options[i], text, max);
        ck_assert_int_eq(optiontext_read(options[i], text, &read, &err), 0);
        ck_assert_uint_eq(strlen(read), max);
        free(read);
        read = NULL;
        for (size_t m = 0; m < COUNT(more); m++) {
            fill(options[i], text, max + more[m]);
            ck_assert_int_eq(optiontext_read(options[i], text, &read, &err), -1);
            ck_assert_int_eq(err.code, VITRINE_EUSAGE);
            ck_assert(strstr(err.text, "the value is longer than"));
            ck_assert_ptr_null(read);
        }
    }
    for (int o = 0; o < OPTION_COUNT; o++) {
        fill((enum option)o, text, 1 << 24);
        ck_assert_int_eq(optiontext_read((enum option)o, text, &read, &err), -1);
        ck_assert(strstr(err.text, "the value is longer than"));
    }
    free(text);
}
END_TEST

START_TEST(lists_grow_without_repetition_up_to_their_limit)
{
    static const struct {
        const char *list, *more, *both;
    } cases[] = {
        {"", "a", "a"},        {"a", "b", "a,b"},         {"a,b", "b,a", "a,b"},
        {"a", "aa,a", "a,aa"}, {"aa", "a", "aa,a"},       {"a,b", "c,b,d,c", "a,b,c,d"},
        {"", "a,a,a", "a"},    {"ab,c", "b,c", "ab,c,b"},
    };
    char *longest = malloc(OPTIONTEXT_MAX + 1), *both = NULL;
    struct vitrine_error err = {0};

    for (size_t i = 0; i < COUNT(cases); i++) {
        ck_assert_int_eq(
            optiontext_join(OPTION_ENV, cases[i].list, cases[i].more, &both, &err), 0);
        ck_assert_str_eq(both, cases[i].both);
        free(both);
    }
    ck_assert_ptr_nonnull(longest);
    fill(OPTION_ENV, longest, OPTIONTEXT_MAX - 2);
    ck_assert_int_eq(optiontext_join(OPTION_ENV, longest, "y", &both, &err), 0);
    ck_assert_uint_eq(strlen(both), OPTIONTEXT_MAX);
    free(both);
    both = NULL;
    ck_assert_int_eq(optiontext_join(OPTION_ENV, longest, "yy", &both, &err), -1);
    ck_assert(strstr(err.text, "the values together are longer than 4096 bytes"));
    ck_assert_ptr_null(both);
    ck_assert_int_eq(optiontext_join(OPTION_ENV, longest, longest, &both, &err), 0);
    ck_assert_str_eq(both, longest);
    free(both);
    free(longest);
}
END_TEST

START_TEST(names_and_namespaces_are_taken_apart)
{
    enum vitrine_start start;

    ck_assert_uint_eq(optiontext_name("abc", &start), 3);
    ck_assert_int_eq(start, VITRINE_START_AUTO);
    ck_assert_uint_eq(optiontext_name("ab:create", &start), 2);
    ck_assert_int_eq(start, VITRINE_START_CREATE);
    ck_assert_uint_eq(optiontext_name("ab:exec", &start), 2);
    ck_assert_int_eq(start, VITRINE_START_EXEC);
    ck_assert_uint_eq(optiontext_name("ab:no_exec", &start), 2);
    ck_assert_int_eq(start, VITRINE_START_NO_EXEC);
    ck_assert_uint_eq(optiontext_name("ab:auto", &start), 2);
    ck_assert_int_eq(start, VITRINE_START_AUTO);

    ck_assert_uint_eq(optiontext_unshare("net"), VITRINE_UNSHARE_NET);
    ck_assert_uint_eq(optiontext_unshare("ipc"), VITRINE_UNSHARE_IPC);
    ck_assert_uint_eq(optiontext_unshare("uts,net"),
                      VITRINE_UNSHARE_UTS | VITRINE_UNSHARE_NET);
    ck_assert_uint_eq(optiontext_unshare("net,ipc,uts"), 7);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("optiontext");
    TCase *tc = tcase_create("optiontext");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, right_values_have_one_normal_form);
    tcase_add_test(tc, wrong_values_are_refused);
    tcase_add_test(tc, longest_value_fits_and_longer_ones_are_never_copied);
    tcase_add_test(tc, lists_grow_without_repetition_up_to_their_limit);
    tcase_add_test(tc, names_and_namespaces_are_taken_apart);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
