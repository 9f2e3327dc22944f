/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cache of images: what is in it is whole, and nobody else's. */
#include "store/store.h"
#include "cache_tree.h"
#include "child.h"
#include "nameless.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

static void write_image(const char *key, const char *text, struct store_file **ret)
{
    int fd;

    must_ok(store_create(&cache, key, ret, &fd, &error));
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void check_image(const char *key, const char *text)
{
    char got[100] = "";
    bool found;
    int fd;

    must_ok(store_find(&cache, key, &fd, &found, &error));
    ck_assert(found);
    ck_assert_int_ge(read(fd, got, sizeof(got) - 1), 0);
    ck_assert_str_eq(got, text);
    (void)close(fd);
}

/* Where files can be without a name, and where not. */
static void choose(int without)
{
    if (without)
        forbid_nameless_files();
}

START_TEST(image_is_found_once_it_is_committed)
{
    struct store_file *file;

    choose(_i);
    ck_assert(!cache_has(1));
    write_image(key_of(1), "image", &file);
    ck_assert(!cache_has(1));
    must_ok(store_commit(file, &error));
    store_discard(file);
    check_image(key_of(1), "image");
    ck_assert(!cache_has(2));
    ck_assert_int_eq(cache_count("images"), 1);
}
END_TEST

START_TEST(discarded_image_leaves_nothing)
{
    struct store_file *file;

    choose(_i);
    write_image(key_of(1), "image", &file);
    store_discard(file);
    ck_assert_int_eq(cache_count("images"), 0);
    store_discard(NULL);
}
END_TEST

START_TEST(first_of_two_counts)
{
    struct store_file *first, *second;
    struct stat before, after;
    char name[STORE_NAME_MAX];

    choose(_i);
    store_name(key_of(1), name);
    write_image(key_of(1), "first", &first);
    write_image(key_of(1), "second", &second);
    must_ok(store_commit(first, &error));
    ck_assert_int_eq(fstatat(cache.images, name, &before, 0), 0);
    must_ok(store_commit(second, &error));
    ck_assert_int_eq(fstatat(cache.images, name, &after, 0), 0);
    /* Not even replaced: elsewhere it may be in use. */
    ck_assert_uint_eq(before.st_ino, after.st_ino);
    store_discard(first);
    store_discard(second);
    check_image(key_of(1), "first");
    ck_assert_int_eq(cache_count("images"), 1);
}
END_TEST

START_TEST(what_others_began_is_swept)
{
    struct store_file *file;

    choose(1);
    write_image(key_of(1), "image", &file);
    cache_add(2, 1024);
    ck_assert_int_eq(cache_count("images"), 2);
    store_sweep(&cache, key_of(2));
    ck_assert_int_eq(cache_count("images"), 2);
    store_sweep(&cache, key_of(1));
    ck_assert_int_eq(cache_count("images"), 1);
    must_say(store_commit(file, &error), "cannot finish");
    store_discard(file);
    ck_assert(cache_has(2));
}
END_TEST

START_TEST(process_that_ends_at_once_leaves_nothing)
{
    struct store_file *file;

    choose(_i);
    write_image(key_of(1), "image", &file);
    store_abandon(file);
    ck_assert_int_eq(cache_count("images"), 0);
    store_discard(file);
}
END_TEST

START_TEST(modes_keep_others_out)
{
    static const char *const dirs[] = {"", "images", "locks", "records", "leases"};
    char path[PATH_MAX + 100];
    struct stat st;

    (void)umask(0);
    cache_add(1, 1024);
    for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
        (void)snprintf(path, sizeof(path), "%s/cache/%s", tree_path, dirs[i]);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0700);
    }
    store_name(key_of(1), path);
    ck_assert_int_eq(fstatat(cache.images, path, &st, 0), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0444);
    ck_assert_int_eq(cache_count("grants"), -1);
}
END_TEST

START_TEST(shared_cache_keeps_more_from_them)
{
    char path[PATH_MAX];
    struct stat st;

    store_close(&cache);
    cache_path(path);
    must_ok(store_open(path, 0, true, &cache, &error));
    cache_add(1, 1024);
    store_name(key_of(1), path);
    ck_assert_int_eq(fstatat(cache.images, path, &st, 0), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0400);
    ck_assert_int_eq(cache_count("grants"), 0);
}
END_TEST

static int open_again(void)
{
    struct store other;
    char path[PATH_MAX];

    cache_path(path);
    int rc = store_open(path, 0, false, &other, &error);
    store_close(&other);
    return rc;
}

START_TEST(directory_of_somebody_else_is_refused)
{
    static const char *const dirs[] = {"", "/images", "/leases"};
    char path[PATH_MAX + 100];

    for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
        (void)snprintf(path, sizeof(path), "%s/cache%s", tree_path, dirs[i]);
        ck_assert_int_eq(chown(path, 12345, 0), 0);
        must_say(open_again(), "belongs to user id 12345");
        ck_assert_int_eq(chown(path, 0, 0), 0);
    }
    must_ok(open_again());
}
END_TEST

START_TEST(directory_that_others_write_to_is_refused)
{
    static const mode_t modes[] = {0720, 0702, 01777};
    char path[PATH_MAX];

    cache_path(path);
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        ck_assert_int_eq(chmod(path, modes[i]), 0);
        must_say(open_again(), "can be written by others");
    }
    ck_assert_int_eq(chmod(path, 0755), 0);
    must_ok(open_again());
}
END_TEST

