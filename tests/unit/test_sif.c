/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/sif.h"
#include "base/limits.h"
#include "images.h"

#define EXTRA(n) (SIF_ENTRY(n) + 201)

static int find(const uint8_t *data, uint64_t file_size, struct sif_partition *ret,
                struct vitrine_error *err)
{
    struct sif_header header;

    if (sif_parse_header(data, SIF_HEADER_SIZE, file_size, &header, err) < 0)
        return -1;
    ck_assert_uint_eq(header.table, SIF_TABLE);
    return sif_find_system(data + SIF_TABLE, header.descriptors, file_size, ret, err);
}

static void check_damages(const struct images_damage *damages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct images_damage *d = &damages[i];
        uint8_t data[SIF_FILE_SIZE];
        struct sif_partition part = {.offset = 77};
        struct vitrine_error err = {0};

        images_sif(data);
        images_put(data + d->offset, d->value, d->size);
        int rc = find(data, SIF_FILE_SIZE, &part, &err);
        images_check(d, rc, &err);
        ck_assert_msg(part.offset == 77, "%s: output was touched", d->what);
    }
}

START_TEST(system_partition_is_found)
{
    uint8_t data[SIF_FILE_SIZE];
    struct sif_partition part;
    struct vitrine_error err = {0};

    images_sif(data);
    ck_assert_msg(find(data, SIF_FILE_SIZE, &part, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(part.offset, SIF_OFFSET);
    ck_assert_uint_eq(part.size, SQUASHFS_SIZE);
    int fd = images_file(data, sizeof(data));
    ck_assert_int_eq(sif_read(fd, sizeof(data), &part, &err), 0);
    ck_assert_uint_eq(part.offset, SIF_OFFSET);
    close(fd);
}
END_TEST

START_TEST(launch_script_does_not_matter)
{
    uint8_t data[SIF_FILE_SIZE];
    struct sif_partition part;
    struct vitrine_error err = {0};

    images_sif(data);
    memset(data, 0, 32);
    ck_assert_int_eq(find(data, SIF_FILE_SIZE, &part, &err), 0);
    memset(data, 0xff, 32);
    ck_assert_int_eq(find(data, SIF_FILE_SIZE, &part, &err), 0);
}
END_TEST

START_TEST(image_of_unknown_architecture_is_left_to_a_later_look)
{
    static const char *const codes[] = {"00", "99", "", "ab"};

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        uint8_t data[SIF_FILE_SIZE];
        struct sif_partition part;
        struct vitrine_error err = {0};

        images_sif(data);
        memset(data + EXTRA(1) + 8, 0, 3);
        memcpy(data + EXTRA(1) + 8, codes[i], strlen(codes[i]));
        ck_assert_msg(find(data, SIF_FILE_SIZE, &part, &err) == 0, "%s", err.text);
    }
}
END_TEST

START_TEST(partitions_that_cannot_be_run_are_named)
{
    static const struct images_damage damages[] = {
        {"encrypted", EXTRA(1), 4, 5, VITRINE_EFORMAT, "is encrypted; decrypt it with"},
        {"gocryptfs", EXTRA(1), 4, 6, VITRINE_EFORMAT, "is encrypted"},
        {"ext3", EXTRA(1), 4, 2, VITRINE_EUNSUPPORTED, "ext3"},
        {"archive", EXTRA(1), 4, 3, VITRINE_EUNSUPPORTED, "archive"},
        {"raw", EXTRA(1), 4, 4, VITRINE_EUNSUPPORTED, "raw data"},
        {"type 0", EXTRA(1), 4, 0, VITRINE_EFORMAT, "unknown file system type 0"},
        {"type 2^32-1", EXTRA(1), 4, UINT32_MAX, VITRINE_EFORMAT, "type 4294967295"},
        {"s390x", EXTRA(1) + 8, 2, 0x3131, VITRINE_EUNSUPPORTED,
         "is built for s390x, this node is "},
        {"mips64", EXTRA(1) + 8, 2, 0x3930, VITRINE_EUNSUPPORTED, "built for mips64"},
    };

    check_damages(damages, ARRAY_SIZE(damages));
}
END_TEST

START_TEST(file_without_one_primary_partition_is_refused)
{
    static const struct images_damage damages[] = {
        {"system", EXTRA(1) + 4, 4, 1, VITRINE_EFORMAT, "no primary system partition"},
        {"data", EXTRA(1) + 4, 4, 3, VITRINE_EFORMAT, "no primary system partition"},
        {"overlay", EXTRA(1) + 4, 4, 4, VITRINE_EFORMAT, "no primary system partition"},
        {"not used", SIF_ENTRY(1) + 4, 1, 0, VITRINE_EFORMAT, "no primary system"},
        {"no partition", SIF_ENTRY(1), 4, 0x4007, VITRINE_EFORMAT, "no primary system"},
        {"behind the count", 88, 8, 1, VITRINE_EFORMAT, "no primary system"},
        {"OCI-SIF", SIF_ENTRY(1), 4, 0x400a, VITRINE_EUNSUPPORTED, "OCI layers"},
    };
    uint8_t data[SIF_FILE_SIZE];
    struct sif_partition part;
    struct vitrine_error err = {0};

    check_damages(damages, ARRAY_SIZE(damages));
    images_sif(data);
    memcpy(data + SIF_ENTRY(3), data + SIF_ENTRY(1), 585);
    ck_assert_int_eq(find(data, SIF_FILE_SIZE, &part, &err), -1);
    ck_assert_msg(strstr(err.text, "two primary system"), "%s", err.text);
}
END_TEST

START_TEST(numbers_that_cannot_be_are_damage)
{
    static const struct images_damage damages[] = {
        {"no magic", 32, 4, 0, VITRINE_EFORMAT, "no SIF file"},
        {"version 02", 43, 1, '2', VITRINE_EFORMAT, "version is \"02\""},
        {"version without end", 44, 1, '1', VITRINE_EFORMAT, "version is \"011\""},
        {"no descriptors", 88, 8, 0, VITRINE_EFORMAT, "tells of 0 descriptors"},
        {"too many", 88, 8, LIMIT_SIF_DESCRIPTORS + 1, VITRINE_EFORMAT, "damaged"},
        {"2^63 of them", 88, 8, UINT64_C(1) << 63, VITRINE_EFORMAT, "damaged"},
        {"whose size wraps", 88, 8, UINT64_MAX / 585 + 2, VITRINE_EFORMAT, "damaged"},
        {"all that are allowed", 88, 8, LIMIT_SIF_DESCRIPTORS, VITRINE_EFORMAT,
         "truncated within its SIF descriptors"},
        {"table in the header", 96, 8, 127, VITRINE_EFORMAT, "damaged"},
        {"table at the end", 96, 8, SIF_FILE_SIZE - 585, VITRINE_EFORMAT, "truncated"},
        {"table behind the end", 96, 8, SIF_FILE_SIZE + 1, VITRINE_EFORMAT, "truncated"},
        {"table at 2^64-1", 96, 8, UINT64_MAX, VITRINE_EFORMAT, "truncated"},
        {"partition in the header", SIF_ENTRY(1) + 17, 8, 127, VITRINE_EFORMAT,
         "damaged"},
        {"partition at 2^63", SIF_ENTRY(1) + 17, 8, UINT64_C(1) << 63, VITRINE_EFORMAT,
         "damaged"},
        {"partition at -1", SIF_ENTRY(1) + 17, 8, UINT64_MAX, VITRINE_EFORMAT, "damaged"},
        {"empty partition", SIF_ENTRY(1) + 25, 8, 0, VITRINE_EFORMAT, "is 0 bytes"},
        {"size -1", SIF_ENTRY(1) + 25, 8, UINT64_MAX, VITRINE_EFORMAT, "damaged"},
        {"sum that wraps", SIF_ENTRY(1) + 25, 8, INT64_MAX, VITRINE_EFORMAT, "damaged"},
        {"one byte too long", SIF_ENTRY(1) + 25, 8, SQUASHFS_SIZE + 1, VITRINE_EFORMAT,
         "truncated: its system partition ends at 5121, the file has 5120 bytes"},
    };

    check_damages(damages, ARRAY_SIZE(damages));
}
END_TEST

START_TEST(no_byte_behind_the_end_is_read)
{
    uint8_t whole[SIF_FILE_SIZE];
    struct sif_header header;

    images_sif(whole);
    for (size_t size = 0; size < SIF_HEADER_SIZE; size++) {
        uint8_t *data = malloc(size ? size : 1);
        struct vitrine_error err = {0};

        ck_assert_ptr_nonnull(data);
        memcpy(data, whole, size);
        ck_assert_int_eq(sif_parse_header(data, size, size, &header, &err), -1);
        ck_assert_int_eq(err.code, VITRINE_EFORMAT);
        free(data);
    }
}
END_TEST

START_TEST(file_that_shrinks_while_it_is_read_is_refused)
{
    uint8_t data[SIF_FILE_SIZE];
    struct sif_partition part;

    images_sif(data);
    for (off_t size = 0; size < SIF_ENTRY(SIF_DESCRIPTORS); size += 64) {
        struct vitrine_error err = {0};
        int fd = images_file(data, (size_t)size);

        ck_assert_int_eq(sif_read(fd, SIF_FILE_SIZE, &part, &err), -1);
        ck_assert_msg(err.code != VITRINE_OK, "%ld", (long)size);
        close(fd);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("sif");
    TCase *tc = tcase_create("sif");

    tcase_add_test(tc, system_partition_is_found);
    tcase_add_test(tc, launch_script_does_not_matter);
    tcase_add_test(tc, image_of_unknown_architecture_is_left_to_a_later_look);
    tcase_add_test(tc, partitions_that_cannot_be_run_are_named);
    tcase_add_test(tc, file_without_one_primary_partition_is_refused);
    tcase_add_test(tc, numbers_that_cannot_be_are_damage);
    tcase_add_test(tc, no_byte_behind_the_end_is_read);
    tcase_add_test(tc, file_that_shrinks_while_it_is_read_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
