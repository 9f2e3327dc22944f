/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/remove.h"
#include "child.h"
#include "tree.h"

#include <dirent.h>
#include <signal.h>

#define DEEP 2000
#define MANY 5000

static void make_dir(const char *path, mode_t mode)
{
    tree_mkdirs(path);
    ck_assert_int_eq(mkdirat(tree, path, 0755), 0);
    ck_assert_int_eq(fchmodat(tree, path, mode, 0), 0);
}

/* What is in the tree's directory "x", or -1 if that is not there. */
static int count_entries(const char *path)
{
    int fd = openat(tree, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir)
        return -1;
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n - 2;
}

static neg_errno remove_x(void)
{
    int dir = openat(tree, "x", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc;

    ck_assert_int_ge(dir, 0);
    rc = remove_content(dir);
    (void)close(dir);
    return rc;
}

START_TEST(every_kind_of_file_goes)
{
    tree_write("x/a/file", "text");
    tree_write("x/.hidden", "text");
    tree_write("x/a name\n", "text");
    make_dir("x/empty", 0755);
    make_dir("x/a/empty", 0755);
    ck_assert_int_eq(mkfifoat(tree, "x/a/fifo", 0600), 0);
    ck_assert_int_eq(linkat(tree, "x/a/file", tree, "x/hard", 0), 0);
    ck_assert_int_eq(remove_x(), 0);
    ck_assert_int_eq(count_entries("x"), 0);
}
END_TEST

START_TEST(links_are_not_followed)
{
    tree_write("outside/file", "text");
    tree_write("x/file", "text");
    ck_assert_int_eq(symlinkat("../outside", tree, "x/dir"), 0);
    ck_assert_int_eq(symlinkat("../outside/file", tree, "x/link"), 0);
    ck_assert_int_eq(symlinkat("/", tree, "x/root"), 0);
    ck_assert_int_eq(symlinkat("nowhere", tree, "x/dangling"), 0);
    ck_assert_int_eq(remove_x(), 0);
    ck_assert_int_eq(count_entries("x"), 0);
    ck_assert_str_eq(tree_read("outside/file"), "text");
}
END_TEST

/* Two trees as deep as that, one of them with a file at each level. */
START_TEST(deep_trees_go)
{
    make_dir("x", 0755);
    for (int tree_nr = 0; tree_nr < 2; tree_nr++) {
        int at = openat(tree, "x", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        for (int i = 0; i < DEEP; i++) {
            const char *name = i == 0 && tree_nr == 1 ? "other" : "moved.0";

            ck_assert_int_eq(mkdirat(at, name, 0755), 0);
            int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            ck_assert_int_ge(next, 0);
            if (tree_nr == 1)
                (void)close(openat(next, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
            (void)close(at);
            at = next;
        }
        (void)close(at);
    }
    ck_assert_int_eq(remove_x(), 0);
    ck_assert_int_eq(count_entries("x"), 0);
}
END_TEST

START_TEST(many_files_go)
{
    char path[64];

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(path, sizeof(path), "x/%d", i);
        tree_write(path, "");
        (void)snprintf(path, sizeof(path), "x/dir.%d/file", i % 100);
        tree_write(path, "");
    }
    ck_assert_int_eq(remove_x(), 0);
    ck_assert_int_eq(count_entries("x"), 0);
}
END_TEST

static void as_user(void *arg)
{
    must(fchownat(tree, "x", CHILD_UID, CHILD_GID, 0) == 0);
    child_become_user();
    ((void (*)(void))arg)();
}

static void remove_closed(void)
{
    static const mode_t modes[] = {0, 0100, 0200, 0400, 0500, 0555, 01777};
    char path[64];

    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        (void)snprintf(path, sizeof(path), "x/%zu/y/z", i);
        for (char *p = path + 2; (p = strchr(p, '/')); p++) {
            *p = '\0';
            must(mkdirat(tree, path, 0700) == 0 || errno == EEXIST);
            *p = '/';
        }
        int fd = openat(tree, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0);
        must(fd >= 0);
        for (int level = 0; level < 2; level++) {
            *strrchr(path, '/') = '\0';
            must(fchmodat(tree, path, modes[i], 0) == 0);
        }
    }
    int x = openat(tree, "x", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(x >= 0 && remove_content(x) == 0);
    must(count_entries("x") == 0);
}

START_TEST(modes_do_not_keep_the_owner_out)
{
    make_dir("x", 0755);
    child_must(as_user, remove_closed);
}
END_TEST

static void remove_others(void)
{
    int x = openat(tree, "x", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    must(x >= 0 && remove_content(x) < 0);
    must(faccessat(tree, "x/roots/file", F_OK, 0) == 0);
    must(count_entries("x") == 1);
}

START_TEST(goes_on_after_what_it_may_not_remove)
{
    tree_write("x/roots/file", "text");
    tree_write("x/a", "text");
    tree_write("x/z", "text");
    child_must(as_user, remove_others);
    ck_assert_str_eq(tree_read("x/roots/file"), "text");
}
END_TEST

static void remove_around_mount(void *arg)
{
    char path[128];

    child_own_mounts();
    (void)snprintf(path, sizeof(path), "%s/x/mount", tree_path);
    must(mount("none", path, "tmpfs", 0, NULL) == 0);
    must((tree = open(tree_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
    tree_write("x/mount/inside", "text");
    int x = openat(tree, "x", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(remove_content(x) == -EBUSY);
    must(strcmp(tree_read("x/mount/inside"), "text") == 0);
    must(count_entries("x") == 1);
}

START_TEST(mounts_are_not_entered)
{
    tree_write("x/other/file", "text");
    make_dir("x/mount", 0755);
    child_must(remove_around_mount, NULL);
}
END_TEST

/* Somebody exchanges directories and links all the time. */
static void play(void *arg)
{
    for (;;) {
        (void)mkdirat(tree, "x/game", 0755);
        (void)mkdirat(tree, "x/game/y", 0755);
        (void)renameat(tree, "x/game", tree, "aside");
        (void)symlinkat("../outside", tree, "x/game");
        (void)unlinkat(tree, "x/game", 0);
        (void)renameat(tree, "aside", tree, "x/game");
    }
}

START_TEST(nothing_else_is_lost_in_a_race)
{
    tree_write("outside/file", "text");
    make_dir("x", 0755);
    pid_t player = fork();
    if (player == 0)
        play(NULL);
    for (int i = 0; i < 300; i++)
        (void)remove_x();
    (void)kill(player, SIGKILL);
    (void)waitpid(player, NULL, 0);
    ck_assert_str_eq(tree_read("outside/file"), "text");
    ck_assert_int_eq(remove_x(), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("remove");
    TCase *tc = tcase_create("remove");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, tree_make, tree_remove);
    tcase_add_test(tc, every_kind_of_file_goes);
    tcase_add_test(tc, links_are_not_followed);
    tcase_add_test(tc, deep_trees_go);
    tcase_add_test(tc, many_files_go);
    tcase_add_test(tc, nothing_else_is_lost_in_a_race);
    if (!child_cannot_mount()) {
        tcase_add_test(tc, modes_do_not_keep_the_owner_out);
        tcase_add_test(tc, goes_on_after_what_it_may_not_remove);
        tcase_add_test(tc, mounts_are_not_entered);
    }
    suite_add_tcase(s, tc);
    return s;
}

UNIT_MAIN(make_suite)
