/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../../plugin/pin.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define A                                                                                \
    "sha256:"                                                                            \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B                                                                                \
    "sha256:"                                                                            \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void expect(const char *value, const char *reference, const char *digest)
{
    char found[VITRINE_DIGEST_MAX] = "";

    ck_assert_msg(pin_find(value, reference, found) == (digest != NULL), "%s", value);
    ck_assert_str_eq(found, digest ? digest : "");
}

START_TEST(pin_counts_for_its_reference_alone)
{
    static const char two[] = A " docker://x\n" B " oci:/a b:c";

    expect(two, "docker://x", A);
    expect(two, "oci:/a b:c", B);
    expect(two, "docker://x:latest", NULL);
    expect(two, "docker://", NULL);
    expect(two, "oci:/a b", NULL);
    expect(two, "", NULL);
    expect(NULL, "docker://x", NULL);
    expect("", "docker://x", NULL);
}
END_TEST

START_TEST(what_is_no_pin_is_passed_over)
{
    static const char *const values[] = {
        "docker://x",
        "sha256: docker://x",
        "sha256:aa docker://x",
        "sha512" A " docker://x",
        A "a docker://x",
        A "\tdocker://x",
        A,
        A " ",
        A " docker://xy",
        " " A " docker://x",
        "sha256:AAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
        "docker://x",
        "sha256:../aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
        "docker://x",
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        char text[512];

        expect(values[i], "docker://x", NULL);
        (void)snprintf(text, sizeof(text), "%s\n" B " docker://x", values[i]);
        expect(text, "docker://x", B);
    }
}
END_TEST

START_TEST(new_pin_replaces_that_of_the_same_reference)
{
    static const struct {
        const char *value, *want;
    } cases[] = {
        {NULL, B " docker://x"},
        {"", B " docker://x"},
        {A " docker://x", B " docker://x"},
        {A " docker://y", A " docker://y\n" B " docker://x"},
        {A " docker://x\n" A " docker://y\n", A " docker://y\n" B " docker://x"},
        {"rubbish\n\n" A " docker://y", A " docker://y\n" B " docker://x"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *text = pin_add(cases[i].value, "docker://x", B);

        ck_assert_str_eq(text, cases[i].want);
        free(text);
    }
}
END_TEST

START_TEST(old_pins_are_forgotten_before_it_is_too_long)
{
    char *text = NULL, name[64];

    for (int i = 0; i < 2000; i++) {
        (void)snprintf(name, sizeof(name), "docker://x:%d", i);
        char *more = pin_add(text, name, A);
        free(text);
        text = more;
        ck_assert_uint_lt(strlen(text), PIN_MAX);
    }
    expect(text, "docker://x:1999", A);
    expect(text, "docker://x:1800", A);
    expect(text, "docker://x:0", NULL);
    free(text);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pin");
    TCase *tc = tcase_create("pin");

    tcase_add_test(tc, pin_counts_for_its_reference_alone);
    tcase_add_test(tc, what_is_no_pin_is_passed_over);
    tcase_add_test(tc, new_pin_replaces_that_of_the_same_reference);
    tcase_add_test(tc, old_pins_are_forgotten_before_it_is_too_long);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
