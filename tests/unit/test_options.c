/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which text of an option counts. test_optionset.c has what the texts mean together. */
#include "options-world.h"

START_TEST(each_spelling_says_what_it_means)
{
    static const struct {
        const char *word, *text;
    } cases[] = {
        {"--container-mount-home", "yes"},     {"--no-container-mount-home", "no"},
        {"--container-remap-root", "yes"},     {"--no-container-remap-root", "no"},
        {"--container-entrypoint", "yes"},     {"--no-container-entrypoint", "no"},
        {"--container-entrypoint-log", "yes"}, {"--container-writable", "yes"},
        {"--container-writable=", "yes"},      {"--container-writable=(null)", "yes"},
        {"--container-writable=node", "yes"},  {"--container-writable=task", "task"},
        {"--container-readonly", "no"},        {"--container-readonly=(null)", "no"},
        {"--container-image=/a", "/a"},        {"--container-env=A,A", "A"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct options options = {0};
        struct vitrine_error err = {.text = "untouched"};
        const char *word = cases[i].word;

        ck_assert_msg(add(&options, word, true, &err) == 0, "%s: %s", word, err.text);
        ck_assert_str_eq(err.text, "untouched");
        enum option option = OPTION_COUNT;
        for (int o = 0; o < OPTION_COUNT; o++)
            if (options.values[o].text) {
                ck_assert_int_eq(option, OPTION_COUNT);
                option = (enum option)o;
            }
        ck_assert_str_eq(text_of(&options, option), cases[i].text);
        ck_assert_int_eq(options.values[option].source, OPTIONS_COMMAND_LINE);
        ck_assert(strncmp(word, options.values[option].said_by, strcspn(word, "=")) == 0);
        options_free(&options);
    }
}
END_TEST

START_TEST(wrong_values_are_refused_and_change_nothing)
{
    static const struct {
        const char *word, *message;
    } cases[] = {
        {"--container-writable=yes", ": give task, or node, or nothing, not yes"},
        {"--container-writable=Task", ": give task, or node, or nothing, not Task"},
        {"--container-writable=task,node", ": give task, or node, or nothing"},
        {"--container-writable= ", ": give task, or node, or nothing"},
        {"--container-image=", ": the value is empty; give an image, or none"},
        {"--container-workdir=w", ": give an absolute path in the container, not w"},
        {"--container-env=", ": the value is empty"},
        {"--container-unshare", ": the value is empty"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *word = cases[i].word, *message = cases[i].message;
        size_t flag = strcspn(word, "=");
        struct options options = {0}, zero = {0};
        struct vitrine_error err = {0};

        ck_assert_msg(add(&options, word, true, &err) == -1, "%s", word);
        ck_assert_msg(strncmp(err.text, word, flag) == 0 &&
                          strncmp(err.text + flag, message, strlen(message)) == 0,
                      "%s: %s", word, err.text);
        ck_assert(!strpbrk(err.text, "\n\r\t\x1b\x7f"));
        ck_assert_int_ne(err.code, VITRINE_OK);
        ck_assert_mem_eq(&options, &zero, sizeof(zero));
        ck_assert_int_eq(add(&options, word, false, NULL), -1);
    }
}
END_TEST

START_TEST(repeated_options_of_one_command_line)
{
    static const struct {
        bool strict;
        const char *words[4];
        enum option option;
        const char *text; /* or the message, which begins with an option */
    } cases[] = {
        {true, {"--container-image=/a", "--container-image=/b"}, OPTION_IMAGE, "/b"},
        {true,
         {"--container-mounts=/a:/b,/c", "--container-mounts=/d",
          "--container-mounts=/c"},
         OPTION_MOUNTS,
         "/a:/b,/c,/d"},
        {false,
         {"--container-mounts=/a", "--container-mounts=/b"},
         OPTION_MOUNTS,
         "/a,/b"},
        {true, {"--container-env=A", "--container-env=B,A"}, OPTION_ENV, "A,B"},
        {true,
         {"--container-unshare=net", "--container-unshare=ipc"},
         OPTION_UNSHARE,
         "net,ipc"},
        {true,
         {"--container-workdir=/a", "--container-workdir=/a"},
         OPTION_WORKDIR,
         "/a"},
        {false,
         {"--container-workdir=/a", "--container-workdir=/b"},
         OPTION_WORKDIR,
         "/b"},
        {false,
         {"--container-mount-home", "--no-container-mount-home"},
         OPTION_MOUNT_HOME,
         "no"},
        {false,
         {"--container-readonly", "--container-writable=task"},
         OPTION_WRITABLE,
         "task"},
        {true,
         {"--container-writable", "--container-writable=node"},
         OPTION_WRITABLE,
         "yes"},
        {true,
         {"--container-remap-root", "--container-remap-root"},
         OPTION_REMAP_ROOT,
         "yes"},

        {true,
         {"--container-workdir=/a", "--container-workdir=/b"},
         OPTION_WORKDIR,
         "--container-workdir is given twice: /a and /b"},
        {true,
         {"--container-name=a", "--container-name=a:exec"},
         OPTION_NAME,
         "--container-name is given twice: a and a:exec"},
        {true,
         {"--container-save=a", "--container-save=./a"},
         OPTION_SAVE,
         "--container-save is given twice: a and ./a"},
        {true,
         {"--container-mount-home", "--no-container-mount-home"},
         OPTION_MOUNT_HOME,
         "--container-mount-home and --no-container-mount-home contradict each other"},
        {true,
         {"--no-container-remap-root", "--container-remap-root"},
         OPTION_REMAP_ROOT,
         "--no-container-remap-root and --container-remap-root contradict each other"},
        {true,
         {"--container-entrypoint", "--no-container-entrypoint"},
         OPTION_ENTRYPOINT,
         "--container-entrypoint and --no-container-entrypoint contradict each other"},
        {true,
         {"--container-writable", "--container-readonly"},
         OPTION_WRITABLE,
         "--container-writable and --container-readonly contradict each other"},
        {true,
         {"--container-readonly", "--container-writable=task"},
         OPTION_WRITABLE,
         "--container-readonly and --container-writable contradict each other"},
        {true,
         {"--container-writable", "--container-writable=task"},
         OPTION_WRITABLE,
         "--container-writable is given for the node and for each task"},
        {false,
         {"--container-workdir=/a", "--container-workdir=b"},
         OPTION_WORKDIR,
         "--container-workdir: give an absolute path in the container, not b"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct options options = {0};
        struct vitrine_error err = {0};
        bool wrong = cases[i].text[0] == '-';
        int rc = 0;

        for (int w = 0; w < 4 && cases[i].words[w] && rc == 0; w++)
            rc = add(&options, cases[i].words[w], cases[i].strict, &err);
        ck_assert_msg(rc == (wrong ? -1 : 0), "case %zu: %s", i, err.text);
        ck_assert_str_eq(rc == 0 ? text_of(&options, cases[i].option) : err.text,
                         cases[i].text);
        if (rc < 0) /* the first one still holds */
            ck_assert_str_ne(text_of(&options, cases[i].option), "(unset)");
        options_free(&options);
    }
}
END_TEST

struct precedence {
    const char *word; /* of the command line */
    const char *world[WORLD];
    enum option option;
    const char *text, *said_by;
};

static void check_precedence(const struct precedence *c, size_t nr)
{
    struct options options = {0};
    struct vitrine_error err = {.text = "untouched"};

    if (c->word)
        ck_assert_int_eq(add(&options, c->word, true, &err), 0);
    /* Twice, as for two components of a heterogeneous job. */
    for (int i = 0; i < 2; i++) {
        ck_assert_msg(resolve(&options, c->world, &err) == 0, "case %zu: %s", nr,
                      err.text);
        ck_assert_str_eq(err.text, "untouched");
        ck_assert_msg(strcmp(text_of(&options, c->option), c->text) == 0,
                      "case %zu: %s, not %s", nr, text_of(&options, c->option), c->text);
        ck_assert_str_eq(options.values[c->option].said_by, c->said_by ? c->said_by : "");
    }
    options_free(&options);
}

START_TEST(stronger_source_wins_and_weaker_ones_are_not_even_looked_at)
{
    static const struct precedence cases[] = {
        {"--container-image=/a",
         {FLAG("image=/b"), VITRINE("IMAGE=/c"), PYXIS("IMAGE=/d"), SUBMIT("IMAGE=/e")},
         OPTION_IMAGE,
         "/a",
         FLAG("image")},
        {NULL,
         {FLAG("image=/b"), VITRINE("IMAGE=/c"), PYXIS("IMAGE=/d")},
         OPTION_IMAGE,
         "/b",
         FLAG("image")},
        {NULL,
         {VITRINE("IMAGE=/c"), PYXIS("IMAGE=/d"), SUBMIT("IMAGE=/e")},
         OPTION_IMAGE,
         "/c",
         VITRINE("IMAGE")},
        {NULL,
         {PYXIS("IMAGE=/d"), SUBMIT("IMAGE=/e")},
         OPTION_IMAGE,
         "/d",
         PYXIS("IMAGE")},
        {NULL, {SUBMIT("IMAGE=/e")}, OPTION_IMAGE, "/e", SUBMIT("IMAGE")},
        {NULL, {NULL}, OPTION_IMAGE, "(unset)", NULL},
        {"--container-image=/a",
         {VITRINE("IMAGE=docker://x"), SUBMIT("IMAGE=\n")},
         OPTION_IMAGE,
         "/a",
         FLAG("image")},
        {NULL,
         {VITRINE("IMAGE=/b"), PYXIS("IMAGE=file:///x")},
         OPTION_IMAGE,
         "/b",
         VITRINE("IMAGE")},
        {NULL,
         {VITRINE("IMAGE="), PYXIS("IMAGE=/d")},
         OPTION_IMAGE,
         "/d",
         PYXIS("IMAGE")},
        {NULL,
         {VITRINE("IMAGE="), PYXIS("IMAGE="), SUBMIT("IMAGE=")},
         OPTION_IMAGE,
         "(unset)",
         NULL},
        /* Never merged. */
        {"--container-mounts=/a",
         {FLAG("mounts=/b"), VITRINE("MOUNTS=/c")},
         OPTION_MOUNTS,
         "/a",
         FLAG("mounts")},
        {NULL,
         {FLAG("mounts=/b"), VITRINE("MOUNTS=/c")},
         OPTION_MOUNTS,
         "/b",
         FLAG("mounts")},
        {NULL,
         {VITRINE("MOUNTS=/c,/d,/c"), PYXIS("MOUNTS=/e")},
         OPTION_MOUNTS,
         "/c,/d",
         VITRINE("MOUNTS")},
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        check_precedence(&cases[i], i);
}
END_TEST

START_TEST(complete_text_of_what_slurm_told)
{
    static const struct precedence cases[] = {
        {NULL,
         {FLAG("mounts=/b"), SUBMIT("MOUNTS=/a,/b")},
         OPTION_MOUNTS,
         "/a,/b",
         FLAG("mounts")},
        {NULL,
         {FLAG("mounts=wrong"), SUBMIT("MOUNTS=/a")},
         OPTION_MOUNTS,
         "/a",
         FLAG("mounts")},
        /* Taken back, so that a variable does not count either. */
        {NULL,
         {FLAG("mounts=/b"), SUBMIT("MOUNTS="), VITRINE("MOUNTS=/c")},
         OPTION_MOUNTS,
         "(unset)",
         NULL},
        {NULL, {FLAG("mount-home=(null)")}, OPTION_MOUNT_HOME, "yes", FLAG("mount-home")},
        {NULL,
         {"--no-container-mount-home="},
         OPTION_MOUNT_HOME,
         "no",
         "--no-container-mount-home"},
        {NULL,
         {FLAG("mount-home="), "--no-container-mount-home=", SUBMIT("MOUNT_HOME=no")},
         OPTION_MOUNT_HOME,
         "no",
         "--no-container-mount-home"},
        {"--no-container-mount-home",
         {FLAG("mount-home="), SUBMIT("MOUNT_HOME=yes")},
         OPTION_MOUNT_HOME,
         "no",
         "--no-container-mount-home"},
        {NULL, {FLAG("writable=task")}, OPTION_WRITABLE, "task", FLAG("writable")},
        {NULL,
         {FLAG("writable=(null)"), SUBMIT("WRITABLE=no")},
         OPTION_WRITABLE,
         "no",
         FLAG("readonly")},
        {NULL,
         {FLAG("readonly="), SUBMIT("WRITABLE=task")},
         OPTION_WRITABLE,
         "task",
         FLAG("writable")},
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        check_precedence(&cases[i], i);
}
END_TEST

START_TEST(switches_in_the_environment)
{
    static const struct precedence cases[] = {
        {NULL,
         {VITRINE("MOUNT_HOME=1")},
         OPTION_MOUNT_HOME,
         "yes",
         VITRINE("MOUNT_HOME")},
        {NULL,
         {VITRINE("REMAP_ROOT=true")},
         OPTION_REMAP_ROOT,
         "yes",
         VITRINE("REMAP_ROOT")},
        {NULL, {PYXIS("ENTRYPOINT=y")}, OPTION_ENTRYPOINT, "yes", PYXIS("ENTRYPOINT")},
        {NULL,
         {PYXIS("ENTRYPOINT_LOG=yes")},
         OPTION_ENTRYPOINT_LOG,
         "yes",
         PYXIS("ENTRYPOINT_LOG")},
        {NULL, {VITRINE("MOUNT_HOME=0")}, OPTION_MOUNT_HOME, "no", VITRINE("MOUNT_HOME")},
        {NULL,
         {VITRINE("REMAP_ROOT=false")},
         OPTION_REMAP_ROOT,
         "no",
         VITRINE("REMAP_ROOT")},
        {NULL, {PYXIS("ENTRYPOINT=no")}, OPTION_ENTRYPOINT, "no", PYXIS("ENTRYPOINT")},
        {NULL,
         {PYXIS("ENTRYPOINT_LOG=n")},
         OPTION_ENTRYPOINT_LOG,
         "no",
         PYXIS("ENTRYPOINT_LOG")},
        {NULL, {VITRINE("WRITABLE=task")}, OPTION_WRITABLE, "task", VITRINE("WRITABLE")},
        {NULL, {VITRINE("WRITABLE=node")}, OPTION_WRITABLE, "yes", VITRINE("WRITABLE")},
        {NULL, {VITRINE("WRITABLE=0")}, OPTION_WRITABLE, "no", VITRINE("WRITABLE")},
        {NULL, {VITRINE("READONLY=1")}, OPTION_WRITABLE, "no", VITRINE("READONLY")},
        {NULL, {PYXIS("READONLY=false")}, OPTION_WRITABLE, "yes", PYXIS("READONLY")},
        {NULL,
         {VITRINE("READONLY=1"), VITRINE("WRITABLE=1")},
         OPTION_WRITABLE,
         "yes",
         VITRINE("WRITABLE")},
        {NULL,
         {VITRINE("READONLY=1"), PYXIS("WRITABLE=1")},
         OPTION_WRITABLE,
         "no",
         VITRINE("READONLY")},
        {"--container-readonly",
         {VITRINE("WRITABLE=1")},
         OPTION_WRITABLE,
         "no",
         FLAG("readonly")},
        {"--container-mount-home",
         {VITRINE("MOUNT_HOME=maybe")},
         OPTION_MOUNT_HOME,
         "yes",
         FLAG("mount-home")},
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        check_precedence(&cases[i], i);
}
END_TEST

START_TEST(wrong_text_of_the_source_that_counts_is_an_error_that_names_it)
{
    static const struct {
        const char *world[WORLD];
        const char *message;
    } cases[] = {
        {{FLAG("image=")}, FLAG("image: the value is empty")},
        {{FLAG("image=docker://X"), VITRINE("IMAGE=/a")}, FLAG("image: image docker")},
        {{FLAG("image=/a"), SUBMIT("IMAGE=\x1b[2J")}, FLAG("image: the value has")},
        {{VITRINE("IMAGE=file:///x"), PYXIS("IMAGE=/a")}, VITRINE("IMAGE: write the")},
        {{SUBMIT("IMAGE=file:///x")}, SUBMIT("IMAGE: write the path")},
        {{VITRINE("WORKDIR=w")}, VITRINE("WORKDIR: give an absolute path")},
        {{PYXIS("NAME=a:b")}, PYXIS("NAME: after the name give auto, create, exec or")},
        {{PYXIS("SAVE=./")}, PYXIS("SAVE: give the file to be written")},
        {{VITRINE("ENV=A=b")}, VITRINE("ENV: give the names of variables, without")},
        {{VITRINE("UNSHARE=all")}, VITRINE("UNSHARE: give net, ipc or uts, not 'all'")},
        {{VITRINE("MOUNT_HOME=Yes")},
         VITRINE("MOUNT_HOME: Yes is none of 1, true, yes, y, 0, false, no, n")},
        {{PYXIS("MOUNT_HOME=2")}, PYXIS("MOUNT_HOME: 2 is none of 1, true, yes, y, 0,")},
        {{VITRINE("MOUNT_HOME=task")}, VITRINE("MOUNT_HOME: task is none of")},
        {{VITRINE("REMAP_ROOT=TRUE")}, VITRINE("REMAP_ROOT: TRUE is none of")},
        {{VITRINE("ENTRYPOINT=on")}, VITRINE("ENTRYPOINT: on is none of")},
        {{PYXIS("ENTRYPOINT_LOG= 1")}, PYXIS("ENTRYPOINT_LOG:  1 is none of")},
        {{VITRINE("WRITABLE=tasks")},
         VITRINE(
             "WRITABLE: tasks is none of 1, true, yes, y, 0, false, no, n, task, node")},
        {{VITRINE("READONLY=task")}, VITRINE("READONLY: task is none of")},
        {{PYXIS("READONLY=x"), SUBMIT("WRITABLE=1")}, PYXIS("READONLY: x is none of")},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct options options = {0};
        struct vitrine_error err = {0};

        ck_assert_msg(resolve(&options, cases[i].world, &err) == -1, "case %zu", i);
        ck_assert_msg(strncmp(err.text, cases[i].message, strlen(cases[i].message)) == 0,
                      "%s", err.text);
        ck_assert(!strpbrk(err.text, "\n\x1b"));
        options_free(&options);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *tc = tcase_create("options");

    tcase_add_test(tc, each_spelling_says_what_it_means);
    tcase_add_test(tc, wrong_values_are_refused_and_change_nothing);
    tcase_add_test(tc, repeated_options_of_one_command_line);
    tcase_add_test(tc, stronger_source_wins_and_weaker_ones_are_not_even_looked_at);
    tcase_add_test(tc, complete_text_of_what_slurm_told);
    tcase_add_test(tc, switches_in_the_environment);
    tcase_add_test(tc, wrong_text_of_the_source_that_counts_is_an_error_that_names_it);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
