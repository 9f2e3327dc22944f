/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/probe.h"
#include "images.h"
#include "tree.h"

#include <errno.h>
#include <sys/socket.h>

static int probe(const void *data, size_t size, struct image_info *ret,
                 struct vitrine_error *err)
{
    int fd = images_file(data, size);
    int rc = image_probe(fd, "X", ret, err);

    close(fd);
    return rc;
}

/* What a file that begins with these bytes is said to be. */
static void check_is(const void *data, size_t size, const char *what)
{
    struct image_info info = {.block_size = 77};
    struct vitrine_error err = {0};
    char expected[512];

    (void)snprintf(expected, sizeof(expected),
                   "cannot use image X: it is %s, not an image: Vitrine runs SquashFS "
                   "files, SIF files and directories",
                   what);
    ck_assert_msg(probe(data, size, &info, &err) == -1, "%s: accepted", what);
    ck_assert_str_eq(err.text, expected);
    ck_assert_int_eq(err.code, VITRINE_EFORMAT);
    ck_assert_uint_eq(info.block_size, 77);
}

START_TEST(squashfs_is_known_by_its_content)
{
    uint8_t data[SQUASHFS_SIZE];
    struct image_info info;
    struct vitrine_error err = {0};

    images_squashfs(data);
    ck_assert_msg(probe(data, sizeof(data), &info, &err) == 0, "%s", err.text);
    ck_assert_int_eq(info.kind, IMAGE_SQUASHFS);
    ck_assert_uint_eq(info.offset, 0);
    ck_assert_uint_eq(info.size, 1000);
    ck_assert_str_eq(info.compressor_name, "gzip");
    ck_assert(info.mountable);
}
END_TEST

START_TEST(sif_is_known_by_its_content)
{
    uint8_t data[SIF_FILE_SIZE];
    struct image_info info;
    struct vitrine_error err = {0};

    images_sif(data);
    ck_assert_msg(probe(data, sizeof(data), &info, &err) == 0, "%s", err.text);
    ck_assert_int_eq(info.kind, IMAGE_SIF);
    ck_assert_uint_eq(info.offset, SIF_OFFSET);
    ck_assert_uint_eq(info.size, 1000);
    ck_assert(info.mountable);
}
END_TEST

START_TEST(directory_is_an_image_but_an_oci_layout_is_not)
{
    struct image_info info;
    struct vitrine_error err = {0};

    ck_assert_int_eq(image_probe(tree, "X", &info, &err), 0);
    ck_assert_int_eq(info.kind, IMAGE_DIRECTORY);
    ck_assert_uint_eq(info.size, 0);
    tree_write("oci-layout", "{}");
    ck_assert_int_eq(image_probe(tree, "X", &info, &err), 0);
    tree_write("index.json", "{}");
    ck_assert_int_eq(image_probe(tree, "X", &info, &err), -1);
    ck_assert_msg(strstr(err.text, "OCI layout"), "%s", err.text);
}
END_TEST

START_TEST(what_a_loop_device_cannot_show_is_not_for_the_kernel)
{
    uint8_t data[SIF_FILE_SIZE];
    struct image_info info;
    struct vitrine_error err = {0};

    /* 1000 bytes in a file of 1000: the device would have 512. */
    images_squashfs(data);
    ck_assert_int_eq(probe(data, 1000, &info, &err), 0);
    ck_assert(!info.mountable);
    ck_assert_int_eq(probe(data, 1023, &info, &err), 0);
    ck_assert(!info.mountable);
    ck_assert_int_eq(probe(data, 1024, &info, &err), 0);
    ck_assert(info.mountable);
    images_sif(data);
    images_put(data + SIF_ENTRY(1) + 25, 1000, 8);
    ck_assert_int_eq(probe(data, SIF_OFFSET + 1000, &info, &err), 0);
    ck_assert(!info.mountable);
}
END_TEST

START_TEST(position_of_the_descriptor_neither_matters_nor_changes)
{
    uint8_t data[SQUASHFS_SIZE];
    struct image_info info;
    struct vitrine_error err = {0};

    images_squashfs(data);
    int fd = images_file(data, sizeof(data));
    ck_assert_int_eq(lseek(fd, 5, SEEK_SET), 5);
    ck_assert_int_eq(image_probe(fd, "X", &info, &err), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 5);
    close(fd);
}
END_TEST

