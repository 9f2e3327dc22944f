/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a source to an image: the same bytes each time, and an end in each case. */
#include "base/limits.h"
#include "layers.h"

#include <errno.h>

#define BIG 3000000

/* Much content, part of it twice, small and large, and hidden by the other layer. */
static void make(struct tar layers[2])
{
    static uint8_t data[BIG];
    char name[32];

    srand(3);
    for (size_t i = 0; i < BIG; i++)
        data[i] = (uint8_t)(i % 5000 < 3000 ? i / 7000 : (size_t)rand());
    for (unsigned i = 0; i < 400; i++) {
        (void)snprintf(name, sizeof(name), "d%u/f%u", i % 7, i);
        tar_file(&layers[i % 2], name, data + i % 50 * 1000, i * 100);
        if (i % 5 == 0)
            tar_file(&layers[1], name, data, i);
    }
    tar_file(&layers[0], "big", data, BIG);
    tar_file(&layers[1], "big2", data + 1, BIG - 1);
    tar_file(&layers[1], "twin", data, BIG);
    tar_end(&layers[0]);
    tar_end(&layers[1]);
}

static void read_image(int fd, struct tar *ret)
{
    char buf[65536];
    ssize_t n;

    *ret = (struct tar){0};
    while ((n = pread(fd, buf, sizeof(buf), (off_t)ret->size)) > 0)
        tar_raw(ret, buf, (size_t)n);
    ck_assert_int_eq(n, 0);
    (void)close(fd);
}

START_TEST(the_same_layers_give_the_same_bytes)
{
    struct tar layers[2] = {{0}}, first, other;
    struct vitrine_error err = {0};

    make(layers);
    for (unsigned i = 0; i < 6; i++) {
        struct memory memory = {.layers = layers, .piece = i % 2 ? 4099 : 0};
        int fd = build_memory(&memory, 2, i < 2 ? 1 : i + 1, NULL, &err);

        ck_assert_msg(fd >= 0, "%s", err.text);
        read_image(fd, i == 0 ? &first : &other);
        if (i == 0)
            continue;
        ck_assert_uint_eq(other.size, first.size);
        ck_assert_mem_eq(other.data, first.data, first.size);
        tar_free(&other);
    }
    ck_assert_uint_gt(first.size, 100000);
    tar_free(&first);
    tar_free(&layers[0]);
    tar_free(&layers[1]);
}
END_TEST

