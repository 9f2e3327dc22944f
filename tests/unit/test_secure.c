/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who must have written vitrine.conf: secure_check() as config_load() uses it. */
#include "config/config.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "child.h"
#include "unit.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534

static char dir[] = "/tmp/vitrine-test-config.XXXXXX";
static char path[128], message[256];

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(name);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void make_file(void)
{
    umask(022);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/vitrine.conf", dir);
    write_file(path, "Image=/x\n");
}

static void remove_file(void)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void accept_file(const char *name)
{
    struct vitrine_error err = {0};
    struct config *config;

    ck_assert_msg(config_load(name, true, &config, &err) == 0, "%s", err.text);
    ck_assert_str_eq(config->global.image, "/x");
    config_free(config);
}

/* Also where the file need not exist: it does. */
static void refuse_file(const char *name, const char *expected)
{
    for (int must_exist = 0; must_exist < 2; must_exist++) {
        struct vitrine_error err = {0};
        struct config *config = NULL;

        ck_assert_int_eq(config_load(name, must_exist, &config, &err), -1);
        ck_assert_ptr_null(config);
        ck_assert_str_eq(err.text, expected);
        ck_assert_int_eq(err.code, VITRINE_ECONFIG);
    }
}

static const char *about(const char *name, const char *rest)
{
    (void)snprintf(message, sizeof(message), "%s %s", name, rest);
    return message;
}

START_TEST(file_of_root_is_read)
{
    accept_file(path);
    ck_assert_int_eq(chmod(path, 0600), 0);
    accept_file(path);
}
END_TEST

START_TEST(mistake_in_a_file_is_told_with_its_path)
{
    write_file(path, "#\nImgae=/x\n");
    (void)snprintf(message, sizeof(message),
                   "%s:2: unknown key 'Imgae'; did you mean 'Image'?", path);
    refuse_file(path, message);
}
END_TEST

START_TEST(missing_file_gives_defaults_unless_it_must_exist)
{
    struct vitrine_error err;
    struct config *config;

    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(config_load(path, false, &config, &err), 0);
    ck_assert_ptr_null(config->global.image);
    config_free(config);
    ck_assert_int_eq(config_load(path, true, &config, &err), -1);
    (void)snprintf(message, sizeof(message), "cannot open %s: No such file or directory",
                   path);
    ck_assert_str_eq(err.text, message);
    ck_assert_int_eq(config_load("/no/such/directory/x", false, &config, &err), 0);
    config_free(config);
}
END_TEST

START_TEST(link_to_nothing_is_an_error)
{
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("/no/such/directory/x", path), 0);
    (void)snprintf(message, sizeof(message), "cannot open %s: No such file or directory",
                   path);
    refuse_file(path, message);
}
END_TEST

START_TEST(file_that_others_can_write_is_refused)
{
    ck_assert_int_eq(chmod(path, 0664), 0);
    refuse_file(path, about(path, "must not be writable by group or others, but has mode "
                                  "0664"));
    ck_assert_int_eq(chmod(path, 0646), 0);
    refuse_file(path, about(path, "must not be writable by group or others, but has mode "
                                  "0646"));
}
END_TEST

START_TEST(file_of_another_user_is_refused)
{
    ck_assert_int_eq(chown(path, NOBODY, 0), 0);
    refuse_file(path, about(path, "must belong to root, but belongs to uid 65534"));
}
END_TEST

START_TEST(directory_that_others_can_write_is_refused)
{
    static const mode_t modes[] = {0775, 0757, 01777};

    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        char rest[80];

        ck_assert_int_eq(chmod(dir, modes[i]), 0);
        (void)snprintf(rest, sizeof(rest),
                       "must not be writable by group or others, but has mode %04o",
                       (unsigned)modes[i]);
        refuse_file(path, about(dir, rest));
    }
}
END_TEST

START_TEST(directory_of_another_user_is_refused)
{
    ck_assert_int_eq(chown(dir, NOBODY, 0), 0);
    refuse_file(path, about(dir, "must belong to root, but belongs to uid 65534"));
}
END_TEST