START_TEST(message_has_name_and_reason)
{
    uint8_t data[SQUASHFS_SIZE];
    struct image_info info;
    struct vitrine_error err = {0};

    images_squashfs(data);
    ck_assert_int_eq(probe(data, 999, &info, &err), -1);
    ck_assert_str_eq(err.text,
                     "cannot use image X: it is truncated: the SquashFS file system "
                     "needs 1000 bytes, the file has 999; copy it again");
}
END_TEST

START_TEST(damage_inside_of_sif_is_found)
{
    static const struct images_damage damages[] = {
        {"no file system", SIF_OFFSET, 4, 0, VITRINE_EFORMAT, "no SquashFS"},
        {"version", SIF_OFFSET + 28, 2, 3, VITRINE_EUNSUPPORTED, "SquashFS 3.x"},
        {"larger than the file", SIF_OFFSET + 40, 8, 1025, VITRINE_EFORMAT, "truncated"},
        {"larger than its partition", SIF_ENTRY(1) + 25, 8, 999, VITRINE_EFORMAT,
         "its file system has 1000 bytes, its system partition 999"},
        {"partition of one byte", SIF_ENTRY(1) + 25, 8, 1, VITRINE_EFORMAT, "SquashFS"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        uint8_t data[SIF_FILE_SIZE];
        struct image_info info;
        struct vitrine_error err = {0};

        images_sif(data);
        images_put(data + damages[i].offset, damages[i].value, damages[i].size);
        int rc = probe(data, sizeof(data), &info, &err);
        images_check(&damages[i], rc, &err);
    }
}
END_TEST

START_TEST(common_files_are_named)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *what;
    } cases[] = {
#define FILE_OF(bytes, what) {bytes, sizeof(bytes) - 1, what}
        FILE_OF("", "an empty file"),
        FILE_OF("\x1f\x8b\x08", "a gzip-compressed archive"),
        FILE_OF("\x28\xb5\x2f\xfd....", "a zstd-compressed archive"),
        FILE_OF("BZh9", "a bzip2-compressed archive"),
        FILE_OF("PK\x03\x04", "a ZIP archive"),
        FILE_OF("QFI\xfb", "a qcow2 disk image"),
        FILE_OF("\x7f"
                "ELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00>\x00",
                "an ELF program"),
        FILE_OF("\x7f"
                "ELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00>\x00",
                "a core dump"),
        FILE_OF("\x7f"
                "ELF\x02\x01\x01\x00\x41\x49\x02\x00\x00\x00\x00\x00\x03\x00>\x00",
                "an AppImage"),
        FILE_OF("#!/bin/sh\necho\n", "a shell script"),
        FILE_OF("#!/usr/bin/env bash", "a shell script"),
        FILE_OF("#!/usr/bin/python3\nsh\n", "a script"),
        FILE_OF("<!DOCTYPE html><title>404", "an HTML page"),
        FILE_OF("\xef\xbb\xbf\n <HTML>", "an HTML page"),
        FILE_OF("{\"schemaVersion\": 2}", "a JSON document"),
        FILE_OF("Bootstrap: docker\nFrom: x\n", "an Apptainer definition file"),
        FILE_OF("FROM ubuntu\n", "a Dockerfile"),
        FILE_OF("version https://git-lfs.github.com/spec/v1\noid",
                "a Git LFS pointer, not the file itself"),
        FILE_OF("import torch\n", "a text file"),
        FILE_OF("hsq", "a text file"),
        FILE_OF("\0\0\0\0\0\0\0\0", "filled with zeros where it begins, perhaps a copy "
                                    "that did not finish"),
#undef FILE_OF
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        check_is(cases[i].bytes, cases[i].size, cases[i].what);
}
END_TEST

START_TEST(file_systems_are_named)
{
    static const struct {
        size_t offset;
        const char *bytes, *what;
    } cases[] = {
        {0, "XFSB", "an XFS file system"},
        {32769, "CD001", "an ISO 9660 file system"},
        {65600, "_BHRfS_M", "a Btrfs file system"},
        {510, "\x55\xaa", "a disk image with a boot sector"},
        {512, "EFI PART", "a disk image with partitions"},
        {1080, "\x53\xef", "an ext2 file system"},
    };
    static uint8_t data[70000];

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        memset(data, 0, sizeof(data));
        memcpy(data + cases[i].offset, cases[i].bytes, strlen(cases[i].bytes));
        check_is(data, sizeof(data), cases[i].what);
    }
    data[1024 + 0x5c] = 0x04;
    check_is(data, sizeof(data), "an ext3 file system");
    data[1024 + 0x60] = 0x40;
    check_is(data, sizeof(data), "an ext4 file system");
}
END_TEST

