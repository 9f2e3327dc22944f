/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plugin/options.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

struct choice {
    const char *texts[OPTIONS_SOURCES]; /* command line, VITRINE_, PYXIS_, submission */
    const char *image;
    bool none;
    const char *source;
};

static void check_choice(const struct choice *c, size_t nr)
{
    struct options got;
    struct vitrine_error err = {.text = "untouched"};

    memset(&got, 'x', sizeof(got));
    ck_assert_msg(options_choose(c->texts, &got, &err) == 0, "case %zu: %s", nr,
                  err.text);
    ck_assert_str_eq(err.text, "untouched");
    ck_assert_str_eq(got.image, c->image);
    ck_assert_int_eq(got.none, c->none);
    if (c->source)
        ck_assert_str_eq(got.source, c->source);
    else
        ck_assert_ptr_null(got.source);
}

static void check_choices(const struct choice *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_choice(&cases[i], i);
}

#define CHECK_CHOICES(cases) check_choices(cases, sizeof(cases) / sizeof(*(cases)))

#define OPTION  "--container-image"
#define VITRINE "VITRINE_CONTAINER_IMAGE"
#define PYXIS   "PYXIS_CONTAINER_IMAGE"
#define SUBMIT  "SLURM_VITRINE_IMAGE"

START_TEST(stronger_source_wins)
{
    static const struct choice cases[] = {
        {{"/a", "/b", "/c", "/d"}, "/a", false, OPTION},
        {{NULL, "/b", "/c", "/d"}, "/b", false, VITRINE},
        {{NULL, NULL, "/c", "/d"}, "/c", false, PYXIS},
        {{NULL, NULL, NULL, "/d"}, "/d", false, SUBMIT},
        {{NULL, NULL, NULL, NULL}, "", false, NULL},
        {{"/a", NULL, NULL, "/d"}, "/a", false, OPTION},
        {{"/a", NULL, "/c", NULL}, "/a", false, OPTION},
        {{"a.sqfs", "/b", NULL, NULL}, "a.sqfs", false, OPTION},
    };

    CHECK_CHOICES(cases);
}
END_TEST

START_TEST(none_is_a_choice_like_others)
{
    static const struct choice cases[] = {
        {{"none", "/b", "/c", "/d"}, "none", true, OPTION},
        {{NULL, "none", "/c", "/d"}, "none", true, VITRINE},
        {{NULL, NULL, NULL, "none"}, "none", true, SUBMIT},
        {{"/a", "none", "none", "none"}, "/a", false, OPTION},
        {{"./none", NULL, NULL, NULL}, "./none", false, OPTION},
        {{"None", NULL, NULL, NULL}, "None", false, OPTION},
    };

    CHECK_CHOICES(cases);
}
END_TEST

START_TEST(empty_environment_variable_counts_as_unset)
{
    static const struct choice cases[] = {
        {{NULL, "", "/c", "/d"}, "/c", false, PYXIS},
        {{NULL, "", "", "/d"}, "/d", false, SUBMIT},
        {{NULL, "", "", ""}, "", false, NULL},
        {{"/a", "", "", ""}, "/a", false, OPTION},
    };

    CHECK_CHOICES(cases);
}
END_TEST

START_TEST(weaker_sources_are_not_even_looked_at)
{
    static const struct choice cases[] = {
        {{"/a", "docker://x", "\n", ""}, "/a", false, OPTION},
        {{NULL, "/b", "file:///x", NULL}, "/b", false, VITRINE},
    };

    CHECK_CHOICES(cases);
}
END_TEST

