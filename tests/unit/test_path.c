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

START_TEST(missing_mount_points_are_made_with_plain_modes)
{
    struct stat st;

    umask(077);
    cleanup_fd int dir = path_make_in_root(root, "/a/b/c", S_IFDIR, getuid());
    cleanup_fd int file = path_make_in_root(root, "/a/f", S_IFREG, getuid());
    ck_assert_int_ge(dir, 0);
    ck_assert_int_ge(file, 0);
    fstat(dir, &st);
    ck_assert_int_eq(st.st_mode, S_IFDIR | 0755);
    fstat(file, &st);
    ck_assert_int_eq(st.st_mode, S_IFREG | 0644);
}
END_TEST

START_TEST(existing_mount_points_are_left_alone)
{
    struct stat st;

    ck_assert_int_eq(mkdirat(root, "kept", 0710), 0);
    cleanup_fd int fd = path_make_in_root(root, "/kept", S_IFDIR, getuid());
    ck_assert_int_ge(fd, 0);
    fstat(fd, &st);
    ck_assert_int_eq(st.st_mode & 07777, 0710);
}
END_TEST

START_TEST(mount_points_follow_links_inside_the_root)
{
    struct stat there, got;

    ck_assert_int_eq(mkdirat(root, "usr", 0755), 0);
    ck_assert_int_eq(symlinkat("/usr", root, "link"), 0);
    cleanup_fd int fd = path_make_in_root(root, "/link/x", S_IFDIR, getuid());
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstatat(root, "usr/x", &there, 0), 0);
    fstat(fd, &got);
    ck_assert_uint_eq(there.st_ino, got.st_ino);
}
END_TEST

START_TEST(dangling_link_gives_way_to_the_mount_point)
{
    struct stat st;

    ck_assert_int_eq(symlinkat("/nowhere/at/all", root, "gone"), 0);
    cleanup_fd int fd = path_make_in_root(root, "/gone/x", S_IFDIR, getuid());
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstatat(root, "gone", &st, AT_SYMLINK_NOFOLLOW), 0);
    ck_assert(S_ISDIR(st.st_mode));
}
END_TEST

START_TEST(wrong_types_are_refused)
{
    close(openat(root, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    ck_assert_int_eq(mkdirat(root, "dir", 0755), 0);
    ck_assert_int_eq(path_make_in_root(root, "/file", S_IFDIR, getuid()), -ENOTDIR);
    ck_assert_int_eq(path_make_in_root(root, "/file/x", S_IFDIR, getuid()), -ENOTDIR);
    ck_assert_int_eq(path_make_in_root(root, "/dir", S_IFREG, getuid()), -EISDIR);
    ck_assert_int_eq(path_make_in_root(root, "/a/../b", S_IFDIR, getuid()), -ENOENT);
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
    tcase_add_test(tc, missing_mount_points_are_made_with_plain_modes);
    tcase_add_test(tc, existing_mount_points_are_left_alone);
    tcase_add_test(tc, mount_points_follow_links_inside_the_root);
    tcase_add_test(tc, dangling_link_gives_way_to_the_mount_point);
    tcase_add_test(tc, wrong_types_are_refused);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
