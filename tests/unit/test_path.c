/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/path.h"
#include "base/cleanup.h"
#include "unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

static char root_path[] = "/tmp/vitrine-test-path.XXXXXX";
static int root = -1;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static void make_root(void)
{
    ck_assert_ptr_nonnull(mkdtemp(root_path));
    root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(root, 0);
}

static void remove_root(void)
{
    close(root);
    nftw(root_path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

START_TEST(below_compares_whole_components)
{
    ck_assert(path_is_below("/scratch/a", "/scratch"));
    ck_assert(path_is_below("/scratch", "/scratch"));
    ck_assert(path_is_below("/scratch", "/"));
    ck_assert(!path_is_below("/scratch2", "/scratch"));
    ck_assert(!path_is_below("/scratch", "/scratch/a"));
    ck_assert(!path_is_below("/", "/scratch"));
}
END_TEST

START_TEST(only_clean_absolute_paths_are_normal)
{
    static const char *const good[] = {"/", "/a", "/a/b.c", "/...", "/a/.b"};
    static const char *const bad[] = {"",      "a",  "./a",   "//",   "/a/",
                                      "/a//b", "/.", "/a/..", "/../a"};

    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        ck_assert_msg(path_is_normal(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ck_assert_msg(!path_is_normal(bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(links_and_dotdot_stay_in_root)
{
    struct stat at_root, got;

    ck_assert_int_eq(symlinkat("../../../..", root, "up"), 0);
    ck_assert_int_eq(symlinkat("/", root, "slash"), 0);
    fstat(root, &at_root);
    static const char *const paths[] = {"/",  "..",    "/../..",
                                        "up", "slash", "/up/slash/.."};
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        cleanup_fd int fd = path_open_in_root(root, paths[i], O_PATH);
        ck_assert_msg(fd >= 0, "%s", paths[i]);
        fstat(fd, &got);
        ck_assert_msg(got.st_ino == at_root.st_ino, "%s escaped", paths[i]);
    }
}
END_TEST

START_TEST(path_is_split_at_its_last_name)
{
    static const struct {
        const char *path, *dir, *name;
        int rc;
    } cases[] = {
        {"a", ".", "a", 0},      {"/a", "/", "a", 0},       {"/a/b", "/a/", "b", 0},
        {"a/b//", "a/", "b", 0}, {"../x", "../", "x", 0},   {"", "", "", -ENOENT},
        {"/", "", "", -ENOENT},  {"a/..", "", "", -ENOENT}, {"a/.", "", "", -ENOENT},
        {"...", ".", "...", 0},  {"./", "", "", -ENOENT},
    };
    char dir[PATH_MAX], name[NAME_MAX + 1], longest[NAME_MAX + 2];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ck_assert_msg(path_split(cases[i].path, dir, name) == cases[i].rc, "%s",
                      cases[i].path);
        if (cases[i].rc == 0)
            ck_assert_msg(strcmp(dir, cases[i].dir) == 0 &&
                              strcmp(name, cases[i].name) == 0,
                          "%s: %s %s", cases[i].path, dir, name);
    }
    memset(longest, 'x', sizeof(longest));
    longest[NAME_MAX + 1] = '\0';
    ck_assert_int_eq(path_split(longest, dir, name), -ENAMETOOLONG);
    longest[NAME_MAX] = '\0';
    ck_assert_int_eq(path_split(longest, dir, name), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("path");
    TCase *tc = tcase_create("path");

    tcase_add_checked_fixture(tc, make_root, remove_root);
    tcase_add_test(tc, below_compares_whole_components);
    tcase_add_test(tc, only_clean_absolute_paths_are_normal);
    tcase_add_test(tc, links_and_dotdot_stay_in_root);
    tcase_add_test(tc, path_is_split_at_its_last_name);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