START_TEST(directory_further_above_is_checked_too)
{
    char sub[80], file[96];

    (void)snprintf(sub, sizeof(sub), "%s/sub", dir);
    (void)snprintf(file, sizeof(file), "%s/vitrine.conf", sub);
    ck_assert_int_eq(mkdir(sub, 0755), 0);
    write_file(file, "Image=/x\n");
    accept_file(file);
    ck_assert_int_eq(chmod(dir, 0777), 0);
    refuse_file(file, about(dir, "must not be writable by group or others, but has mode "
                                 "0777"));
    /* As in /tmp, nobody can put anything else in the place of root's directory. */
    ck_assert_int_eq(chmod(dir, 01777), 0);
    accept_file(file);
}
END_TEST

START_TEST(link_is_followed_and_both_ends_are_checked)
{
    char sub[80], link[96];

    (void)snprintf(sub, sizeof(sub), "%s/sub", dir);
    (void)snprintf(link, sizeof(link), "%s/link.conf", sub);
    ck_assert_int_eq(mkdir(sub, 0755), 0);
    ck_assert_int_eq(symlink("../vitrine.conf", link), 0);
    accept_file(link);
    ck_assert_int_eq(chown(sub, NOBODY, 0), 0);
    refuse_file(link, about(sub, "must belong to root, but belongs to uid 65534"));
    ck_assert_int_eq(chown(sub, 0, 0), 0);

    ck_assert_int_eq(unlink(link), 0);
    (void)snprintf(link, sizeof(link), "%s/link.conf", dir);
    ck_assert_int_eq(symlink("sub/vitrine.conf", link), 0);
    (void)snprintf(path, sizeof(path), "%s/vitrine.conf", sub);
    write_file(path, "Image=/x\n");
    accept_file(link);
    ck_assert_int_eq(chmod(sub, 0777), 0);
    refuse_file(link, about(sub, "must not be writable by group or others, but has mode "
                                 "0777"));
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    char name[80];

    refuse_file(dir, about(dir, "is not a regular file"));
    refuse_file("/dev/zero", "/dev/zero is not a regular file");
    refuse_file("/proc/self/cmdline", "/proc/self/cmdline is no file that anybody wrote");
    (void)snprintf(name, sizeof(name), "%s/fifo", dir);
    ck_assert_int_eq(mkfifo(name, 0600), 0);
    refuse_file(name, about(name, "is not a regular file"));
}
END_TEST

START_TEST(file_over_the_limit_is_refused)
{
    ck_assert_int_eq(truncate(path, LIMIT_CONFIG_SIZE + 1), 0);
    refuse_file(path, about(path, "is longer than 1048576 bytes"));
}
END_TEST

START_TEST(relative_path_is_refused)
{
    ck_assert_int_eq(chdir(dir), 0);
    refuse_file("vitrine.conf", "vitrine.conf is not a usable absolute path");
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

/* Only root can make what passes the checks, and only in the host's user namespace what
 * does not. */
static const char *needs_root(void)
{
    cleanup_fd int fd = memfd_create("test", MFD_CLOEXEC);
    struct stat st;

    return fchown(fd, NOBODY, 0) == 0 && stat("/", &st) == 0 && st.st_uid == 0
               ? NULL
               : "needs root";
}

static Suite *make_suite(void)
{
    Suite *suite = suite_create("secure");
    TCase *tc = tcase_create("secure");

    tcase_add_checked_fixture(tc, make_file, remove_file);
    tcase_add_test(tc, file_of_root_is_read);
    tcase_add_test(tc, mistake_in_a_file_is_told_with_its_path);
    tcase_add_test(tc, missing_file_gives_defaults_unless_it_must_exist);
    tcase_add_test(tc, link_to_nothing_is_an_error);
    tcase_add_test(tc, file_that_others_can_write_is_refused);
    tcase_add_test(tc, file_of_another_user_is_refused);
    tcase_add_test(tc, directory_that_others_can_write_is_refused);
    tcase_add_test(tc, directory_of_another_user_is_refused);
    tcase_add_test(tc, directory_further_above_is_checked_too);
    tcase_add_test(tc, link_is_followed_and_both_ends_are_checked);
    tcase_add_test(tc, what_is_no_file_is_refused);
    tcase_add_test(tc, file_over_the_limit_is_refused);
    tcase_add_test(tc, relative_path_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(needs_root, make_suite)
