/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "packing.h"

#include "image/bytes.h"
#include "image/squashfs.h"

static const char *const ways[][4] = {
    {"-comp", "gzip", "-b", "4096"},     {"-comp", "lzo", NULL, NULL},
    {"-comp", "xz", "-b", "1048576"},    {"-comp", "lz4", "-Xhc", "-no-exports"},
    {"-comp", "zstd", "-no-fragments"},  {"-noI", "-noD", "-noF", "-noX"},
    {"-always-use-fragments", "-nopad"}, {"-no-xattrs", "-no-duplicates", "-e", "many"},
};

START_TEST(sound_images_of_any_kind_are_sound)
{
    packing_fill();
    packing_mksquashfs(ways[_i]);
    ck_assert_msg(vitrine_verify(packing_image, NULL, &packing_err) == 0, "%s",
                  packing_err.text);
}
END_TEST

START_TEST(image_that_was_appended_to_is_sound)
{
    tree_write("src/file", "text");
    tree_write("src/dir/file", "text");
    packing_mksquashfs(ways[0]);
    ck_assert_int_eq(packing_run("mksquashfs", packing_src, packing_image, "-quiet",
                                 "-no-progress", NULL),
                     0);
    ck_assert_msg(vitrine_verify(packing_image, NULL, &packing_err) == 0, "%s",
                  packing_err.text);
}
END_TEST

static void fill_some(void)
{
    cleanup_free char *content = packing_content(20000);
    char path[PATH_MAX];

    for (int i = 0; i < 40; i++) {
        (void)snprintf(path, sizeof(path), "src/d/some-file-%d", i);
        tree_write_bytes(path, content, (size_t)i * 10);
    }
    tree_write_bytes("src/big", content, 20000);
    ck_assert_int_eq(symlinkat("d/some-file-1", tree, "src/link"), 0);
    ck_assert_int_eq(linkat(tree, "src/big", tree, "src/d/hard", 0), 0);
    (void)snprintf(path, sizeof(path), "%s/big", packing_src);
    ck_assert_int_eq(setxattr(path, "user.a", content, 500, 0), 0);
}

/*
 * gzip has a checksum for each block. What is not noticed makes no difference: the bits
 * behind the end of a stream, fields that nobody reads. But for owners, which are stored
 * as they are.
 */
START_TEST(any_changed_byte_is_noticed_or_makes_no_difference)
{
    static const char *const way[4] = {"-comp", "gzip", "-b", "4096"};
    cleanup_free uint8_t *data = NULL;
    size_t size, noticed = 0, unnoticed = 0;

    fill_some();
    packing_mksquashfs(way);
    data = packing_bytes(&size);
    ck_assert_int_eq(vitrine_verify(packing_image, NULL, &packing_err), 0);
    size_t end = (size_t)le64(data + 40), index = (size_t)le64(data + 48);
    size_t owners = (size_t)le64(data + index);
    cleanup_fd int fd = open(packing_image, O_WRONLY | O_CLOEXEC);
    /* Of content some, of the tables half. */
    for (size_t at = SQUASHFS_SUPER_SIZE; at < end; at += at < le64(data + 64) ? 37 : 2) {
        uint8_t changed = data[at] ^ (uint8_t)(1U << at % 8);

        if (at >= owners && at < index)
            continue;
        ck_assert_int_eq(pwrite(fd, &changed, 1, (off_t)at), 1);
        if (vitrine_verify(packing_image, NULL, &packing_err) < 0) {
            noticed++;
        } else {
            unnoticed++;
            packing_unpack();
            packing_same(packing_src, packing_out);
            ck_assert_int_eq(packing_run("rm", "-r", packing_out, NULL), 0);
        }
        ck_assert_int_eq(pwrite(fd, data + at, 1, (off_t)at), 1);
    }
    ck_assert_uint_lt(unnoticed, noticed / 20);
}
END_TEST

START_TEST(damaged_block_is_told_with_its_file)
{
    cleanup_free uint8_t *data = NULL;
    cleanup_free char *content = packing_content(300000);
    size_t size;

    tree_write_bytes("src/sub/odd\nname", content, 300000);
    packing_mksquashfs(ways[2]);
    data = packing_bytes(&size);
    data[SQUASHFS_SUPER_SIZE + 100] ^= 1;
    tree_write_bytes("x.sqfs", data, size);
    packing_fails(vitrine_verify(packing_image, NULL, &packing_err), VITRINE_EFORMAT,
                  "x.sqfs is damaged: /sub/odd?name: its ");
}
END_TEST

START_TEST(truncated_image_is_refused)
{
    cleanup_free uint8_t *data = NULL;
    size_t size;

    fill_some();
    packing_mksquashfs(ways[0]);
    data = packing_bytes(&size);
    for (size_t cut = 0; cut < le64(data + 40); cut += 97) {
        tree_write_bytes("x.sqfs", data, cut);
        ck_assert_int_eq(vitrine_verify(packing_image, NULL, &packing_err), -1);
        ck_assert_int_eq(vitrine_unpack(packing_image, packing_out, NULL, &packing_err),
                         -1);
    }
    ck_assert_uint_eq(packing_names(), 2);
}
END_TEST

/* Names of one image without compression, changed so that each is still a name. */
START_TEST(names_must_be_sorted)
{
    cleanup_free uint8_t *data = NULL;
    size_t size;

    fill_some();
    packing_mksquashfs(ways[5]);
    data = packing_bytes(&size);
    uint8_t *at = memmem(data, size, "some-file-17", 12);
    ck_assert_ptr_nonnull(at);
    at[10] = '2';
    tree_write_bytes("x.sqfs", data, size);
    packing_fails(vitrine_verify(packing_image, NULL, &packing_err), VITRINE_EFORMAT,
                  "/d: its names are not sorted");
}
END_TEST

struct seen {
    unsigned calls;
    uint64_t last;
};

static void count_progress(void *arg, const struct vitrine_progress *progress)
{
    struct seen *seen = arg;

    seen->calls++;
    ck_assert_uint_ge(progress->bytes_done, seen->last);
    ck_assert_uint_le(progress->bytes_done, progress->bytes);
    seen->last = progress->bytes_done;
}

START_TEST(progress_ends_with_the_whole)
{
    struct seen seen = {0};
    const struct vitrine_watch watch = {.progress = count_progress, .arg = &seen};
    cleanup_free uint8_t *data = NULL;
    size_t size;

    fill_some();
    packing_mksquashfs(ways[0]);
    data = packing_bytes(&size);
    ck_assert_int_eq(vitrine_verify(packing_image, &watch, &packing_err), 0);
    ck_assert_uint_ge(seen.calls, 1);
    ck_assert_uint_eq(seen.last, le64(data + 40));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("verify");
    TCase *tc = tcase_create("verify");

    tcase_set_timeout(tc, 600);
    tcase_add_checked_fixture(tc, packing_make, tree_remove);
    tcase_add_loop_test(tc, sound_images_of_any_kind_are_sound, 0, ARRAY_SIZE(ways));
    tcase_add_test(tc, image_that_was_appended_to_is_sound);
    tcase_add_test(tc, any_changed_byte_is_noticed_or_makes_no_difference);
    tcase_add_test(tc, damaged_block_is_told_with_its_file);
    tcase_add_test(tc, truncated_image_is_refused);
    tcase_add_test(tc, names_must_be_sorted);
    tcase_add_test(tc, progress_ends_with_the_whole);
    suite_add_tcase(suite, tc);
    return suite;
}

PACKING_MAIN(make_suite)
