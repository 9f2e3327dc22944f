/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The FUSE server with images that are damaged, by accident or on purpose. What is asked
 * of it: the reader gets an error, the server neither crashes nor hangs.
 */
#include "fuse_mount.h"
#include "image/bytes.h"
#include "image/squashfs.h"

#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <sys/xattr.h>

/* Images that each way to store is damaged to; by hand more: VITRINE_TEST_DAMAGES. */
#define DAMAGES 25

static uint64_t seed = 42;

/* The same numbers in each run (Knuth's MMIX). */
static uint32_t next_random(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % below;
}

static void make_tree(void)
{
    cleanup_free char *data = make_content(300000);
    char path[PATH_MAX];

    ck_assert_int_eq(mkdir(SRC, 0755), 0);
    ck_assert_int_eq(mkdir(SRC "/d", 0755), 0);
    for (int i = 0; i < 300; i++) {
        (void)snprintf(path, sizeof(path), SRC "/d/some-file-%d", i);
        write_file(path, data, (size_t)i);
    }
    write_file(SRC "/big", data, 300000);
    ck_assert_int_eq(symlink("d/some-file-1", SRC "/link"), 0);
    ck_assert_int_eq(setxattr(SRC "/d", "trusted.a", data, 500, 0), 0);
    ck_assert_int_eq(setxattr(SRC "/big", "trusted.a", data, 500, 0), 0);
    ck_assert_int_eq(setxattr(SRC "/big", "trusted.b", "b", 1, 0), 0);
}

/* Reads all that can be read of it, whatever comes. */
static int touch_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    static char buf[65536];

    (void)llistxattr(path, buf, sizeof(buf));
    (void)lgetxattr(path, "trusted.a", buf, sizeof(buf));
    (void)readlink(path, buf, sizeof(buf));
    if (type != FTW_F || !S_ISREG(st->st_mode))
        return 0;

    cleanup_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    /* The size may be damaged, too: read some of the beginning and of the end. */
    for (int i = 0; i < 10 && read(fd, buf, sizeof(buf)) > 0; i++)
        ;
    (void)pread(fd, buf, sizeof(buf), st->st_size > 1000 ? st->st_size - 1000 : 0);
    return 0;
}

static void touch_all(void *arg)
{
    (void)alarm(20);
    (void)nftw(AT, touch_one, 16, FTW_PHYS);
    _exit(0);
}

static void read_image(uint8_t **ret_data, size_t *ret_size)
{
    cleanup_fd int fd = open(IMAGE, O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(fd_read_all(fd, 1 << 24, (char **)ret_data, ret_size), 0);
}

static const char *const ways[][4] = {
    {"-comp", "gzip", "-noD", "-noF"},
    {"-comp", "lz4", "-noD", "-noF"},
    {"-comp", "zstd", "-noD", "-noF"},
    {"-noI", "-noD", "-noF", "-noX"},
};

/* 1 to 16 bytes behind the superblock; most of them in the tables. */
static void damage(uint8_t *data, size_t size)
{
    size_t tables = (size_t)le64(data + 64);
    uint32_t n = 1U << next_random(5);

    for (uint32_t i = 0; i < n; i++) {
        size_t from = next_random(8) ? tables : SQUASHFS_SUPER_SIZE;

        data[from + next_random((uint32_t)(size - from))] = (uint8_t)next_random(256);
    }
}

START_TEST(damaged_images_are_served_to_their_end)
{
    const char *wanted = getenv("VITRINE_TEST_DAMAGES");
    int count = wanted ? (int)strtol(wanted, NULL, 10) : DAMAGES;
    cleanup_free uint8_t *sound = NULL;
    size_t size;

    make_tree();
    make_image(ways[_i][0], ways[_i][1], ways[_i][2], ways[_i][3]);
    read_image(&sound, &size);
    seed += (uint64_t)_i;
    cleanup_free uint8_t *data = malloc(size);
    for (int i = 0; i < count; i++) {
        uint64_t before = seed;

        memcpy(data, sound, size);
        damage(data, size);
        write_file(IMAGE, data, size);
        serve("0");
        ck_assert_msg(child_run(touch_all, NULL) == 0, "hangs: seed %ju", before);
        ck_assert_int_eq(umount2(AT, MNT_DETACH), 0);
        int status = server_end();
        /* 1: what it needs to begin is damaged. */
        ck_assert_msg(status == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 1),
                      "status %#x: seed %ju", (unsigned)status, before);
        (void)close(server_log);
    }
}
END_TEST

