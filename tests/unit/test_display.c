/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "import/display.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(line_has_what_is_known)
{
    static const struct {
        struct vitrine_progress progress;
        double rate;
        const char *text;
    } cases[] = {
        {{0}, 0, "0.0 kB"},
        {{.bytes_done = 1234567}, 0, "1.2 MB"},
        {{.layers = 1, .bytes = 2000000, .bytes_done = 1000000},
         0,
         "layer 0/1, 1.0 MB of 2.0 MB"},
        {{.layers = 10, .layers_done = 3, .bytes = 336000000, .bytes_done = 120000000},
         60e6,
         "layers 3/10, 120 MB of 336 MB, 60 MB/s, 4 s left"},
        {{.layers = 2, .bytes = 20000000000, .bytes_done = 999},
         100e6,
         "layers 0/2, 1.0 kB of 20 GB, 100 MB/s, 3:20 min left"},
        {{.layers = 2, .bytes = 5000000000000, .bytes_done = 0},
         1e9,
         "layers 0/2, 0.0 kB of 5.0 TB, 1.0 GB/s, 1:23 h left"},
        /* What no rate can tell. */
        {{.layers = 2, .bytes = UINT64_MAX, .bytes_done = 0},
         1,
         "layers 0/2, 0.0 kB of 18446744 TB"},
        /* More than was announced. */
        {{.layers = 1, .layers_done = 1, .bytes = 5000, .bytes_done = 6000},
         1000,
         "layer 1/1, 6.0 kB of 5.0 kB, 1.0 kB/s"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct display display = {.last = cases[i].progress, .rate = cases[i].rate};
        char text[160], *rate;

        display_text(&display, text, sizeof(text));
        /* A rate of a byte is none to tell. */
        rate = strstr(text, ", 0.0 kB/s");
        if (rate)
            *rate = '\0';
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

/* What is written to a file, which is no terminal. */
static char *show(enum display_mode mode, bool slow, bool well)
{
    struct vitrine_progress progress = {.layers = 1, .bytes = 1000, .bytes_done = 500};
    struct display display;
    char *text = NULL;
    size_t size;
    FILE *file = tmpfile();

    ck_assert_ptr_nonnull(file);
    display_open(&display, mode, file, "importing x");
    if (slow)
        display.begin_ns -= 1000000000;
    display_progress(&display, &progress);
    progress.bytes_done = 700;
    display_progress(&display, &progress);
    display_remark(&display, "a remark");
    display_close(&display, well);
    rewind(file);
    size = fread(text = calloc(1, 4096), 1, 4095, file);
    text[size] = '\0';
    (void)fclose(file);
    return text;
}

START_TEST(lines_where_no_terminal_is)
{
    char *text = show(DISPLAY_AUTO, true, true);

    ck_assert_ptr_eq(strstr(text, "vitrine: importing x: layer 0/1, 0.5 kB of 1.0 kB"),
                     text);
    ck_assert_ptr_nonnull(strstr(text, "\nvitrine: a remark\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nvitrine: importing x: done, 0.7 kB in 1."));
    ck_assert_ptr_null(strchr(text, '\r'));
    /* The second progress comes at once: it is not told. */
    ck_assert_ptr_null(strstr(text, "0.7 kB of"));
    free(text);
}
END_TEST

START_TEST(nothing_of_what_is_over_soon_or_quiet)
{
    char *text = show(DISPLAY_LINES, false, true);

    ck_assert_str_eq(text, "vitrine: a remark\n");
    free(text);
    text = show(DISPLAY_QUIET, true, true);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

START_TEST(failure_is_not_told_as_done)
{
    char *text = show(DISPLAY_LINES, true, false);

    ck_assert_ptr_null(strstr(text, "done"));
    free(text);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("display");
    TCase *tc = tcase_create("display");

    tcase_add_test(tc, line_has_what_is_known);
    tcase_add_test(tc, lines_where_no_terminal_is);
    tcase_add_test(tc, nothing_of_what_is_over_soon_or_quiet);
    tcase_add_test(tc, failure_is_not_told_as_done);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
