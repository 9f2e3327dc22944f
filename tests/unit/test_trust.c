/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/trust.h"
#include "base/cleanup.h"
#include "child.h"
#include "images.h"

#include <fcntl.h>

/* A directory that every machine has and whose parent is root's alone; the tests see a
 * file system of their own there. */
#define TOP   "/mnt"
#define DIR   TOP "/apps"
#define IMAGE DIR "/x.sqfs"

/* Some user, and the administrator's software account. */
#define SOMEBODY 54321
#define SOFTWARE 54322

static void make_file(const char *path, uid_t owner, mode_t mode)
{
    cleanup_fd int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    ck_assert_msg(fd >= 0, "%s", path);
    ck_assert_int_eq(fchown(fd, owner, 0), 0);
    ck_assert_int_eq(fchmod(fd, mode), 0);
}

static void make_dir(const char *path, uid_t owner, mode_t mode)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(chown(path, owner, 0), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

/* Everything trusted; runs in the process of each test, whose mounts end with it. */
static void make_top(void)
{
    child_own_mounts();
    ck_assert_int_eq(mount("none", TOP, "tmpfs", 0, "mode=755"), 0);
    make_dir(DIR, 0, 0755);
    make_file(IMAGE, 0, 0644);
}

static void check_fd(int fd, bool expected, const char *words)
{
    static const uid_t owners[] = {1, SOFTWARE};
    struct vitrine_error why = {0};
    bool got = image_is_trusted(fd, owners, ARRAY_SIZE(owners), &why);

    ck_assert_msg(got == expected, "%s: %s", words ? words : "trusted", why.text);
    ck_assert_msg(!words || strstr(why.text, words), "\"%s\" is not in \"%s\"", words,
                  why.text);
    ck_assert_msg(!words || why.code == VITRINE_EPOLICY, "%s", why.text);
}

static void check_path(const char *path, bool expected, const char *words)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_msg(fd >= 0, "%s", path);
    check_fd(fd, expected, words);
}

#define check_trusted(path)        check_path(path, true, NULL)
#define check_refused(path, words) check_path(path, false, words)

START_TEST(roots_file_below_roots_directories_is_trusted)
{
    static const mode_t modes[] = {0644, 0600, 0444, 0755, 04755};

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        ck_assert_int_eq(chmod(IMAGE, modes[i]), 0);
        check_trusted(IMAGE);
    }
}
END_TEST

/* Whoever opened it before root took it over can still change it. */
START_TEST(file_that_somebody_can_write_is_not)
{
    cleanup_fd int writer = open(IMAGE, O_WRONLY | O_CLOEXEC);

    check_refused(IMAGE, IMAGE " is open for writing");
    (void)close(steal_fd(&writer));
    check_trusted(IMAGE);
}
END_TEST

START_TEST(owners_that_the_administrator_names_are_trusted)
{
    ck_assert_int_eq(chown(IMAGE, SOFTWARE, 0), 0);
    check_trusted(IMAGE);
    ck_assert_int_eq(chown(DIR, 1, 0), 0);
    check_trusted(IMAGE);

    cleanup_fd int fd = open(IMAGE, O_RDONLY | O_CLOEXEC);
    ck_assert(!image_is_trusted(fd, NULL, 0, NULL));
}
END_TEST

START_TEST(file_of_somebody_else_is_not)
{
    ck_assert_int_eq(chown(IMAGE, SOMEBODY, 0), 0);
    check_refused(IMAGE, IMAGE " belongs to a user who is not trusted");
    ck_assert_int_eq(chmod(IMAGE, 0444), 0);
    check_refused(IMAGE, IMAGE " belongs to a user");
}
END_TEST

START_TEST(file_that_others_can_write_is_not)
{
    static const mode_t modes[] = {0664, 0646, 0666, 0620, 0602, 01666};

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        ck_assert_int_eq(chmod(IMAGE, modes[i]), 0);
        check_refused(IMAGE, IMAGE " can be written by its group or by others");
    }
}
END_TEST

START_TEST(every_directory_above_counts)
{
    static const mode_t modes[] = {0775, 0757, 01777, 02775, 0777};

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        ck_assert_int_eq(chmod(DIR, modes[i]), 0);
        check_refused(IMAGE, DIR " can be written");
        ck_assert_int_eq(chmod(DIR, 0755), 0);
        ck_assert_int_eq(chmod(TOP, modes[i]), 0);
        check_refused(IMAGE, TOP " can be written");
        ck_assert_int_eq(chmod(TOP, 0755), 0);
    }
    ck_assert_int_eq(chown(DIR, SOMEBODY, 0), 0);
    check_refused(IMAGE, DIR " belongs to a user");
    ck_assert_int_eq(chown(DIR, 0, 0), 0);
    ck_assert_int_eq(chown(TOP, SOMEBODY, 0), 0);
    check_refused(IMAGE, TOP " belongs to a user");
}
END_TEST

