/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "environ/searchpath.h"
#include "base/cleanup.h"
#include "unit.h"

#include <stdint.h>
#include <string.h>

/* Host paths under /home, /apps and /scratch are seen inside. */
static bool is_seen(void *arg, const char *dir)
{
    ck_assert_ptr_nonnull(dir);
    return strncmp(dir, "/home/", 6) == 0 || strncmp(dir, "/apps/", 6) == 0 ||
           strcmp(dir, "/scratch") == 0;
}

struct path_case {
    const char *host, *venv, *image, *expected;
};

static void check_all(const struct path_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *got = searchpath_merge(cases[i].image, cases[i].host,
                                                  cases[i].venv, NULL, is_seen, NULL);

        ck_assert_msg(got && strcmp(got, cases[i].expected) == 0,
                      "case %zu: %s instead of %s", i, got ? got : "nothing",
                      cases[i].expected);
    }
}

#define CHECK_ALL(cases) check_all(cases, sizeof(cases) / sizeof(*(cases)))

START_TEST(image_comes_first_and_the_hosts_system_is_dropped)
{
    static const struct path_case cases[] = {
        {"/usr/bin:/bin", NULL, "/opt/conda/bin:/usr/bin", "/opt/conda/bin:/usr/bin"},
        {"/home/ada/bin:/usr/bin", NULL, "/usr/bin", "/usr/bin:/home/ada/bin"},
        {"/apps/b/bin:/usr/bin:/apps/a/bin", NULL, "/bin",
         "/bin:/apps/b/bin:/apps/a/bin"},
        {"/usr/local/cuda/bin:/scratch", NULL, "/bin", "/bin:/scratch"},
        {"/home", NULL, "/bin", "/bin"},
        {NULL, NULL, "/bin", "/bin"},
        {"", NULL, "/bin", "/bin"},
    };

    CHECK_ALL(cases);
}
END_TEST

START_TEST(silent_image_has_the_standard_directories)
{
    static const struct path_case cases[] = {
        {NULL, NULL, NULL, SEARCHPATH_DEFAULT},
        {NULL, NULL, "", SEARCHPATH_DEFAULT},
        {"/usr/bin:/home/ada/bin", NULL, NULL, SEARCHPATH_DEFAULT ":/home/ada/bin"},
    };

    CHECK_ALL(cases);
}
END_TEST

START_TEST(odd_elements_of_the_hosts_path_are_dropped)
{
    static const struct path_case cases[] = {
        {":", NULL, "/bin", "/bin"},
        {":::", NULL, "/bin", "/bin"},
        {"::/home/ada/bin::", NULL, "/bin", "/bin:/home/ada/bin"},
        {".:..:bin:home/ada", NULL, "/bin", "/bin"},
        {"~/bin:$HOME/bin", NULL, "/bin", "/bin"},
        {"/", NULL, "/bin", "/bin"},
        {"/home/ada/bin:", NULL, "/bin", "/bin:/home/ada/bin"},
        {" /home/ada", NULL, "/bin", "/bin"},
    };

    CHECK_ALL(cases);
}
END_TEST

START_TEST(what_the_image_names_keeps_the_images_place)
{
    static const struct path_case cases[] = {
        {"/apps/x/bin:/home/a/bin", NULL, "/apps/x/bin:/bin",
         "/apps/x/bin:/bin:/home/a/bin"},
        {"/apps/x", NULL, "/apps/x/bin", "/apps/x/bin:/apps/x"},
        {"/apps/x/bin", NULL, "/apps/x", "/apps/x:/apps/x/bin"},
        {"/home/a/bin", NULL, "/bin:/home/a/bin", "/bin:/home/a/bin"},
    };

    CHECK_ALL(cases);
}
END_TEST

START_TEST(active_virtual_environment_stays_in_front)
{
    static const struct path_case cases[] = {
        {"/home/a/venv/bin:/usr/bin", "/home/a/venv", "/bin", "/home/a/venv/bin:/bin"},
        {"/home/a/bin:/home/a/venv/bin", "/home/a/venv", "/bin",
         "/home/a/venv/bin:/bin:/home/a/bin"},
    };

    CHECK_ALL(cases);
}
END_TEST

START_TEST(other_virtual_environments_change_nothing)
{
    static const struct path_case cases[] = {
        {"/usr/bin", "/home/a/venv", "/bin", "/bin"}, /* not in PATH */
        {NULL, "/home/a/venv", "/bin", "/bin"},
        {"/usr/venv/bin", "/usr/venv", "/bin", "/bin"}, /* not seen inside */
        {"/home/a/venv/bin2", "/home/a/venv", "/bin", "/bin:/home/a/venv/bin2"},
        {"/home/a/venv", "/home/a/venv", "/bin", "/bin:/home/a/venv"},
        {"/home/a/bin", "", "/bin", "/bin:/home/a/bin"},
        {"venv/bin", "venv", "/bin", "/bin"},
    };

    CHECK_ALL(cases);
}
END_TEST

START_TEST(long_lists_are_kept_whole)
{
    enum { COUNT = 2000, STEP = sizeof(":/home/dddddddd") - 1 };
    cleanup_free char *host = malloc(COUNT * STEP + 1);
    cleanup_free char *expected = malloc(COUNT * STEP + sizeof("/bin"));

    ck_assert(host && expected);
    for (unsigned i = 0; i < COUNT; i++)
        (void)snprintf(host + i * STEP, STEP + 1, ":/home/%08u", i % COUNT);
    (void)snprintf(expected, COUNT * STEP + sizeof("/bin"), "/bin%s", host);
    const struct path_case cases[] = {{host, NULL, "/bin", expected}};
    CHECK_ALL(cases);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("searchpath");
    TCase *tc = tcase_create("searchpath");

    tcase_add_test(tc, image_comes_first_and_the_hosts_system_is_dropped);
    tcase_add_test(tc, silent_image_has_the_standard_directories);
    tcase_add_test(tc, odd_elements_of_the_hosts_path_are_dropped);
    tcase_add_test(tc, what_the_image_names_keeps_the_images_place);
    tcase_add_test(tc, active_virtual_environment_stays_in_front);
    tcase_add_test(tc, other_virtual_environments_change_nothing);
    tcase_add_test(tc, long_lists_are_kept_whole);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