/* Without the NUL. */
static void put_text(uint8_t *at, const char *text)
{
    while (*text)
        *at++ = (uint8_t)*text++;
}

/* A tar header for a file of `size` octal digits; returns the header's own size. */
static size_t put_tar(uint8_t *at, const char *name, const char *size)
{
    memset(at, 0, 512);
    put_text(at, name);
    put_text(at + 124, size);
    put_text(at + 257, "ustar");
    return 512;
}

START_TEST(archives_are_told_apart)
{
    static uint8_t data[16384];
    size_t n;

    n = put_tar(data, "etc/passwd", "00000001001"); /* 513 bytes, two blocks */
    n += 1024;
    (void)put_tar(data + n, "manifest.json", "00000000000");
    check_is(data, sizeof(data), "a docker archive");
    (void)put_tar(data + n, "oci-layout", "00000000000");
    check_is(data, sizeof(data), "an OCI archive");
    (void)put_tar(data + n, "usr", "00000000000");
    check_is(data, sizeof(data), "a tar archive");
    check_is(data, 512, "a tar archive");
}
END_TEST

START_TEST(hostile_archive_sizes_do_no_harm)
{
    static const char *const sizes[] = {
        "77777777777", "777777777777", "-1", "\x80\xff", "00000000777", "8", ""};
    static uint8_t data[4096];

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        (void)put_tar(data, "x", sizes[i]);
        check_is(data, sizeof(data), "a tar archive");
    }
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    struct image_info info;
    struct vitrine_error err = {0};
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(image_probe(ends[0], "X", &info, &err), -1);
    ck_assert_msg(strstr(err.text, "it is a FIFO"), "%s", err.text);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ck_assert_int_eq(image_probe(ends[0], "X", &info, &err), -1);
    ck_assert_msg(strstr(err.text, "it is a socket"), "%s", err.text);
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(image_probe(fd, "X", &info, &err), -1);
    ck_assert_msg(strstr(err.text, "it is a character device"), "%s", err.text);
    ck_assert_int_eq(image_probe(-1, "X", &info, &err), -1);
    ck_assert_int_eq(err.code, VITRINE_EINTERNAL);
    ck_assert_int_eq(err.sys_errno, EBADF);
}
END_TEST

START_TEST(file_that_cannot_be_read_gives_the_reason)
{
    struct image_info info;
    struct vitrine_error err = {0};

    tree_write("f", "hsqs");
    int fd = openat(tree, "f", O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(image_probe(fd, "X", &info, &err), -1);
    ck_assert_str_eq(err.text, "cannot use image X: cannot read it: Bad file descriptor");
    close(fd);
}
END_TEST

START_TEST(control_characters_of_a_file_stay_out_of_the_message)
{
    uint8_t data[SIF_FILE_SIZE];
    struct image_info info;
    struct vitrine_error err = {0};

    images_sif(data);
    put_text(data + 42, "\x1b[m");
    ck_assert_int_eq(probe(data, sizeof(data), &info, &err), -1);
    ck_assert_ptr_null(strchr(err.text, '\x1b'));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("probe");
    TCase *tc = tcase_create("probe");

    tcase_add_checked_fixture(tc, tree_make, tree_remove);
    tcase_add_test(tc, squashfs_is_known_by_its_content);
    tcase_add_test(tc, sif_is_known_by_its_content);
    tcase_add_test(tc, directory_is_an_image_but_an_oci_layout_is_not);
    tcase_add_test(tc, what_a_loop_device_cannot_show_is_not_for_the_kernel);
    tcase_add_test(tc, position_of_the_descriptor_neither_matters_nor_changes);
    tcase_add_test(tc, message_has_name_and_reason);
    tcase_add_test(tc, damage_inside_of_sif_is_found);
    tcase_add_test(tc, common_files_are_named);
    tcase_add_test(tc, file_systems_are_named);
    tcase_add_test(tc, archives_are_told_apart);
    tcase_add_test(tc, hostile_archive_sizes_do_no_harm);
    tcase_add_test(tc, what_is_no_file_is_refused);
    tcase_add_test(tc, file_that_cannot_be_read_gives_the_reason);
    tcase_add_test(tc, control_characters_of_a_file_stay_out_of_the_message);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
