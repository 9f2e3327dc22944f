/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/squashfs.h"
#include "images.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static int parse(const uint8_t *data, struct squashfs_super *ret,
                 struct vitrine_error *err)
{
    return squashfs_parse(data, SQUASHFS_SUPER_SIZE, 0, SQUASHFS_SIZE, ret, err);
}

static void check_damages(const struct images_damage *damages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct images_damage *d = &damages[i];
        uint8_t data[SQUASHFS_SIZE];
        struct squashfs_super super = {.inodes = 77};
        struct vitrine_error err = {0};

        images_squashfs(data);
        images_put(data + d->offset, d->value, d->size);
        int rc = parse(data, &super, &err);
        images_check(d, rc, &err);
        ck_assert_msg(super.inodes == 77, "%s: output was touched", d->what);
    }
}

START_TEST(sound_superblock_is_read)
{
    uint8_t data[SQUASHFS_SIZE];
    struct squashfs_super super;
    struct vitrine_error err = {0};

    images_squashfs(data);
    ck_assert_msg(parse(data, &super, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(super.bytes_used, 1000);
    ck_assert_uint_eq(super.block_size, 131072);
    ck_assert_uint_eq(super.compressor, SQUASHFS_GZIP);
    ck_assert_uint_eq(super.root_inode, 0x40);
    ck_assert_uint_eq(super.export_table, 800);
    ck_assert_int_eq(err.code, VITRINE_OK);
}
END_TEST

START_TEST(error_may_be_left_out)
{
    uint8_t data[SQUASHFS_SIZE] = {0};
    struct squashfs_super super;

    ck_assert_int_eq(parse(data, &super, NULL), -1);
}
END_TEST

START_TEST(tables_that_may_be_missing_may_be_missing)
{
    uint8_t data[SQUASHFS_SIZE];
    struct squashfs_super super;
    struct vitrine_error err = {0};

    images_squashfs(data);
    images_put(data + 56, SQUASHFS_NO_TABLE, 8);
    images_put(data + 88, SQUASHFS_NO_TABLE, 8);
    images_put(data + 16, 0, 4);
    images_put(data + 80, SQUASHFS_NO_TABLE, 8);
    ck_assert_msg(parse(data, &super, &err) == 0, "%s", err.text);
}
END_TEST

START_TEST(every_block_size_of_the_format_is_accepted)
{
    for (unsigned log = 12; log <= 20; log++) {
        uint8_t data[SQUASHFS_SIZE];
        struct squashfs_super super;
        struct vitrine_error err = {0};

        images_squashfs(data);
        images_put(data + 12, UINT64_C(1) << log, 4);
        images_put(data + 22, log, 2);
        ck_assert_msg(parse(data, &super, &err) == 0, "%u: %s", log, err.text);
    }
}
END_TEST

START_TEST(known_compressors_have_names)
{
    static const char *const names[] = {NULL, "gzip", "lzma", "lzo",
                                        "xz", "lz4",  "zstd", NULL};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        const char *got = squashfs_compressor_name(i);

        ck_assert_msg(names[i] ? got && strcmp(got, names[i]) == 0 : !got, "%u", i);
    }
}
END_TEST

START_TEST(other_versions_and_compressors_are_named)
{
    static const struct images_damage damages[] = {
        {"version 3", 28, 2, 3, VITRINE_EUNSUPPORTED, "written by SquashFS 3.x"},
        {"version 1", 28, 2, 1, VITRINE_EUNSUPPORTED, "written by SquashFS 1.x"},
        {"version 5", 28, 2, 5, VITRINE_EFORMAT, "version is 5.0"},
        {"version 0", 28, 2, 0, VITRINE_EFORMAT, "version is 0.0"},
        {"version 4.7", 30, 2, 7, VITRINE_EFORMAT, "version is 4.7"},
        {"firmware", 0, 4, 0x71736873, VITRINE_EUNSUPPORTED, "firmware"},
        {"lzma", 20, 2, 2, VITRINE_EUNSUPPORTED, "lzma"},
        {"compressor 0", 20, 2, 0, VITRINE_EFORMAT, "unknown compressor 0"},
        {"compressor 7", 20, 2, 7, VITRINE_EFORMAT, "unknown compressor 7"},
        {"compressor 65535", 20, 2, 0xffff, VITRINE_EFORMAT, "unknown compressor 65535"},
        {"no magic", 0, 4, 0, VITRINE_EFORMAT, "no SquashFS"},
    };

    check_damages(damages, ARRAY_SIZE(damages));
}
END_TEST

START_TEST(big_endian_version_is_read_as_such)
{
    uint8_t data[SQUASHFS_SIZE] = "sqsh";
    struct squashfs_super super;
    struct vitrine_error err = {0};

    data[29] = 3;
    ck_assert_int_eq(parse(data, &super, &err), -1);
    ck_assert_msg(strstr(err.text, "SquashFS 3.x"), "%s", err.text);
}
END_TEST

START_TEST(numbers_that_cannot_be_are_damage)
{
    static const struct images_damage damages[] = {
        {"no inodes", 4, 4, 0, VITRINE_EFORMAT, "no inodes"},
        {"no owners", 26, 2, 0, VITRINE_EFORMAT, "no owners"},
        {"block size 0", 12, 4, 0, VITRINE_EFORMAT, "block size is 0"},
        {"block size 3", 12, 4, 131071, VITRINE_EFORMAT, "block size"},
        {"block size 2 MiB", 12, 4, 2097152, VITRINE_EFORMAT, "block size"},
        {"block size 2 KiB", 12, 4, 2048, VITRINE_EFORMAT, "block size"},
        {"logarithm 16", 22, 2, 16, VITRINE_EFORMAT, "logarithm 16"},
        {"logarithm 49", 22, 2, 49, VITRINE_EFORMAT, "logarithm 49"},
        {"logarithm 65535", 22, 2, 0xffff, VITRINE_EFORMAT, "logarithm 65535"},
        {"nothing used", 40, 8, 0, VITRINE_EFORMAT, "its size is 0"},
        {"95 bytes used", 40, 8, 95, VITRINE_EFORMAT, "its size is 95"},
        {"2^63 used", 40, 8, UINT64_C(1) << 63, VITRINE_EFORMAT, "damaged"},
        {"2^64-1 used", 40, 8, UINT64_MAX, VITRINE_EFORMAT, "damaged"},
        {"root behind inodes", 32, 8, 100 << 16, VITRINE_EFORMAT, "root directory"},
        {"root far away", 32, 8, UINT64_MAX << 16, VITRINE_EFORMAT, "root directory"},
        {"root behind its block", 32, 8, 8192, VITRINE_EFORMAT, "root directory"},
    };

    check_damages(damages, ARRAY_SIZE(damages));
}
END_TEST

START_TEST(tables_out_of_order_or_place_are_damage)
{
    static const struct images_damage damages[] = {
        {"attributes at the end", 56, 8, 990, VITRINE_EFORMAT, "attribute table"},
        {"attributes outside", 56, 8, 1001, VITRINE_EFORMAT, "attribute table"},
        {"attributes at 2^64-2", 56, 8, UINT64_MAX - 1, VITRINE_EFORMAT, "attribute"},
        {"attributes first", 56, 8, 10, VITRINE_EFORMAT, "owner table"},
        {"owners outside", 48, 8, UINT64_MAX, VITRINE_EFORMAT, "owner table"},
        {"owners reach into attributes", 48, 8, 943, VITRINE_EFORMAT, "owner table"},
        {"owners at 0", 48, 8, 0, VITRINE_EFORMAT, "export table"},
        {"export behind owners", 88, 8, 901, VITRINE_EFORMAT, "export table"},
        {"export reaches into owners", 88, 8, 893, VITRINE_EFORMAT, "export table"},
        {"export first", 88, 8, 1, VITRINE_EFORMAT, "fragment table"},
        {"fragments missing", 80, 8, UINT64_MAX, VITRINE_EFORMAT, "fragment table"},
        {"fragments reach into export", 80, 8, 795, VITRINE_EFORMAT, "fragment table"},
        {"many fragments", 16, 4, UINT32_MAX, VITRINE_EFORMAT, "fragment table"},
        {"many inodes", 4, 4, UINT32_MAX, VITRINE_EFORMAT, "export table"},
        {"many owners", 26, 2, UINT16_MAX, VITRINE_EFORMAT, "owner table"},
        {"directories behind fragments", 72, 8, 701, VITRINE_EFORMAT, "directory table"},
        {"directories at 2^63", 72, 8, UINT64_C(1) << 63, VITRINE_EFORMAT, "directory"},
        {"inodes behind directories", 64, 8, 601, VITRINE_EFORMAT, "inode table"},
        {"no room for inodes", 64, 8, 600, VITRINE_EFORMAT, "inode table"},
        {"inodes in the superblock", 64, 8, 95, VITRINE_EFORMAT, "inode table"},
    };

    check_damages(damages, ARRAY_SIZE(damages));
}
END_TEST

START_TEST(truncated_file_is_told_with_numbers)
{
    uint8_t data[SQUASHFS_SIZE];
    struct squashfs_super super;
    struct vitrine_error err = {0};

    images_squashfs(data);
    ck_assert_int_eq(squashfs_parse(data, 96, 0, 999, &super, &err), -1);
    ck_assert_str_eq(err.text, "it is truncated: the SquashFS file system needs 1000 "
                               "bytes, the file has 999; copy it again");
    ck_assert_int_eq(squashfs_parse(data, 96, 0, 1000, &super, &err), 0);
    ck_assert_int_eq(squashfs_parse(data, 96, 4096, 5095, &super, &err), -1);
    ck_assert_msg(strstr(err.text, "needs 5096 bytes, the file has 5095"), "%s",
                  err.text);
    ck_assert_int_eq(squashfs_parse(data, 96, 4096, 5096, &super, &err), 0);
}
END_TEST

START_TEST(no_byte_behind_the_end_is_read)
{
    struct squashfs_super super;
    uint8_t whole[SQUASHFS_SIZE];

    images_squashfs(whole);
    for (size_t size = 0; size < SQUASHFS_SUPER_SIZE; size++) {
        /* Its own allocation, so that a sanitizer or valgrind sees a step too far. */
        uint8_t *data = malloc(size ? size : 1);
        struct vitrine_error err = {0};

        ck_assert_ptr_nonnull(data);
        memcpy(data, whole, size);
        ck_assert_int_eq(squashfs_parse(data, size, 0, size, &super, &err), -1);
        ck_assert_int_eq(err.code, VITRINE_EFORMAT);
        free(data);
    }
}
END_TEST

START_TEST(offset_behind_the_file_is_refused)
{
    uint8_t data[SQUASHFS_SIZE];
    struct squashfs_super super;
    struct vitrine_error err = {0};

    images_squashfs(data);
    ck_assert_int_eq(squashfs_parse(data, 96, 2000, 1000, &super, &err), -1);
    ck_assert_int_eq(squashfs_parse(data, 96, UINT64_MAX, 1000, &super, &err), -1);
    ck_assert_int_eq(squashfs_parse(data, 96, INT64_MAX - 99, INT64_MAX, &super, &err),
                     -1);
}
END_TEST

/* A superblock with one id, its block and the position of that. */
#define ID_BLOCK 900
#define ID_TABLE 906

static int make_ids(uint16_t header, uint32_t id, uint64_t position)
{
    uint8_t data[SQUASHFS_SIZE] = {0};
    int fd = memfd_create("ids", MFD_CLOEXEC);

    images_put(data + ID_BLOCK, header, 2);
    images_put(data + ID_BLOCK + 2, id, 4);
    images_put(data + ID_TABLE, position, 8);
    ck_assert_int_eq(pwrite(fd, data, sizeof(data), 77), sizeof(data));
    return fd;
}

START_TEST(only_id_is_found_where_it_is_stored_as_it_is)
{
    static const struct {
        uint64_t position;
        uint16_t ids, header;
        bool known;
    } cases[] = {
        {ID_BLOCK, 1, 0x8004, true},      {ID_BLOCK, 2, 0x8004, false},
        {ID_BLOCK, 1, 0x0004, false}, /* compressed */
        {ID_BLOCK, 1, 0x8008, false},     {ID_BLOCK, 1, 0x8000, false},
        {ID_BLOCK + 1, 1, 0x8004, false}, /* reaches into the table */
        {ID_TABLE, 1, 0x8004, false},     {ID_TABLE + 100, 1, 0x8004, false},
        {UINT64_MAX, 1, 0x8004, false},   {UINT64_MAX - 77, 1, 0x8004, false},
        {INT64_MAX, 1, 0x8004, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct squashfs_super super = {.ids = cases[i].ids, .id_table = ID_TABLE};
        int fd = make_ids(cases[i].header, 123456, cases[i].position);
        uint32_t id = 5;

        ck_assert_msg(squashfs_only_id(fd, &super, 77, &id) == cases[i].known, "%zu", i);
        ck_assert_uint_eq(id, cases[i].known ? 123456 : 5);
        ck_assert(!squashfs_only_id(fd, &super, 100000, &id));
        ck_assert(!squashfs_only_id(-1, &super, 77, &id));
        (void)close(fd);
    }
}
END_TEST

/* What mksquashfs itself writes. */
START_TEST(only_id_of_each_compressor_is_known)
{
    static const char *const options[] = {"-comp gzip", "-comp lzo",  "-comp lz4",
                                          "-comp xz",   "-comp zstd", "-comp zstd -noI"};
    char command[512], path[64] = "/tmp/vitrine-test-ids.XXXXXX";
    uint8_t data[SQUASHFS_SUPER_SIZE];
    struct squashfs_super super;
    uint32_t id;

    if (system("command -v mksquashfs >/dev/null") != 0)
        return;
    (void)close(mkstemp(path));
    for (size_t i = 0; i < sizeof(options) / sizeof(*options) * 2; i++) {
        bool root = i % 2;

        (void)snprintf(command, sizeof(command),
                       "mksquashfs /etc/hostname %s -noappend -quiet -no-progress %s "
                       "-force-uid %d -force-gid 0 >/dev/null",
                       path, options[i / 2], root ? 0 : 1000);
        ck_assert_int_eq(system(command), 0);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(pread(fd, data, sizeof(data), 0), sizeof(data));
        ck_assert_int_eq(squashfs_parse(data, sizeof(data), 0, 1 << 20, &super, NULL), 0);
        id = 77;
        ck_assert_msg(squashfs_only_id(fd, &super, 0, &id) == root, "%s", options[i / 2]);
        ck_assert_uint_eq(id, root ? 0 : 77);
        (void)close(fd);
    }
    (void)unlink(path);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("squashfs");
    TCase *tc = tcase_create("squashfs");

    tcase_add_test(tc, sound_superblock_is_read);
    tcase_add_test(tc, error_may_be_left_out);
    tcase_add_test(tc, tables_that_may_be_missing_may_be_missing);
    tcase_add_test(tc, every_block_size_of_the_format_is_accepted);
    tcase_add_test(tc, known_compressors_have_names);
    tcase_add_test(tc, other_versions_and_compressors_are_named);
    tcase_add_test(tc, big_endian_version_is_read_as_such);
    tcase_add_test(tc, numbers_that_cannot_be_are_damage);
    tcase_add_test(tc, tables_out_of_order_or_place_are_damage);
    tcase_add_test(tc, truncated_file_is_told_with_numbers);
    tcase_add_test(tc, no_byte_behind_the_end_is_read);
    tcase_add_test(tc, offset_behind_the_file_is_refused);
    tcase_add_test(tc, only_id_is_found_where_it_is_stored_as_it_is);
    tcase_add_test(tc, only_id_of_each_compressor_is_known);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