START_TEST(links_within_are_not_followed)
{
    char name[STORE_NAME_MAX];
    bool found;

    tree_write_bytes("outside", "secret", 6);
    store_name(key_of(1), name);
    ck_assert_int_eq(symlinkat("../../outside", cache.images, name), 0);
    must_say(store_find(&cache, key_of(1), NULL, &found, &error), "cannot open");
    ck_assert_int_eq(unlinkat(cache.images, name, 0), 0);
    ck_assert_int_eq(mkdirat(cache.images, name, 0700), 0);
    must_say(store_find(&cache, key_of(1), NULL, &found, &error), "no image that");
    ck_assert_int_eq(unlinkat(cache.dir, "locks", AT_REMOVEDIR), 0);
    ck_assert_int_eq(symlinkat("/tmp", cache.dir, "locks"), 0);
    must_say(open_again(), "cannot open");
}
END_TEST

START_TEST(paths_that_cannot_be_are_refused)
{
    char path[PATH_MAX];
    struct store other;

    must_say(store_open("cache", 0, false, &other, &error), "no usable absolute path");
    store_close(&other);
    tree_write_bytes("file", "", 0);
    (void)snprintf(path, sizeof(path), "%s/file/cache", tree_path);
    must_say(store_open(path, 0, false, &other, &error), "cannot make");
    store_close(&other);
    (void)snprintf(path, sizeof(path), "%s/new/and/new//cache/", tree_path);
    must_ok(store_open(path, 0, false, &other, &error));
    store_close(&other);
}
END_TEST

START_TEST(cache_that_cannot_be_written_to_is_read)
{
    struct store_file *file;
    char path[PATH_MAX];
    int fd;

    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    cache_path(path);
    cache_add(1, 1024);
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    ck_assert_int_eq(mount(path, path, NULL, MS_BIND, NULL), 0);
    ck_assert_int_eq(mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
    store_close(&cache);
    cache_open(0);
    ck_assert(cache_has(1));
    ck_assert(!cache_has(2));
    must_ok(store_lease(&cache, key_of(1), "job", time(NULL) + 100, &error));
    must_say(store_create(&cache, key_of(2), &file, &fd, &error), "Read-only");
    ck_assert_int_eq(error.sys_errno, EROFS);
    store_close(&cache);
    ck_assert_int_eq(umount2(path, MNT_DETACH), 0);
}
END_TEST

/* Sizes from hardly anything to enough. */
START_TEST(full_disk_is_told_and_leaves_nothing)
{
    char path[PATH_MAX], options[40], block[4096] = "";
    bool fitted = false;

    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    choose(_i);
    for (int pages = 1; !fitted; pages++) {
        struct store_file *file;
        int fd, rc = 0;

        ck_assert_int_lt(pages, 64);
        store_close(&cache);
        cache_path(path);
        (void)snprintf(options, sizeof(options), "size=%dk,nr_inodes=100", pages * 4);
        ck_assert_int_eq(mount("none", path, "tmpfs", 0, options), 0);
        ck_assert_int_eq(chmod(path, 0700), 0);
        cache_open(0);
        must_ok(store_create(&cache, key_of(1), &file, &fd, &error));
        for (int i = 0; i < 20 && rc == 0; i++)
            rc = write(fd, block, sizeof(block)) == sizeof(block) ? 0 : -errno;
        ck_assert(rc == 0 || rc == -ENOSPC);
        fitted = rc == 0;
        if (fitted)
            must_ok(store_commit(file, &error));
        store_discard(file);
        ck_assert_int_eq(cache_has(1), fitted);
        ck_assert_int_eq(cache_count("images"), fitted);
        store_close(&cache);
        ck_assert_int_eq(umount2(path, MNT_DETACH), 0);
    }
    cache_open(0);
}
END_TEST

START_TEST(lease_names_are_checked)
{
    static const char *const bad[] = {"", "a/b", "..", "a b", "\n"};

    must_ok(store_lease(&cache, key_of(1), "12345", time(NULL) + 60, &error));
    must_ok(store_lease(&cache, key_of(1), "node1.cluster.4711", 4102444800, &error));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (strcmp(bad[i], "..") != 0)
            must_say(store_lease(&cache, key_of(1), bad[i], 0, &error), "cannot have");
    ck_assert_int_eq(cache_count("leases"), 2);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("store");
    TCase *tc = tcase_create("store");

    tcase_add_checked_fixture(tc, cache_make, cache_end);
    tcase_add_loop_test(tc, image_is_found_once_it_is_committed, 0, 2);
    tcase_add_loop_test(tc, discarded_image_leaves_nothing, 0, 2);
    tcase_add_loop_test(tc, first_of_two_counts, 0, 2);
    tcase_add_test(tc, what_others_began_is_swept);
    tcase_add_loop_test(tc, process_that_ends_at_once_leaves_nothing, 0, 2);
    tcase_add_test(tc, modes_keep_others_out);
    tcase_add_test(tc, shared_cache_keeps_more_from_them);
    tcase_add_test(tc, directory_that_others_write_to_is_refused);
    tcase_add_test(tc, links_within_are_not_followed);
    tcase_add_test(tc, paths_that_cannot_be_are_refused);
    tcase_add_test(tc, lease_names_are_checked);
    if (!child_cannot_mount()) {
        tcase_add_test(tc, directory_of_somebody_else_is_refused);
        tcase_add_test(tc, cache_that_cannot_be_written_to_is_read);
        tcase_add_loop_test(tc, full_disk_is_told_and_leaves_nothing, 0, 2);
    }
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
