/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plugin/taskprolog.h"
#include "unit.h"

#include <string.h>

#define WORDS(text) text, sizeof(text)

START_TEST(value_is_found_in_front_of_the_command_alone)
{
    static const struct {
        const char *words;
        size_t size;
        int command;
        const char *want;
    } cases[] = {
        {WORDS("srun\0true"), 1, NULL},
        {WORDS("srun\0--task-prolog=/a\0true"), 2, "/a"},
        {WORDS("srun\0--task-prolog\0/a\0true"), 3, "/a"},
        {WORDS("srun\0-n\0"
               "2\0--task-p=/a\0true"),
         4, "/a"},
        {WORDS("srun\0--task-prolog=/a\0--task-prolog=/b\0true"), 3, "/b"},
        {WORDS("srun\0--task-prolog=/a=b c\0true"), 2, "/a=b c"},
        {WORDS("srun\0--task-=/a\0true"), 2, NULL},
        {WORDS("srun\0--task-epilog=/a\0true"), 2, NULL},
        {WORDS("srun\0--task-prologs=/a\0true"), 2, NULL},
        {WORDS("srun\0true\0--task-prolog=/a"), 1, NULL},
        {WORDS("srun\0a\0:\0--task-prolog=/b\0b"), 1, "/b"},
        {WORDS("srun\0--task-prolog"), 2, NULL},
        {WORDS("srun\0--task-prolog="), 2, NULL},
        {"", 0, 1, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *got =
            taskprolog_find(cases[i].words, cases[i].size, cases[i].command);

        ck_assert_msg(!got == !cases[i].want && (!got || strcmp(got, cases[i].want) == 0),
                      "case %zu: %s", i, got ? got : "nothing");
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("taskprolog");
    TCase *tc = tcase_create("taskprolog");

    tcase_add_test(tc, value_is_found_in_front_of_the_command_alone);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
