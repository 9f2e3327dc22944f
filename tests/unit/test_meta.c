/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/meta.h"
#include "base/cleanup.h"
#include "tree.h"

#define ENVIRONMENT  "etc/environment"
#define CHARLIECLOUD "ch/environment"
#define APPTAINER    ".singularity.d/env/10-docker2singularity.sh"

static void check_path(const char *expected)
{
    cleanup_free char *got = meta_search_path(tree);

    if (!expected)
        ck_assert_msg(got == NULL, "%s", got);
    else
        ck_assert_msg(got && strcmp(got, expected) == 0, "%s instead of %s",
                      got ? got : "nothing", expected);
}

struct text_case {
    const char *text, *expected;
};

static void check_all(const char *file, const struct text_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tree_write(file, cases[i].text);
        check_path(cases[i].expected);
    }
}

#define CHECK_ALL(file, cases) check_all(file, cases, sizeof(cases) / sizeof(*(cases)))

START_TEST(image_without_any_of_the_files_says_nothing)
{
    check_path(NULL);
}
END_TEST

START_TEST(environment_file_gives_a_plain_path)
{
    static const struct text_case cases[] = {
        {"PATH=/a:/b\n", "/a:/b"},
        {"PATH=/a:/b", "/a:/b"},
        {"PATH=\"/a:/b\"\n", "/a:/b"},
        {"PATH='/a:/b'\n", "/a:/b"},
        {"  PATH=/a  \r\n", "/a"},
        {"LANG=C\nPATH=/a\nX=1\n", "/a"},
        {"export PATH=/a\n", "/a"},
        {"\texport  \tPATH=/a\n", "/a"},
        {"PATH=/opt/caf\xc3\xa9/bin\n", "/opt/caf\xc3\xa9/bin"},
        {"PATH=/a=b:/c,d:/e+f\n", "/a=b:/c,d:/e+f"},
    };

    CHECK_ALL(ENVIRONMENT, cases);
}
END_TEST

START_TEST(apptainers_default_syntax_is_understood)
{
    static const struct text_case cases[] = {
        {"#!/bin/sh\nexport PATH=\"${PATH:-\"/a:/b\"}\"\n", "/a:/b"},
        {"export PATH=\"/usr/local/nvidia/bin:/usr/bin\"\n",
         "/usr/local/nvidia/bin:/usr/bin"},
        {"export PATH=${PATH:-/a:/b}\n", "/a:/b"},
        {"export CUDA=\"${CUDA:-\"12\"}\"\nexport PATH=\"${PATH:-\"/a\"}\"\n", "/a"},
    };

    CHECK_ALL(APPTAINER, cases);
}
END_TEST

START_TEST(last_plain_assignment_wins)
{
    static const struct text_case cases[] = {
        {"PATH=/a\nPATH=/b\n", "/b"},
        {"PATH=/a\nPATH=/b:$PATH\n", "/a"},
        {"PATH=$(x)\nPATH=/b\nPATH=`x`\n", "/b"},
    };

    CHECK_ALL(ENVIRONMENT, cases);
}
END_TEST

START_TEST(what_would_take_a_shell_is_passed_over)
{
    static const char *const values[] = {
        "$(id)",          "/a:$(id)",       "`id`",
        "/a:`id`",        "$PATH:/a",       "/a:$PATH",
        "/a:${HOME}/bin", "/a\\:/b",        "/a;id",
        "/a&&id",         "/a|id",          "/a>/b",
        "/a</b",          "(/a)",           "{/a,/b}",
        "/a b",           "/a\tb",          "/a # note",
        "\"/a\":\"/b\"",  "\"/a",           "/a\"",
        "'/a\"",          "\"$(id)\"",      "\"/a:$PATH\"",
        "${PATH:-$(id)}", "${PATH:-}",      "${PATH:-/a",
        "${PATH-/a}",     "${PATH:-/a}:/b", "${PATH:=/a}",
        "/a\x01",         "/a\x1b[2J",      "\"${PATH:-\"${PATH:-\"$(id)\"}\"}\"",
    };
    char text[256];

    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        (void)snprintf(text, sizeof(text), "PATH=%s\n", values[i]);
        tree_write(ENVIRONMENT, text);
        check_path(NULL);
    }
}
END_TEST

