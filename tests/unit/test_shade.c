/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What upper layers hide, by names alone. */
#include "layers/shade.h"
#include "unit.h"

/* Of layer 2: a file "f", a directory "d", "o" opaque; of layer 1 a file "d/g". */
static void make(struct shade *shade)
{
    ck_assert_int_eq(shade_open(shade), 0);
    ck_assert_int_eq(shade_add(shade, 2, "f", false), 0);
    ck_assert_int_eq(shade_add(shade, 2, "d", true), 0);
    ck_assert_int_eq(shade_add_opaque(shade, 2, "o"), 0);
    ck_assert_int_eq(shade_add(shade, 1, "d/g", false), 0);
    ck_assert_int_eq(shade_add(shade, 1, "f", true), 0);
}

static const struct {
    unsigned layer;
    const char *path;
    bool want;
} cases[] = {
    {1, "f", true},     {1, "f/x", true},   {1, "f/x/y", true}, {2, "f", false},
    {2, "f/x", false},  {1, "d", true},     {1, "d/x", false},  {2, "d", false},
    {1, "o", false},    {1, "o/x", true},   {0, "o/x/y", true}, {2, "o/x", false},
    {1, "d/g", false},  {0, "d/g", true},   {0, "d/g/h", true}, {1, "ff", false},
    {0, "else", false}, {0, "d/gg", false}, {0, "", false},
};

START_TEST(lower_layers_are_hidden_and_nothing_else)
{
    struct shade shade;

    make(&shade);
    ck_assert_int_eq(shade_hides(&shade, cases[_i].layer, cases[_i].path),
                     cases[_i].want);
    shade_close(&shade);
}
END_TEST

START_TEST(an_opaque_root_hides_all)
{
    struct shade shade;

    ck_assert_int_eq(shade_open(&shade), 0);
    ck_assert_int_eq(shade_add_opaque(&shade, 5, ""), 0);
    ck_assert(shade_hides(&shade, 4, "a/b"));
    ck_assert(!shade_hides(&shade, 5, "a/b"));
    shade_close(&shade);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("shade");
    TCase *tc = tcase_create("shade");

    tcase_add_loop_test(tc, lower_layers_are_hidden_and_nothing_else, 0,
                        (int)(sizeof(cases) / sizeof(*cases)));
    tcase_add_test(tc, an_opaque_root_hides_all);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
