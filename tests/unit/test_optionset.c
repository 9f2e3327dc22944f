/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the options mean together: the second half of the tests of plugin/options.c. */
#include "options-world.h"

START_TEST(image_and_name_say_together_which_container_is_meant)
{
    static const struct {
        const char *words[2], *world[WORLD];
        const char *image, *name;
        bool host, container;
    } cases[] = {
        {{NULL}, {NULL}, "(unset)", "(unset)", false, false},
        {{NULL}, {VITRINE("MOUNTS=/a")}, "(unset)", "(unset)", false, false},
        {{FLAG("image=/a")}, {NULL}, "/a", "(unset)", false, true},
        {{FLAG("name=n")}, {NULL}, "(unset)", "n", false, true},
        {{FLAG("image=/a"), FLAG("name=n")}, {NULL}, "/a", "n", false, true},
        {{FLAG("name=n")}, {FLAG("image=/a")}, "/a", "n", false, true},
        {{FLAG("image=none")}, {NULL}, "none", "(unset)", true, false},
        /* None is less than a name that is nearer, */
        {{FLAG("name=n")}, {FLAG("image=none")}, "(unset)", "n", false, true},
        {{FLAG("name=n")}, {VITRINE("IMAGE=none")}, "(unset)", "n", false, true},
        {{NULL}, {FLAG("name=n"), PYXIS("IMAGE=none")}, "(unset)", "n", false, true},
        {{FLAG("name=n"), FLAG("image=none")}, {NULL}, "none", "n", true, false},
        {{FLAG("image=none")}, {VITRINE("NAME=n")}, "none", "n", true, false},
        /* and the name of the job less than the image of a step. */
        {{FLAG("image=/b")},
         {FLAG("name=n"), FLAG("image=/a")},
         "/b",
         "(unset)",
         false,
         true},
        {{FLAG("image=none")}, {FLAG("name=n")}, "none", "(unset)", true, false},
        {{FLAG("image=/b")}, {VITRINE("NAME=n")}, "/b", "n", false, true},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct options options = {0};

        for (int w = 0; w < 2 && cases[i].words[w]; w++)
            ck_assert_int_eq(add(&options, cases[i].words[w], true, NULL), 0);
        ck_assert_int_eq(resolve(&options, cases[i].world, NULL), 0);
        ck_assert_msg(strcmp(text_of(&options, OPTION_IMAGE), cases[i].image) == 0,
                      "case %zu: %s", i, text_of(&options, OPTION_IMAGE));
        ck_assert_str_eq(text_of(&options, OPTION_NAME), cases[i].name);
        ck_assert_int_eq(options_want_host(&options), cases[i].host);
        ck_assert_int_eq(options_want_container(&options), cases[i].container);
        options_free(&options);
    }
}
END_TEST