START_TEST(what_is_no_absolute_path_is_passed_over)
{
    static const struct text_case cases[] = {
        {"", NULL},
        {"\n\n", NULL},
        {"PATH", NULL},
        {"PATH=", NULL},
        {"PATH=\n/a\n", NULL},
        {"PATH=\"\"\n", NULL},
        {"PATH=\"\n", NULL},
        {"PATH=bin\n", NULL},
        {"PATH=:/a\n", NULL},
        {"PATH=.:/a\n", NULL},
        {"PATH=~/bin:/a\n", NULL},
        {"PATH =/a\n", NULL},
        {"# PATH=/a\n", NULL},
        {"MYPATH=/a\n", NULL},
        {"LD_LIBRARY_PATH=/a\n", NULL},
        {"PATHS=/a\n", NULL},
        {"path=/a\n", NULL},
        {"exportPATH=/a\n", NULL},
        {"export\nPATH\n=/a\n", NULL},
        {"setenv PATH /a\n", NULL},
        {"unset PATH=/a\n", NULL},
        {"export PATH", NULL},
        {"export ", NULL},
        {"   ", NULL},
    };

    CHECK_ALL(ENVIRONMENT, cases);
}
END_TEST

START_TEST(nul_ends_the_text_and_nothing_more)
{
    static const char early[] = "PATH=/a\0PATH=/b\n", late[] = "\0PATH=/a\n";

    tree_write_bytes(ENVIRONMENT, early, sizeof(early) - 1);
    check_path("/a");
    tree_write_bytes(ENVIRONMENT, late, sizeof(late) - 1);
    check_path(NULL);
}
END_TEST

START_TEST(more_specific_source_wins_if_it_says_something)
{
    tree_write(ENVIRONMENT, "PATH=/environment\n");
    check_path("/environment");
    tree_write(APPTAINER, "export PATH=\"/apptainer\"\n");
    check_path("/apptainer");
    tree_write(CHARLIECLOUD, "PATH=/charliecloud\n");
    check_path("/charliecloud");
    tree_write(CHARLIECLOUD, "PATH=$HOME\n");
    check_path("/apptainer");
}
END_TEST

START_TEST(what_is_no_plain_file_is_neither_waited_for_nor_read)
{
    tree_write(ENVIRONMENT, "PATH=/a\n");
    ck_assert_int_eq(mkdirat(tree, "ch", 0755), 0);
    ck_assert_int_eq(mkfifoat(tree, CHARLIECLOUD, 0644), 0);
    check_path("/a");
    ck_assert_int_eq(unlinkat(tree, CHARLIECLOUD, 0), 0);
    ck_assert_int_eq(mkdirat(tree, CHARLIECLOUD, 0755), 0);
    check_path("/a");
}
END_TEST

START_TEST(too_long_file_is_not_read)
{
    enum { TOO_LONG = 65537 };
    cleanup_free char *text = malloc(TOO_LONG);

    ck_assert_ptr_nonnull(text);
    memset(text, '\n', TOO_LONG);
    memcpy(text, "PATH=/a\n", 8);
    tree_write_bytes(ENVIRONMENT, text, TOO_LONG - 1);
    check_path("/a");
    tree_write_bytes(ENVIRONMENT, text, TOO_LONG);
    check_path(NULL);
}
END_TEST

START_TEST(links_lead_to_files_of_the_image_alone)
{
    tree_write("inside", "PATH=/inside\n");
    ck_assert_int_eq(mkdirat(tree, "etc", 0755), 0);
    ck_assert_int_eq(symlinkat("/inside", tree, ENVIRONMENT), 0);
    check_path("/inside");
    ck_assert_int_eq(unlinkat(tree, ENVIRONMENT, 0), 0);
    ck_assert_int_eq(symlinkat("../../../../../../../../inside", tree, ENVIRONMENT), 0);
    check_path("/inside");

    static char outside[] = "/var/tmp/vitrine-test-meta.XXXXXX";
    int fd = mkstemp(outside);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "PATH=/outside\n", 14), 14);
    (void)close(fd);
    ck_assert_int_eq(unlinkat(tree, ENVIRONMENT, 0), 0);
    ck_assert_int_eq(symlinkat(outside, tree, ENVIRONMENT), 0);
    check_path(NULL);
    (void)unlink(outside);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("meta");
    TCase *tc = tcase_create("meta");

    tcase_add_checked_fixture(tc, tree_make, tree_remove);
    tcase_add_test(tc, image_without_any_of_the_files_says_nothing);
    tcase_add_test(tc, environment_file_gives_a_plain_path);
    tcase_add_test(tc, apptainers_default_syntax_is_understood);
    tcase_add_test(tc, last_plain_assignment_wins);
    tcase_add_test(tc, what_would_take_a_shell_is_passed_over);
    tcase_add_test(tc, what_is_no_absolute_path_is_passed_over);
    tcase_add_test(tc, nul_ends_the_text_and_nothing_more);
    tcase_add_test(tc, more_specific_source_wins_if_it_says_something);
    tcase_add_test(tc, what_is_no_plain_file_is_neither_waited_for_nor_read);
    tcase_add_test(tc, too_long_file_is_not_read);
    tcase_add_test(tc, links_lead_to_files_of_the_image_alone);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
