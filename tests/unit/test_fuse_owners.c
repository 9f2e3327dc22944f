/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/fuse-owners.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

START_TEST(text_is_understood_as_it_was_written)
{
    static const char *const texts[] = {
        "all:0:0",
        "all:1000:2000",
        "all:4294967295:4294967295",
        "map:0:1000:1/0:2000:1",
        "map:0:1000:1,1:100000:65536/0:2000:1,1:200000:65536,65537:7:1",
        "map:0:1000:0/4294967294:4294967294:1",
    };
    struct fuse_owners owners;
    char text[FUSE_OWNERS_TEXT];

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        ck_assert_msg(fuse_owners_parse(texts[i], &owners), "%s", texts[i]);
        fuse_owners_format(&owners, text);
        ck_assert_str_eq(text, texts[i]);
    }
}
END_TEST

START_TEST(other_text_is_refused)
{
    static const char *const texts[] = {
        "",
        "all",
        "all:",
        "all:1",
        "all:1:",
        "all::1",
        "all:1:1:",
        "all:1:1 ",
        "all:-1:1",
        "all: 1:1",
        "all:4294967296:1",
        "all:1:99999999999999999999999",
        "ALL:1:1",
        "map:",
        "map:/",
        "map:0:1:1",
        "map:0:1:1/",
        "map:/0:1:1",
        "map:0:1/0:1",
        "map:0:1:1,/0:1:1",
        "map:,0:1:1/0:1:1",
        "map:0:1:1/0:1:1/",
        "map:0:1:1/0:1:1,",
        "map:1:0:4294967295/0:1:1", /* wraps */
        "map:0:1:4294967295/0:1:1",
        "0",
    };
    struct fuse_owners owners = {.uid = 77};

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        ck_assert_msg(!fuse_owners_parse(texts[i], &owners), "%s", texts[i]);
    ck_assert_uint_eq(owners.uid, 77);
}
END_TEST

START_TEST(longest_maps_have_room_and_longer_ones_are_refused)
{
    struct fuse_owners owners = {.nuids = LIMIT_SUBIDS + 1, .ngids = LIMIT_SUBIDS + 1};
    struct fuse_owners got;
    char text[FUSE_OWNERS_TEXT], again[FUSE_OWNERS_TEXT], longer[FUSE_OWNERS_TEXT + 16];

    for (size_t i = 0; i <= LIMIT_SUBIDS; i++)
        owners.uids[i] = owners.gids[i] =
            (struct id_map){2147483647, 2147483647, 2147483648U};
    fuse_owners_format(&owners, text);
    ck_assert(fuse_owners_parse(text, &got));
    fuse_owners_format(&got, again);
    ck_assert_str_eq(again, text);
    (void)snprintf(longer, sizeof(longer), "map:0:0:1,%s", text + strlen("map:"));
    ck_assert(!fuse_owners_parse(longer, &got));
}
END_TEST

START_TEST(ids_are_mapped_and_others_are_nobodys)
{
    const char *text = "map:0:1000:1,1:100000:100/0:2000:1,50:7:2";
    struct fuse_owners owners;

    ck_assert(fuse_owners_parse(text, &owners));
    ck_assert_uint_eq(fuse_owners_uid(&owners, 0), 1000);
    ck_assert_uint_eq(fuse_owners_uid(&owners, 1), 100000);
    ck_assert_uint_eq(fuse_owners_uid(&owners, 100), 100099);
    ck_assert_uint_eq(fuse_owners_uid(&owners, 101), 65534);
    ck_assert_uint_eq(fuse_owners_uid(&owners, 4294967295U), 65534);
    ck_assert_uint_eq(fuse_owners_gid(&owners, 0), 2000);
    ck_assert_uint_eq(fuse_owners_gid(&owners, 51), 8);
    ck_assert_uint_eq(fuse_owners_gid(&owners, 49), 65534);
    ck_assert(fuse_owners_parse("all:5:6", &owners));
    ck_assert_uint_eq(fuse_owners_uid(&owners, 4294967295U), 5);
    ck_assert_uint_eq(fuse_owners_gid(&owners, 0), 6);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("fuse_owners");
    TCase *tc = tcase_create("fuse_owners");

    tcase_add_test(tc, text_is_understood_as_it_was_written);
    tcase_add_test(tc, other_text_is_refused);
    tcase_add_test(tc, longest_maps_have_room_and_longer_ones_are_refused);
    tcase_add_test(tc, ids_are_mapped_and_others_are_nobodys);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