START_TEST(wrong_value_of_the_strongest_source_is_an_error_that_names_it)
{
    static const struct {
        const char *texts[OPTIONS_SOURCES];
        const char *begin;
        enum vitrine_errcode code;
    } cases[] = {
        {{"", "/b", "/c", "/d"}, OPTION ": the value is empty", VITRINE_EUSAGE},
        {{"docker://x", "/b", NULL, NULL}, OPTION ": image docker", VITRINE_EUNSUPPORTED},
        {{"a\nb", NULL, NULL, NULL}, OPTION ": the value has a", VITRINE_EUSAGE},
        {{NULL, "docker://x", "/c", NULL}, VITRINE ": image", VITRINE_EUNSUPPORTED},
        {{NULL, "", "\x1b[2J", "/d"}, PYXIS ": the value has", VITRINE_EUSAGE},
        {{NULL, NULL, NULL, "file:///x"}, SUBMIT ": write the path", VITRINE_EUSAGE},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct options got = {.image = "before", .none = true, .source = "before"};
        struct vitrine_error err = {0};

        ck_assert_int_eq(options_choose(cases[i].texts, &got, &err), -1);
        ck_assert_int_eq(err.code, cases[i].code);
        ck_assert_msg(strncmp(err.text, cases[i].begin, strlen(cases[i].begin)) == 0,
                      "%s", err.text);
        ck_assert(!strpbrk(err.text, "\n\x1b"));
        ck_assert_str_eq(got.image, "before");
        ck_assert(got.none);
        ck_assert_str_eq(got.source, "before");
        ck_assert_int_eq(options_choose(cases[i].texts, &got, NULL), -1);
    }
}
END_TEST

START_TEST(longest_value_fits_and_longer_ones_are_never_copied)
{
    static const size_t too_long[] = {OPTIONS_IMAGE_MAX + 1, OPTIONS_IMAGE_MAX + 2,
                                      sizeof(struct options), 1 << 24};
    char *text = malloc((1 << 24) + 1);
    struct {
        struct options options;
        char behind[64];
    } got;
    struct vitrine_error err = {0};

    ck_assert_ptr_nonnull(text);
    for (int source = 0; source < OPTIONS_SOURCES; source++) {
        const char *texts[OPTIONS_SOURCES] = {NULL};

        texts[source] = text;
        memset(text, 'x', 1 << 24);
        text[OPTIONS_IMAGE_MAX] = '\0';
        memset(&got, 'y', sizeof(got));
        ck_assert_int_eq(options_choose(texts, &got.options, &err), 0);
        ck_assert_uint_eq(strlen(got.options.image), OPTIONS_IMAGE_MAX);

        for (size_t i = 0; i < sizeof(too_long) / sizeof(*too_long); i++) {
            memset(text, 'x', 1 << 24);
            text[too_long[i]] = '\0';
            memset(&got, 'y', sizeof(got));
            ck_assert_int_eq(options_choose(texts, &got.options, &err), -1);
            ck_assert_int_eq(err.code, VITRINE_EUSAGE);
            for (size_t at = 0; at < sizeof(got); at++)
                ck_assert_int_eq(((char *)&got)[at], 'y');
        }
    }
    free(text);
}
END_TEST

START_TEST(variables_have_the_documented_names)
{
    ck_assert_ptr_null(options_env[OPTIONS_COMMAND_LINE]);
    ck_assert_str_eq(options_env[OPTIONS_VITRINE_ENV], VITRINE);
    ck_assert_str_eq(options_env[OPTIONS_PYXIS_ENV], PYXIS);
    ck_assert_str_eq(options_env[OPTIONS_SUBMIT_ENV], SUBMIT);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *tc = tcase_create("options");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, stronger_source_wins);
    tcase_add_test(tc, none_is_a_choice_like_others);
    tcase_add_test(tc, empty_environment_variable_counts_as_unset);
    tcase_add_test(tc, weaker_sources_are_not_even_looked_at);
    tcase_add_test(tc, wrong_value_of_the_strongest_source_is_an_error_that_names_it);
    tcase_add_test(tc, longest_value_fits_and_longer_ones_are_never_copied);
    tcase_add_test(tc, variables_have_the_documented_names);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
