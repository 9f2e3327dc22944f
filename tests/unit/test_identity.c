/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "identity/identity.h"
#include "base/cleanup.h"
#include "unit.h"

#include <string.h>

static const struct vitrine_group groups[] = {
    {1000, "ada"},
    {2000, "project"},
    {3000, NULL},
};

static const struct vitrine_identity ada = {
    .uid = 1000,
    .gid = 1000,
    .user = "ada",
    .gecos = "Ada Lovelace",
    .home = "/home/ada",
    .shell = "/bin/bash",
    .groups = groups,
    .ngroups = 3,
};

#define ADA       "ada:x:1000:1000:Ada Lovelace:/home/ada:/bin/bash\n"
#define ADA_GROUP "ada:x:1000:\nproject:x:2000:ada\n"
#define ROOT      "root:x:0:0:root:/root:/bin/sh\n"

struct image_case {
    const char *image, *expected;
};

static void check_passwd(const struct vitrine_identity *who, const char *image,
                         const char *expected)
{
    cleanup_free char *got = identity_passwd(who, image);

    ck_assert_ptr_nonnull(got);
    ck_assert_str_eq(got, expected);
}

static void check_group(const struct vitrine_identity *who, const char *image,
                        const char *expected)
{
    cleanup_free char *got = identity_group(who, image);

    ck_assert_ptr_nonnull(got);
    ck_assert_str_eq(got, expected);
}