START_TEST(damaged_content_gives_eio_and_the_rest_is_served)
{
    cleanup_free uint8_t *data = NULL;
    size_t size;
    char buf[4096];

    make_tree();
    make_image("-comp", "xz", "-no-fragments");
    read_image(&data, &size);
    /* The block that comes first: "big" is packed before what is below "d". */
    memset(data + SQUASHFS_SUPER_SIZE, 0xff, 64);
    write_file(IMAGE, data, size);
    serve("0");
    int fd = open(AT "/big", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(read(fd, buf, sizeof(buf)), -1);
    ck_assert_int_eq(errno, EIO);
    ck_assert_int_eq(pread(fd, buf, sizeof(buf), 200000), sizeof(buf));
    ck_assert_int_eq(access(AT "/d/some-file-299", R_OK), 0);
    (void)close(fd);
    unserve();
}
END_TEST

START_TEST(damaged_directory_gives_eio)
{
    cleanup_free uint8_t *data = NULL;
    size_t size;

    make_tree();
    make_image("-comp", "gzip");
    read_image(&data, &size);
    size_t directories = (size_t)le64(data + 72);
    memset(data + directories + 2, 0xff, 64);
    write_file(IMAGE, data, size);
    serve("0");
    ck_assert_int_eq(access(AT "/big", F_OK), -1);
    ck_assert_int_eq(errno, EIO);
    DIR *dir = opendir(AT);
    ck_assert_ptr_nonnull(dir);
    while ((errno = 0, readdir(dir)))
        ;
    ck_assert_int_eq(errno, EIO);
    (void)closedir(dir);
    unserve();
}
END_TEST

/* An image whose file is cut behind the server's back, say on another node. */
START_TEST(image_that_shrinks_gives_eio)
{
    make_tree();
    make_image("-comp", "gzip");
    serve("0");
    ck_assert_int_eq(access(AT "/", F_OK), 0);
    ck_assert_int_eq(truncate(IMAGE, 96), 0);
    ck_assert_int_eq(access(AT "/big", F_OK), -1);
    ck_assert_int_eq(errno, EIO);
    unserve();
}
END_TEST

/* A server that cannot begin says why and lets the readers go. */
static void check_not_served(const char *offset, const char *words)
{
    char text[1024];
    ssize_t n;

    serve(offset);
    ck_assert_int_eq(access(AT "/big", F_OK), -1);
    ck_assert_msg(errno == ENOTCONN || errno == ECONNABORTED, "%m");
    ck_assert_int_eq(server_end(), 1 << 8);
    n = read(server_log, text, sizeof(text) - 1);
    ck_assert_int_gt(n, 0);
    text[n] = '\0';
    ck_assert_msg(strstr(text, words) != NULL, "%s", text);
    ck_assert_msg(strchr(text, '\n') == text + n - 1, "not one line: %s", text);
    ck_assert_int_eq(umount2(AT, MNT_DETACH), 0);
    (void)close(server_log);
}

START_TEST(server_that_cannot_begin_says_why)
{
    make_tree();
    make_image("-comp", "gzip");
    check_not_served("", "usage");
    check_not_served("-1", "usage");
    check_not_served("12x", "usage");
    check_not_served("99999999999999999999999", "usage");
    check_not_served("4096", "no SquashFS");
    check_not_served("9223372036854775807", "cannot serve the image");
    check_not_served("18446744073709551615", "cannot serve the image");
    ck_assert_int_eq(truncate(IMAGE, 8192), 0);
    check_not_served("0", "is truncated");
    ck_assert_int_eq(truncate(IMAGE, 0), 0);
    check_not_served("0", "cannot serve the image");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("fuse_damage");
    TCase *tc = tcase_create("fuse_damage");

    tcase_set_timeout(tc, 600);
    tcase_add_checked_fixture(tc, make_top, NULL);
    tcase_add_loop_test(tc, damaged_images_are_served_to_their_end, 0, ARRAY_SIZE(ways));
    tcase_add_test(tc, damaged_content_gives_eio_and_the_rest_is_served);
    tcase_add_test(tc, damaged_directory_gives_eio);
    tcase_add_test(tc, image_that_shrinks_gives_eio);
    tcase_add_test(tc, server_that_cannot_begin_says_why);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(cannot, make_suite)