START_TEST(our_own_files_are_there_and_root_s)
{
    struct tar layers[1] = {{0}};
    struct memory memory = {.layers = layers};
    struct vitrine_error err = {0};
    struct sqfs_inode inode;
    struct sqfs fs;
    uint8_t buf[100];

    tar_words(layers, "d .vitrine|f .vitrine/config=mine|f .vitrine/more=|f a=1");
    int fd = build_memory(&memory, 1, 0, NULL, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_int_eq(sqfs_open(&fs, fd, 0, NULL, &err), 0);
    find_inode(&fs, ".vitrine", &inode);
    ck_assert_uint_eq(inode.mode, S_IFDIR | 0755);
    ck_assert_uint_eq(inode.uid + inode.gid + inode.mtime, 0);
    find_inode(&fs, ".vitrine/config", &inode);
    ck_assert_uint_eq(inode.mode, S_IFREG | 0644);
    ck_assert_uint_eq(inode.uid + inode.gid + inode.mtime, 0);
    ck_assert_int_eq(sqfs_file_read(&fs, &inode, 0, buf, sizeof(buf)), 8);
    ck_assert_mem_eq(buf, "env=A=B", 8);
    find_inode(&fs, ".vitrine/config.json", &inode);
    ck_assert_int_eq(sqfs_file_read(&fs, &inode, 0, buf, sizeof(buf)), 2);
    ck_assert_uint_eq(fs.super.inodes, 5);
    sqfs_close(&fs);
    (void)close(fd);
    tar_free(layers);
}
END_TEST

START_TEST(attributes_are_kept_but_for_overlayfs_own)
{
    static const char v2[] = "\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0";
    static const char v3[] = "\1\0\0\3\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\x27\0";
    struct tar layers[1] = {{0}}, pax = {0};
    struct memory memory = {.layers = layers};
    struct vitrine_error err = {0};
    struct sqfs_inode inode;
    struct sqfs fs;
    char buf[500];

    tar_record(&pax, "SCHILY.xattr.security.capability", _i ? v3 : v2, _i ? 24 : 20);
    tar_record(&pax, "SCHILY.xattr.user.a", "1", 1);
    tar_record(&pax, "SCHILY.xattr.security.selinux", "x", 1);
    tar_record(&pax, "SCHILY.xattr.user.overlay.opaque", "y", 1);
    tar_record(&pax, "SCHILY.xattr.trusted.overlay.opaque", "y", 1);
    tar_record(&pax, "SCHILY.xattr.trusted.b", "2", 1);
    tar_record(&pax, "SCHILY.xattr.system.posix_acl_access", "x", 1);
    tar_record(&pax, "SCHILY.xattr.user.", "x", 1);
    tar_pax_end(layers, &pax);
    tar_file(layers, "f", "", 0);
    tar_end(layers);
    int fd = build_memory(&memory, 1, 0, NULL, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_int_eq(sqfs_open(&fs, fd, 0, NULL, &err), 0);
    find_inode(&fs, "f", &inode);
    ck_assert_int_eq(sqfs_xattr_list(&fs, &inode, buf, sizeof(buf)),
                     (int)sizeof("security.capability\0user.a\0trusted.b"));
    ck_assert_int_eq(sqfs_xattr_get(&fs, &inode, "security.capability", buf, sizeof(buf)),
                     20);
    ck_assert_mem_eq(buf, v2, 20);
    sqfs_close(&fs);
    (void)close(fd);
    tar_free(layers);
}
END_TEST

/* Ones that take 4 TiB together, and their few bytes. */
START_TEST(holes_cost_nothing)
{
    struct tar layers[1] = {{0}}, pax = {0};
    struct memory memory = {.layers = layers};
    struct vitrine_error err = {0};
    struct sqfs_inode inode;
    struct sqfs fs;
    uint8_t buf[8] = "";

    tar_record(&pax, "GNU.sparse.major", "1", 1);
    tar_record(&pax, "GNU.sparse.minor", "0", 1);
    tar_record(&pax, "GNU.sparse.name", "holes", 5);
    tar_record(&pax, "GNU.sparse.realsize", "1099511627776", 13);
    tar_pax_end(layers, &pax);
    char map[512 + 4] = "1\n549755813888\n4\n";
    memcpy(map + 512, "data", 4);
    tar_file(layers, "GNUSparseFile.0/holes", map, sizeof(map));
    tar_end(layers);
    int fd = build_memory(&memory, 1, 0, NULL, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_int_lt(lseek(fd, 0, SEEK_END), 1000000);
    ck_assert_int_eq(sqfs_open(&fs, fd, 0, NULL, &err), 0);
    find_inode(&fs, "holes", &inode);
    ck_assert_uint_eq(inode.size, UINT64_C(1) << 40);
    ck_assert_int_eq(sqfs_file_read(&fs, &inode, UINT64_C(1) << 39, buf, 5), 5);
    ck_assert_str_eq((char *)buf, "data");
    sqfs_close(&fs);
    (void)close(fd);
    tar_free(layers);
}
END_TEST

START_TEST(apparent_sizes_have_a_limit)
{
    struct tar layers[1] = {{0}}, pax = {0};
    struct memory memory = {.layers = layers};
    struct vitrine_error err = {0};
    char map[512] = "0\n";

    tar_record(&pax, "GNU.sparse.major", "1", 1);
    tar_record(&pax, "GNU.sparse.minor", "0", 1);
    tar_record(&pax, "GNU.sparse.realsize", "9223372036854775807", 19);
    tar_pax_end(layers, &pax);
    tar_file(layers, "f", map, sizeof(map));
    tar_end(layers);
    ck_assert_int_eq(build_memory(&memory, 1, 0, NULL, &err), -1);
    ck_assert_msg(strstr(err.text, "larger than"), "%s", err.text);
    tar_free(layers);
}
END_TEST

/* Also while the source still has more, which then has to be stopped. */
START_TEST(why_a_source_fails_is_told)
{
    struct tar layers[2] = {{0}};
    struct memory memory = {
        .layers = layers, .fails_in = 1 + (unsigned)_i, .piece = 1000};
    struct vitrine_error err = {0};

    make(layers);
    ck_assert_int_eq(build_memory(&memory, 2, 2, NULL, &err), -1);
    ck_assert_msg(strstr(err.text, "the digest is wrong"), "%s", err.text);
    ck_assert_msg(strstr(err.text, _i ? "layer 1: " : "layer 0: "), "%s", err.text);
    tar_free(&layers[0]);
    tar_free(&layers[1]);
}
END_TEST

START_TEST(a_wrong_layer_stops_the_source)
{
    struct tar layers[2] = {{0}};
    struct memory memory = {.layers = layers, .piece = 1000};
    struct vitrine_error err = {0};

    make(layers);
    layers[1].data[100] ^= 1;
    ck_assert_int_eq(build_memory(&memory, 2, 2, NULL, &err), -1);
    ck_assert_uint_eq(memory.stops, 1);
    tar_free(&layers[0]);
    tar_free(&layers[1]);
}
END_TEST

struct told {
    unsigned progress, asked, cancel_at;
    struct vitrine_progress last;
};

static void progress(void *arg, const struct vitrine_progress *now)
{
    struct told *told = arg;

    ck_assert_uint_ge(now->bytes_done, told->last.bytes_done);
    ck_assert_uint_le(now->bytes_done, now->bytes);
    told->last = *now;
    told->progress++;
}

static bool cancelled(void *arg)
{
    struct told *told = arg;

    return ++told->asked >= told->cancel_at;
}

START_TEST(progress_is_told_up_to_the_end)
{
    struct told told = {.cancel_at = UINT32_MAX};
    const struct vitrine_watch watch = {
        .progress = progress, .cancelled = cancelled, .arg = &told};
    struct tar layers[2] = {{0}};
    struct memory memory = {.layers = layers};
    struct vitrine_error err = {0};

    make(layers);
    int fd = build_memory(&memory, 2, 2, &watch, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_uint_gt(told.progress, 0);
    ck_assert_uint_eq(told.last.layers, 2);
    ck_assert_uint_eq(told.last.layers_done, 2);
    ck_assert_uint_eq(told.last.bytes, layers[0].size + layers[1].size);
    ck_assert_uint_eq(told.last.bytes_done, told.last.bytes);
    (void)close(fd);
    tar_free(&layers[0]);
    tar_free(&layers[1]);
}
END_TEST

START_TEST(a_cancelled_import_ends)
{
    struct told told = {.cancel_at = 1 + (unsigned)_i * 3};
    const struct vitrine_watch watch = {.cancelled = cancelled, .arg = &told};
    struct tar layers[2] = {{0}};
    struct memory memory = {.layers = layers};
    struct vitrine_error err = {0};

    make(layers);
    ck_assert_int_eq(build_memory(&memory, 2, 2, &watch, &err), -1);
    ck_assert_int_eq(err.sys_errno, ECANCELED);
    ck_assert_uint_eq(told.asked, told.cancel_at);
    tar_free(&layers[0]);
    tar_free(&layers[1]);
}
END_TEST

START_TEST(a_file_that_cannot_be_written_is_an_error)
{
    struct manifest manifest = {0};
    struct memory memory = {.base = {.ops = &memory_ops}};
    struct build build = {
        .source = &memory.base, .manifest = &manifest, .config = "a", .config_size = 1};
    struct vitrine_error err = {0};
    int fd = open("/dev/full", O_RDWR | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(build_image(&build, fd, &err), -1);
    ck_assert_msg(strstr(err.text, "cannot be written"), "%s", err.text);
    (void)close(fd);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("build");
    TCase *tc = tcase_create("build");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_same_layers_give_the_same_bytes);
    tcase_add_test(tc, our_own_files_are_there_and_root_s);
    tcase_add_loop_test(tc, attributes_are_kept_but_for_overlayfs_own, 0, 2);
    tcase_add_test(tc, holes_cost_nothing);
    tcase_add_test(tc, apparent_sizes_have_a_limit);
    tcase_add_loop_test(tc, why_a_source_fails_is_told, 0, 2);
    tcase_add_test(tc, a_wrong_layer_stops_the_source);
    tcase_add_test(tc, progress_is_told_up_to_the_end);
    tcase_add_loop_test(tc, a_cancelled_import_ends, 0, 4);
    tcase_add_test(tc, a_file_that_cannot_be_written_is_an_error);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