START_TEST(the_way_that_was_opened_counts_not_the_file_alone)
{
    make_dir(TOP "/home", SOMEBODY, 0755);
    ck_assert_int_eq(link(IMAGE, TOP "/home/link"), 0);
    check_refused(TOP "/home/link", TOP "/home belongs to a user");
    check_trusted(IMAGE);
}
END_TEST

START_TEST(links_on_the_way_do_not_count)
{
    make_dir(TOP "/home", SOMEBODY, 0755);
    ck_assert_int_eq(symlink(IMAGE, TOP "/home/symlink"), 0);
    check_trusted(TOP "/home/symlink");
    ck_assert_int_eq(symlink("../apps", TOP "/home/apps"), 0);
    check_trusted(TOP "/home/apps/x.sqfs");
    /* And the other way round. */
    make_file(TOP "/home/own", SOMEBODY, 0644);
    ck_assert_int_eq(symlink(TOP "/home/own", DIR "/symlink"), 0);
    check_refused(DIR "/symlink", "belongs to a user");
}
END_TEST

START_TEST(file_that_was_moved_is_judged_where_it_is)
{
    cleanup_fd int fd = open(IMAGE, O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(rename(IMAGE, DIR "/y.sqfs"), 0);
    check_fd(fd, true, NULL);
    make_dir(TOP "/home", SOMEBODY, 0755);
    ck_assert_int_eq(rename(DIR "/y.sqfs", TOP "/home/y.sqfs"), 0);
    check_fd(fd, false, TOP "/home belongs to a user");
}
END_TEST

START_TEST(deleted_file_is_not_trusted)
{
    cleanup_fd int fd = open(IMAGE, O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(unlink(IMAGE), 0);
    check_fd(fd, false, "deleted");
    make_file(IMAGE, 0, 0644);
    check_fd(fd, false, "deleted");
    make_file(IMAGE " (deleted)", 0, 0644);
    check_fd(fd, false, "deleted");
}
END_TEST

START_TEST(another_name_does_not_help_a_file_whose_own_is_gone)
{
    cleanup_fd int fd = open(IMAGE, O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(link(IMAGE, DIR "/other"), 0);
    ck_assert_int_eq(unlink(IMAGE), 0);
    check_fd(fd, false, "cannot be opened");
    /* What now has the name that the kernel tells is another file. */
    make_file(IMAGE " (deleted)", 0, 0644);
    check_fd(fd, false, "is no longer the file that was opened");
}
END_TEST

START_TEST(strange_names_are_names)
{
    static const char *const names[] = {DIR "/x (deleted)", DIR "/ ", DIR "/a\nb",
                                        DIR "/...", DIR "/(unreachable)"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        make_file(names[i], 0, 0644);
        check_trusted(names[i]);
        ck_assert_int_eq(chmod(names[i], 0666), 0);
        check_refused(names[i], "can be written");
    }
}
END_TEST

START_TEST(what_has_no_path_is_not_trusted)
{
    int ends[2];
    cleanup_fd int memory = images_file("x", 1);

    ck_assert_int_eq(pipe(ends), 0);
    check_fd(ends[0], false, "has no path");
    check_fd(-1, false, "has no path");
    check_fd(9999, false, "has no path");
    check_fd(memory, false, "");
}
END_TEST

START_TEST(directories_and_devices_are_no_image_files)
{
    check_refused(DIR, "is no file");
    ck_assert_int_eq(mknod(TOP "/null", S_IFCHR | 0644, 0), 0);
    cleanup_fd int fd = open(TOP "/null", O_PATH | O_CLOEXEC);
    check_fd(fd, false, "is no file");
}
END_TEST

START_TEST(file_outside_of_the_root_is_not_trusted)
{
    cleanup_fd int fd = open(IMAGE, O_RDONLY | O_CLOEXEC);

    make_dir(TOP "/root", 0, 0755);
    make_dir(TOP "/root/proc", 0, 0755);
    ck_assert_int_eq(mount("none", TOP "/root/proc", "proc", 0, NULL), 0);
    ck_assert_int_eq(chroot(TOP "/root"), 0);
    check_fd(fd, false, TOP " cannot be opened");
    make_dir(TOP, 0, 0755);
    make_dir(DIR, 0, 0755);
    make_file(IMAGE, 0, 0644);
    check_fd(fd, false, "is no longer the file that was opened");
}
END_TEST

static void judge_as_user(void *arg)
{
    const bool *expected = arg;
    cleanup_fd int fd = open(IMAGE, O_RDONLY | O_CLOEXEC);

    must(fd >= 0);
    child_become_user();
    must(image_is_trusted(fd, NULL, 0, NULL) == *expected);
}

START_TEST(user_sees_the_same_or_is_not_believed)
{
    bool expected = true;

    child_must(judge_as_user, &expected);
    ck_assert_int_eq(chmod(IMAGE, 0600), 0); /* open already */
    child_must(judge_as_user, &expected);
    ck_assert_int_eq(chmod(DIR, 0700), 0);
    expected = false;
    child_must(judge_as_user, &expected);
}
END_TEST

START_TEST(long_paths_end_in_refusal)
{
    char name[201];
    int at = open(DIR, O_PATH | O_CLOEXEC);

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    /* Beyond PATH_MAX, where readlink() of /proc gives ENAMETOOLONG. */
    for (int i = 0; i < 25; i++) {
        ck_assert_int_eq(mkdirat(at, name, 0755), 0);
        int next = openat(at, name, O_PATH | O_CLOEXEC);
        ck_assert_int_ge(next, 0);
        close(at);
        at = next;
    }
    cleanup_fd int fd = openat(at, "x", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    check_fd(fd, false, "has no path");
    close(at);
}
END_TEST

/* As the account that shares its cache has it; what is opened is judged by a user who can
 * see neither. */
START_TEST(file_in_a_closed_directory_of_its_owners_is_his)
{
    static const struct {
        const char *top; /* the directory that is named */
        uid_t dir, file;
        mode_t dir_mode, file_mode;
        const char *words;
    } cases[] = {
        {DIR, SOFTWARE, SOFTWARE, 0755, 0400, NULL},
        {DIR, 0, SOFTWARE, 0755, 0400, NULL},
        {DIR, SOFTWARE, 0, 0755, 0444, NULL},
        {DIR, SOFTWARE, SOMEBODY, 0755, 0400, "belongs to a user who is not trusted"},
        {DIR, SOFTWARE, SOFTWARE, 0755, 0420, "can be written"},
        {DIR, SOMEBODY, SOFTWARE, 0755, 0400, DIR " belongs to a user who is not"},
        {DIR, SOFTWARE, SOFTWARE, 01777, 0400, DIR " can be written"},
        {DIR "/images/x", SOFTWARE, SOFTWARE, 0755, 0400, "cannot be opened"},
        {DIR "/other", SOFTWARE, SOFTWARE, 0755, 0400, "is not in the directory"},
        {"/usr", SOFTWARE, SOFTWARE, 0755, 0400, "is not in the directory"},
    };

    make_dir(DIR "/images", SOFTWARE, 0700);
    make_dir(DIR "/other", SOFTWARE, 0700);
    make_file(DIR "/images/x", SOFTWARE, 0400);
    cleanup_fd int fd = open(DIR "/images/x", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(setegid(SOMEBODY), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct vitrine_error why = {0};

        ck_assert_int_eq(seteuid(0), 0);
        ck_assert_int_eq(chown(DIR, cases[i].dir, 0), 0);
        ck_assert_int_eq(chmod(DIR, cases[i].dir_mode), 0);
        ck_assert_int_eq(fchown(fd, cases[i].file, 0), 0);
        ck_assert_int_eq(fchmod(fd, cases[i].file_mode), 0);
        ck_assert_int_eq(seteuid(SOMEBODY), 0);
        bool got = image_is_trusted_below(fd, cases[i].top, SOFTWARE, &why);
        ck_assert_msg(got == !cases[i].words, "%zu: %s", i, why.text);
        ck_assert_msg(got || strstr(why.text, cases[i].words), "%s", why.text);
    }
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(unlink(DIR "/images/x"), 0);
    ck_assert(!image_is_trusted_below(fd, DIR, SOFTWARE, NULL));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("trust");
    TCase *tc = tcase_create("trust");

    tcase_add_checked_fixture(tc, make_top, NULL);
    tcase_add_test(tc, roots_file_below_roots_directories_is_trusted);
    tcase_add_test(tc, file_that_somebody_can_write_is_not);
    tcase_add_test(tc, owners_that_the_administrator_names_are_trusted);
    tcase_add_test(tc, file_of_somebody_else_is_not);
    tcase_add_test(tc, file_that_others_can_write_is_not);
    tcase_add_test(tc, every_directory_above_counts);
    tcase_add_test(tc, the_way_that_was_opened_counts_not_the_file_alone);
    tcase_add_test(tc, links_on_the_way_do_not_count);
    tcase_add_test(tc, file_that_was_moved_is_judged_where_it_is);
    tcase_add_test(tc, deleted_file_is_not_trusted);
    tcase_add_test(tc, another_name_does_not_help_a_file_whose_own_is_gone);
    tcase_add_test(tc, strange_names_are_names);
    tcase_add_test(tc, what_has_no_path_is_not_trusted);
    tcase_add_test(tc, directories_and_devices_are_no_image_files);
    tcase_add_test(tc, file_outside_of_the_root_is_not_trusted);
    tcase_add_test(tc, user_sees_the_same_or_is_not_believed);
    tcase_add_test(tc, long_paths_end_in_refusal);
    tcase_add_test(tc, file_in_a_closed_directory_of_its_owners_is_his);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(child_cannot_mount, make_suite)