START_TEST(options_without_effect_are_named_unless_they_are_variables)
{
    static const struct {
        const char *words[3], *world[WORLD];
        const char *text;
    } cases[] = {
        {{NULL}, {NULL}, NULL},
        {{NULL}, {VITRINE("MOUNTS=/a"), PYXIS("WORKDIR=/"), SUBMIT("ENV=A")}, NULL},
        {{FLAG("image=/a"), FLAG("mounts=/a")}, {NULL}, NULL},
        {{FLAG("name=a"), FLAG("mounts=/a")}, {NULL}, NULL},
        {{FLAG("image=none"), FLAG("mounts=/a")}, {NULL}, NULL},
        {{FLAG("mounts=/a")},
         {VITRINE("WORKDIR=/")},
         FLAG("mounts has no effect without --container-image or --container-name")},
        {{NULL},
         {FLAG("writable="), SUBMIT("WRITABLE=no")},
         FLAG("readonly has no effect without --container-image or --container-name")},
        {{FLAG("env=A"), "--no-container-mount-home"},
         {FLAG("unshare=net")},
         "--no-container-mount-home, --container-env, --container-unshare have no effect "
         "without --container-image or --container-name"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct options options = {0};
        char text[512], tiny[16];

        for (int w = 0; w < 3 && cases[i].words[w]; w++)
            ck_assert_int_eq(add(&options, cases[i].words[w], true, NULL), 0);
        ck_assert_int_eq(resolve(&options, cases[i].world, NULL), 0);
        ck_assert_int_eq(options_useless(&options, text, sizeof(text)),
                         cases[i].text != NULL);
        if (cases[i].text)
            ck_assert_str_eq(text, cases[i].text);
        ck_assert_int_eq(options_useless(&options, tiny, sizeof(tiny)),
                         cases[i].text != NULL);
        options_free(&options);
    }
}
END_TEST

START_TEST(spec_has_everything_that_was_said)
{
    static const char *const words[] = {
        FLAG("image=/a"),
        FLAG("mounts=/b:/c"),
        FLAG("workdir=/w"),
        FLAG("name=n:no_exec"),
        FLAG("save=s.sqfs"),
        FLAG("mount-home"),
        "--no-container-remap-root",
        FLAG("entrypoint"),
        FLAG("entrypoint-log"),
        FLAG("writable=task"),
        FLAG("env=A,B"),
        FLAG("unshare=uts,net"),
    };
    static const char *const nothing[] = {NULL};
    struct options options = {0};
    struct vitrine_spec spec = {.cwd = "/kept"}, empty = {.cwd = "/kept"};

    ck_assert_int_eq(resolve(&options, nothing, NULL), 0);
    options_fill(&options, &spec);
    ck_assert_mem_eq(&spec, &empty, sizeof(spec));
    for (size_t i = 0; i < COUNT(words); i++)
        ck_assert_int_eq(add(&options, words[i], true, NULL), 0);
    ck_assert_int_eq(resolve(&options, nothing, NULL), 0);
    options_fill(&options, &spec);
    ck_assert_str_eq(spec.cwd, "/kept");
    ck_assert_str_eq(spec.image, "/a");
    ck_assert_str_eq(spec.mounts, "/b:/c");
    ck_assert_str_eq(spec.workdir, "/w");
    ck_assert_str_eq(spec.container, "n");
    ck_assert_int_eq(spec.start, VITRINE_START_NO_EXEC);
    ck_assert_str_eq(spec.save, "s.sqfs");
    ck_assert_int_eq(spec.mount_home, VITRINE_YES);
    ck_assert_int_eq(spec.remap_root, VITRINE_NO);
    ck_assert_int_eq(spec.entrypoint, VITRINE_YES);
    ck_assert(spec.entrypoint_log);
    ck_assert_int_eq(spec.root, VITRINE_ROOT_PRIVATE);
    ck_assert_str_eq(spec.keep_env[0], "A");
    ck_assert_str_eq(spec.keep_env[1], "B");
    ck_assert_ptr_null(spec.keep_env[2]);
    ck_assert_uint_eq(spec.unshare, VITRINE_UNSHARE_NET | VITRINE_UNSHARE_UTS);
    options_free(&options);
}
END_TEST

START_TEST(what_is_set_can_be_spelled_again)
{
    static const char *const words[] = {
        FLAG("image=/a"),        FLAG("mounts=/b,/c"),  FLAG("name=n:exec"),
        FLAG("mount-home="),     FLAG("readonly="),     "--no-container-mount-home=",
        FLAG("writable="),       FLAG("writable=task"), FLAG("env=A,B"),
        FLAG("entrypoint-log="), FLAG("remap-root="),   "--no-container-entrypoint=",
    };

    for (size_t i = 0; i < COUNT(words); i++) {
        struct options options = {0};
        size_t len = strcspn(words[i], "=");
        const char *value;

        ck_assert_int_eq(add(&options, words[i], true, NULL), 0);
        for (int o = 0; o < OPTION_COUNT; o++) {
            if (!options.values[o].text)
                continue;
            int spelling = options_spell(&options, (enum option)o, &value);
            const char *flag = options_spellings[spelling].flag;

            ck_assert(strlen(flag) == len && strncmp(flag, words[i], len) == 0);
            ck_assert_str_eq(value, words[i] + len + 1);
        }
        options_free(&options);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("optionset");
    TCase *tc = tcase_create("optionset");

    tcase_add_test(tc, image_and_name_say_together_which_container_is_meant);
    tcase_add_test(tc, options_without_effect_are_named_unless_they_are_variables);
    tcase_add_test(tc, spec_has_everything_that_was_said);
    tcase_add_test(tc, what_is_set_can_be_spelled_again);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