START_TEST(users_entry_wins_over_a_name_or_id_of_the_image)
{
    static const struct image_case cases[] = {
        {"", ADA},
        {ROOT, ROOT ADA},
        {"ada:x:7:7::/ada:/bin/zsh\n" ROOT, ROOT ADA},
        {"ubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n" ROOT, ROOT ADA},
        {"ada:x:7:7::/:\nubuntu:x:1000:1:::\nada:x:1000:1:::\n", ADA},
        {"adam:x:10001:1:::\nad:x:100:1:::\n", "adam:x:10001:1:::\nad:x:100:1:::\n" ADA},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check_passwd(&ada, cases[i].image, cases[i].expected);
}
END_TEST

START_TEST(hostile_passwd_lines_neither_crash_nor_join_others)
{
    static const struct image_case cases[] = {
        {"\n\n\n", ADA},
        {"root:x:0:0:root:/root:/bin/sh", ROOT ADA}, /* no newline at the end */
        {":", ":\n" ADA},
        {":::::::::", ":::::::::\n" ADA},
        {"ada", ADA},
        {"ada:", ADA},
        {"x:1000", "x:1000\n" ADA},
        {"x:y:1000", ADA},
        {"x:y:1000\r\n", "x:y:1000\r\n" ADA}, /* not that id: the field has a CR */
        {"x:y:1000:\r\nr:x:0:0:::\r\n", "r:x:0:0:::\r\n" ADA},
        {"x:y:01000:1:::\n", "x:y:01000:1:::\n" ADA},
        {"x:y: 1000:1:::\n", "x:y: 1000:1:::\n" ADA},
        {"+@netgroup\n-ada\n+\n", "+@netgroup\n-ada\n+\n" ADA},
        {"# ada:x:1000\n", ADA},
        {"\xff\xfe:x:5:5:::\n", "\xff\xfe:x:5:5:::\n" ADA},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check_passwd(&ada, cases[i].image, cases[i].expected);
}
END_TEST

START_TEST(very_long_lines_stay_whole)
{
    enum { LENGTH = 1 << 20 };
    cleanup_free char *image = malloc(LENGTH + 1);
    cleanup_free char *expected = malloc(LENGTH + sizeof("\n" ADA));

    ck_assert(image && expected);
    memset(image, 'a', LENGTH);
    image[LENGTH] = '\0';
    memcpy(expected, image, LENGTH);
    memcpy(expected + LENGTH, "\n" ADA, sizeof("\n" ADA));
    check_passwd(&ada, image, expected);

    memset(image, ':', LENGTH);
    memset(expected, ':', LENGTH);
    check_passwd(&ada, image, expected);
}
END_TEST

START_TEST(what_could_end_a_field_is_left_out)
{
    static const struct {
        const char *gecos, *home, *shell, *expected;
    } cases[] = {
        {"a:b", "/h", "/s", "ada:x:1000:1000::/h:/s\n"},
        {"a\nroot::0:0:::", "/h", "/s", "ada:x:1000:1000::/h:/s\n"},
        {"g", "/h:/h", "/s", "ada:x:1000:1000:g:/:/s\n"},
        {"g", "/h\nr::0:0:::", "/s", "ada:x:1000:1000:g:/:/s\n"},
        {"g", "/h", "/s\nr::0:0:::", "ada:x:1000:1000:g:/h:/bin/sh\n"},
        {NULL, NULL, NULL, "ada:x:1000:1000::/:/bin/sh\n"},
        {"\xc3\xa9,,,", "/h h", "", "ada:x:1000:1000:\xc3\xa9,,,:/h h:\n"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct vitrine_identity who = ada;

        who.gecos = cases[i].gecos;
        who.home = cases[i].home;
        who.shell = cases[i].shell;
        check_passwd(&who, "", cases[i].expected);
    }
}
END_TEST

START_TEST(user_whose_name_cannot_be_written_gets_no_entry)
{
    static const char *const names[] = {NULL, "", "a:b", "a\nb", ":", "\n"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct vitrine_identity who = ada;

        who.user = names[i];
        check_passwd(&who, ROOT, ROOT);
        check_passwd(&who, "ubuntu:x:1000:1000:::\n" ROOT, ROOT);
    }
}
END_TEST

START_TEST(root_as_user_replaces_the_images_root)
{
    static const struct vitrine_group wheel[] = {{0, "root"}};
    const struct vitrine_identity root = {.user = "root",
                                          .home = "/root",
                                          .shell = "/bin/bash",
                                          .groups = wheel,
                                          .ngroups = 1};

    check_passwd(&root, "root:*:0:0:::\ntoor:x:0:0:::\nbin:x:1:1:::\n",
                 "bin:x:1:1:::\nroot:x:0:0::/root:/bin/bash\n");
    check_group(&root, "root:x:0:\nbin:x:1:\n", "bin:x:1:\nroot:x:0:\n");
}
END_TEST

START_TEST(highest_ids_are_written_as_they_are)
{
    const struct vitrine_group high[] = {{4294967294U, "g"}};
    const struct vitrine_identity who = {.uid = 4294967294U,
                                         .gid = 4294967294U,
                                         .user = "u",
                                         .home = "/",
                                         .shell = "/s",
                                         .groups = high,
                                         .ngroups = 1};

    check_passwd(&who, "nobody:x:4294967294:1:::\n", "u:x:4294967294:4294967294::/:/s\n");
    check_group(&who, "x:x:4294967294:\n", "g:x:4294967294:\n");
}
END_TEST

START_TEST(groups_win_over_names_and_ids_of_the_image)
{
    static const struct image_case cases[] = {
        {"", ADA_GROUP},
        {"root:x:0:\n", "root:x:0:\n" ADA_GROUP},
        {"project:x:5:eve\nroot:x:0:\n", "root:x:0:\n" ADA_GROUP},
        {"staff:x:2000:eve\nroot:x:0:\n", "root:x:0:\n" ADA_GROUP},
        {"ada:x:5:\nubuntu:x:1000:\n", ADA_GROUP},
        {"projects:x:20000:\n", "projects:x:20000:\n" ADA_GROUP},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check_group(&ada, cases[i].image, cases[i].expected);
}
END_TEST

START_TEST(hostile_group_lines_neither_crash_nor_join_others)
{
    static const struct image_case cases[] = {
        {"\n\n", ADA_GROUP},
        {"root:x:0:", "root:x:0:\n" ADA_GROUP}, /* no newline at the end */
        {":::", ":::\n" ADA_GROUP},
        {"project", ADA_GROUP},
        {"x:2000", "x:2000\n" ADA_GROUP},
        {"x:y:2000", ADA_GROUP},
        {"root:x:0:\r\n", "root:x:0:\r\n" ADA_GROUP},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check_group(&ada, cases[i].image, cases[i].expected);
}
END_TEST

START_TEST(groups_without_a_usable_name_leave_the_images_alone)
{
    static const struct vitrine_group odd[] = {
        {5, NULL}, {6, ""}, {7, "a:b"}, {8, "a\nroot::0:"}};
    struct vitrine_identity who = ada;

    who.groups = odd;
    who.ngroups = 4;
    check_group(&who, "tty:x:5:\nlp:x:7:\nmail:x:8:\n", "tty:x:5:\nlp:x:7:\nmail:x:8:\n");
    who.groups = NULL;
    who.ngroups = 0;
    check_group(&who, "tty:x:5:\n", "tty:x:5:\n");
    check_group(&who, "", "");
}
END_TEST

START_TEST(nameless_user_is_member_of_nothing_by_name)
{
    struct vitrine_identity who = ada;

    who.user = NULL;
    check_group(&who, "", "ada:x:1000:\nproject:x:2000:\n");
    who.user = "a:b";
    check_group(&who, "", "ada:x:1000:\nproject:x:2000:\n");
}
END_TEST

START_TEST(fake_root_has_the_images_names)
{
    static const struct image_case cases[] = {
        {"", ROOT},
        {ROOT, ROOT},
        {"ada:x:1000:7:::\n" ROOT "bin:x:1:1:::",
         "ada:x:1000:7:::\n" ROOT "bin:x:1:1:::\n"},
        {"bin:x:1:1:::", "bin:x:1:1:::\n" ROOT},
        {"\n# none\n", "\n# none\n" ROOT},
        {"toor:x:0:0:::\n", "toor:x:0:0:::\n"},
        {"root:x:5:0:::\n", "root:x:5:0:::\n"},
        {"rooty:x:00:0:::\n", "rooty:x:00:0:::\n" ROOT},
        {":\n::\n:::::\n", ":\n::\n:::::\n" ROOT},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cleanup_free char *got = identity_root_passwd(cases[i].image);

        ck_assert_str_eq(got, cases[i].expected);
    }
}
END_TEST

START_TEST(fake_root_keeps_the_groups_that_keep_their_ids)
{
    static const struct vitrine_group many[] = {
        {0, "wheel"},      {500, "low"}, {501, "first"}, {1000, "ada"},
        {2000, "project"}, {3000, NULL}, {4000, "a:b"},
    };
    struct vitrine_identity who = ada;
    static const struct {
        uint32_t gids;
        const char *image, *expected;
    } cases[] = {
        {1, "root:x:0:\n",
         "root:x:0:\nlow:x:500:root\nfirst:x:501:root\nproject:x:2000:root\n"},
        {501, "root:x:0:\n", "root:x:0:\nfirst:x:501:root\nproject:x:2000:root\n"},
        {65537, "a:x:500:\n", "a:x:500:\nroot:x:0:\n"},
        {501, "ada:x:5:\nx:x:1000:\n",
         "ada:x:5:\nx:x:1000:\nfirst:x:501:root\nproject:x:2000:root\nroot:x:0:\n"},
        {502, "other:x:2000:a\nproject:x:9:b\nlow:x:7:\nroot:x:0:",
         "low:x:7:\nroot:x:0:\nproject:x:2000:root\n"},
    };

    who.groups = many;
    who.ngroups = 7;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cleanup_free char *got = identity_root_group(&who, cases[i].gids, cases[i].image);

        ck_assert_str_eq(got, cases[i].expected);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("identity");
    TCase *tc = tcase_create("identity");

    tcase_add_test(tc, users_entry_wins_over_a_name_or_id_of_the_image);
    tcase_add_test(tc, hostile_passwd_lines_neither_crash_nor_join_others);
    tcase_add_test(tc, very_long_lines_stay_whole);
    tcase_add_test(tc, what_could_end_a_field_is_left_out);
    tcase_add_test(tc, user_whose_name_cannot_be_written_gets_no_entry);
    tcase_add_test(tc, root_as_user_replaces_the_images_root);
    tcase_add_test(tc, highest_ids_are_written_as_they_are);
    tcase_add_test(tc, groups_win_over_names_and_ids_of_the_image);
    tcase_add_test(tc, hostile_group_lines_neither_crash_nor_join_others);
    tcase_add_test(tc, groups_without_a_usable_name_leave_the_images_alone);
    tcase_add_test(tc, nameless_user_is_member_of_nothing_by_name);
    tcase_add_test(tc, fake_root_has_the_images_names);
    tcase_add_test(tc, fake_root_keeps_the_groups_that_keep_their_ids);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
