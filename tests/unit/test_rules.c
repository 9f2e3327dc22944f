/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "environ/rules.h"
#include "unit.h"

#include <string.h>

START_TEST(names_have_their_class)
{
    static const struct {
        const char *name;
        enum rules_class class;
    } cases[] = {
        {"HOME", RULES_HOST},
        {"SLURM_PROCID", RULES_HOST},
        {"SLURM_", RULES_HOST},
        {"PMIX_RANK", RULES_HOST},
        {"SSH_AUTH_SOCK", RULES_HOST},
        {"CUDA_VISIBLE_DEVICES", RULES_HOST},
        {"VITRINE_IMAGE", RULES_HOST},
        {"_", RULES_HOST},
        {"OMP_NUM_THREADS", RULES_HOST_IF_SET},
        {"NVIDIA_VISIBLE_DEVICES", RULES_HOST_IF_SET},
        {"https_proxy", RULES_HOST_IF_SET},
        {"NCCL_IB_HCA", RULES_HOST_IF_SET},
        {"LD_LIBRARY_PATH", RULES_SYSTEM},
        {"LD_PRELOAD", RULES_SYSTEM},
        {"HOMES", RULES_IMAGE},
        {"HOM", RULES_IMAGE},
        {"home", RULES_IMAGE},
        {"SLURM", RULES_IMAGE},
        {"MY_SLURM_X", RULES_IMAGE},
        {"SSH", RULES_IMAGE},
        {"PATH", RULES_IMAGE},
        {"LANG", RULES_IMAGE},
        {"CUDA_HOME", RULES_IMAGE},
        {"LD_BIND_NOW", RULES_IMAGE},
        {"LD_LIBRARY_PATH_64", RULES_IMAGE},
        {"__", RULES_IMAGE},
        {"*", RULES_IMAGE},
        {"", RULES_IMAGE},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        ck_assert_msg(rules_of(cases[i].name, strlen(cases[i].name)) == cases[i].class,
                      "%s", cases[i].name);
}
END_TEST

START_TEST(list_of_system_names_is_that_of_the_table)
{
    size_t count = 0;

    for (; rules_system[count]; count++)
        ck_assert_int_eq(rules_of(rules_system[count], strlen(rules_system[count])),
                         RULES_SYSTEM);
    ck_assert_uint_eq(count, 6);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("rules");
    TCase *tc = tcase_create("rules");

    tcase_add_test(tc, names_have_their_class);
    tcase_add_test(tc, list_of_system_names_is_that_of_the_table);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
