/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rootfs/plan.h"
#include "base/limits.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct plan plan;

static void make_plan(void)
{
    plan_init(&plan);
}

static void free_plan(void)
{
    plan_free(&plan);
}

/* Adds each of `paths` (up to NULL) to a fresh plan and compares what it then has. */
static void check_adding(const char *const *paths, const char *expected)
{
    char got[1024] = "";
    size_t used = 0;

    for (size_t i = 0; paths[i]; i++)
        ck_assert_int_eq(plan_add(&plan, paths[i], 0), 0);
    for (size_t i = 0; i < plan.count; i++)
        used += (size_t)snprintf(got + used, sizeof(got) - used, "%s%s", i ? " " : "",
                                 plan.entries[i].path);
    ck_assert_str_eq(got, expected);
    plan_free(&plan);
    ck_assert_uint_eq(plan.count, 0);
}

START_TEST(paths_keep_the_order_in_which_they_came)
{
    check_adding((const char *const[]){"/scratch", "/home", "/apps", NULL},
                 "/scratch /home /apps");
}
END_TEST

START_TEST(entry_makes_those_below_it_needless)
{
    check_adding((const char *const[]){"/home", "/home/ada", NULL}, "/home");
    check_adding((const char *const[]){"/home", "/home", NULL}, "/home");
    check_adding((const char *const[]){"/home/ada", "/home/eve", "/home", NULL}, "/home");
    check_adding((const char *const[]){"/a/b", "/x", "/a/c/d", "/a", "/y", NULL},
                 "/x /a /y");
}
END_TEST

START_TEST(names_that_only_begin_alike_are_both_kept)
{
    check_adding((const char *const[]){"/scratch", "/scratch2", "/scratch-old", NULL},
                 "/scratch /scratch2 /scratch-old");
    check_adding((const char *const[]){"/scratch2", "/scratch", NULL},
                 "/scratch2 /scratch");
}
END_TEST

START_TEST(what_is_no_normal_path_is_passed_over)
{
    static const char *const bad[] = {
        "",       "/",       "//",         "///",    ".",      "..",       "home",
        "./home", "/home/",  "/home//ada", "/.",     "/..",    "/../home", "/home/.",
        "/a/./b", "/a/../b", "/home/",     "~/data", " /home",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ck_assert_int_eq(plan_add(&plan, bad[i], PLAN_REQUIRED), 0);
    ck_assert_int_eq(plan_add(&plan, NULL, PLAN_REQUIRED), 0);
    ck_assert_uint_eq(plan.count, 0);
}
END_TEST

START_TEST(dots_in_names_are_no_harm)
{
    check_adding((const char *const[]){"/...", "/.snapshot", "/a..b", NULL},
                 "/... /.snapshot /a..b");
}
END_TEST

START_TEST(shows_compares_whole_components)
{
    ck_assert(!plan_shows(&plan, "/home"));
    ck_assert_int_eq(plan_add(&plan, "/home/ada", 0), 0);
    ck_assert(plan_shows(&plan, "/home/ada"));
    ck_assert(plan_shows(&plan, "/home/ada/bin"));
    ck_assert(!plan_shows(&plan, "/home/ada2"));
    ck_assert(!plan_shows(&plan, "/home"));
    ck_assert(!plan_shows(&plan, "/"));
}
END_TEST

START_TEST(flags_and_empty_descriptors_are_kept)
{
    ck_assert_int_eq(plan_add(&plan, "/proc", PLAN_REQUIRED | PLAN_COVERS), 0);
    ck_assert_int_eq(plan_add(&plan, "/proc", 0), 0);
    ck_assert_uint_eq(plan.count, 1);
    ck_assert_uint_eq(plan.entries[0].flags, PLAN_REQUIRED | PLAN_COVERS);
    ck_assert_int_eq(plan.entries[0].tree, -1);
    ck_assert_int_eq(plan.entries[0].point, -1);
}
END_TEST

START_TEST(entries_own_their_descriptors)
{
    int tree = open("/", O_PATH | O_CLOEXEC), point = open("/", O_PATH | O_CLOEXEC);

    ck_assert_int_eq(plan_add(&plan, "/home/ada", 0), 0);
    plan.entries[0].tree = tree;
    plan.entries[0].point = point;
    ck_assert_int_eq(plan_add(&plan, "/home", 0), 0);
    ck_assert_int_lt(fcntl(tree, F_GETFD), 0);
    ck_assert_int_lt(fcntl(point, F_GETFD), 0);

    plan.entries[0].tree = open("/", O_PATH | O_CLOEXEC);
    tree = plan.entries[0].tree;
    plan_free(&plan);
    ck_assert_int_lt(fcntl(tree, F_GETFD), 0);
}
END_TEST

START_TEST(full_plan_refuses_more_and_keeps_what_it_has)
{
    char path[32];

    for (int i = 0; i < LIMIT_BINDS; i++) {
        (void)snprintf(path, sizeof(path), "/mnt/%d", i);
        ck_assert_int_eq(plan_add(&plan, path, 0), 0);
    }
    ck_assert_int_eq(plan_add(&plan, "/one-too-many", 0), -E2BIG);
    ck_assert_uint_eq(plan.count, LIMIT_BINDS);
    ck_assert(!plan_shows(&plan, "/one-too-many"));
    /* What is shown already, and what is passed over, needs no room. */
    ck_assert_int_eq(plan_add(&plan, "/mnt/7/sub", 0), 0);
    ck_assert_int_eq(plan_add(&plan, "not-a-path", 0), 0);
}
END_TEST

START_TEST(directories_of_an_operating_system_are_known)
{
    static const char *const os[] = {"/usr", "/usr/local/cuda", "/bin",         "/lib64",
                                     "/etc", "/opt/intel",      "/var/lib/foo", "/run",
                                     "/root"};
    static const char *const not_os[] = {"/",     "/home",    "/scratch",  "/usr2",
                                         "/opts", "/library", "/mnt",      "/data/usr",
                                         "/srv",  "/tmp",     "/home/etc", "/apps"};

    for (size_t i = 0; i < sizeof(os) / sizeof(*os); i++)
        ck_assert_msg(plan_os_owned(os[i]), "%s", os[i]);
    for (size_t i = 0; i < sizeof(not_os) / sizeof(*not_os); i++)
        ck_assert_msg(!plan_os_owned(not_os[i]), "%s", not_os[i]);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("plan");
    TCase *tc = tcase_create("plan");

    tcase_add_checked_fixture(tc, make_plan, free_plan);
    tcase_add_test(tc, paths_keep_the_order_in_which_they_came);
    tcase_add_test(tc, entry_makes_those_below_it_needless);
    tcase_add_test(tc, names_that_only_begin_alike_are_both_kept);
    tcase_add_test(tc, what_is_no_normal_path_is_passed_over);
    tcase_add_test(tc, dots_in_names_are_no_harm);
    tcase_add_test(tc, shows_compares_whole_components);
    tcase_add_test(tc, flags_and_empty_descriptors_are_kept);
    tcase_add_test(tc, entries_own_their_descriptors);
    tcase_add_test(tc, full_plan_refuses_more_and_keeps_what_it_has);
    tcase_add_test(tc, directories_of_an_operating_system_are_known);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
