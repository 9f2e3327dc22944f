/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tree of names. */
#include "layers/spots.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MANY 5000

static struct spot *must_add(struct spots *spots, struct spot *parent, const char *name)
{
    struct spot *spot = NULL;

    ck_assert_int_eq(spots_add(spots, parent, name, strlen(name), &spot), 0);
    return spot;
}

static struct spot *find(struct spots *spots, struct spot *parent, const char *name)
{
    return spots_find(spots, parent, name, strlen(name));
}

START_TEST(names_are_found_in_their_directory_alone)
{
    struct spots spots;

    ck_assert_int_eq(spots_open(&spots, 100), 0);
    struct spot *a = must_add(&spots, &spots.root, "a");
    struct spot *b = must_add(&spots, a, "b");
    ck_assert_ptr_eq(find(&spots, &spots.root, "a"), a);
    ck_assert_ptr_eq(find(&spots, a, "b"), b);
    ck_assert_ptr_null(find(&spots, &spots.root, "b"));
    ck_assert_ptr_null(find(&spots, a, "bb"));
    ck_assert_ptr_null(spots_find(&spots, a, "b", 0));
    spots_close(&spots);
}
END_TEST

START_TEST(many_names_stay_and_go)
{
    static char names[MANY][16];
    struct spots spots;
    struct spot *dirs[10];
    size_t left = 0;

    ck_assert_int_eq(spots_open(&spots, MANY + 10), 0);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "d%d", i);
        dirs[i] = must_add(&spots, i % 2 ? dirs[i - 1] : &spots.root, names[i]);
    }
    for (int i = 10; i < MANY; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%d", i);
        (void)must_add(&spots, dirs[i % 10], names[i]);
    }
    for (int i = 10; i < MANY; i += 3)
        spots_remove(&spots, find(&spots, dirs[i % 10], names[i]));
    /* And a directory, which lies in the one before. */
    spots_remove(&spots, dirs[3]);
    spots_remove(&spots, dirs[6]);
    for (int i = 10; i < MANY; i++) {
        bool stays = i % 3 != 1 && i % 10 != 3 && i % 10 != 6 && i % 10 != 7;

        if (i % 10 != 3 && i % 10 != 6 && i % 10 != 7)
            ck_assert_int_eq(!!find(&spots, dirs[i % 10], names[i]), stays);
        left += stays;
    }
    ck_assert_uint_eq(spots.used, left + 7);
    /* Both lists tell the same. */
    for (int i = 0; i < 10; i++)
        if (i != 3 && i != 6 && i != 7)
            for (struct spot *s = dirs[i]->first; s; s = s->next, left--)
                ck_assert_ptr_eq(spots_find(&spots, dirs[i], s->name, s->len), s);
    /* Of directories in directories 5 and 9 and 1 are left. */
    ck_assert_int_eq((int)left, -3);
    spots_close(&spots);
}
END_TEST

START_TEST(what_was_removed_makes_room)
{
    struct spots spots;
    struct spot *spot = NULL;

    ck_assert_int_eq(spots_open(&spots, 2), 0);
    (void)must_add(&spots, &spots.root, "a");
    struct spot *b = must_add(&spots, &spots.root, "b");
    ck_assert_int_eq(spots_add(&spots, b, "c", 1, &spot), -E2BIG);
    spots_remove(&spots, b);
    spot = must_add(&spots, &spots.root, "c");
    ck_assert_ptr_null(spot->first);
    ck_assert_uint_eq(spot->is.touched, 0);
    ck_assert_ptr_null(find(&spots, &spots.root, "b"));
    spots_close(&spots);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("spots");
    TCase *tc = tcase_create("spots");

    tcase_add_test(tc, names_are_found_in_their_directory_alone);
    tcase_add_test(tc, many_names_stay_and_go);
    tcase_add_test(tc, what_was_removed_makes_room);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
