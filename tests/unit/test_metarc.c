/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/metarc.h"
#include "base/cleanup.h"
#include "unit.h"

#include <string.h>

#define HEAD                                                                             \
    "# enroot-provenance: docker://x\n# label: if exec\n\n"                              \
    "mkdir -p \"/work\" 2> /dev/null\ncd \"/work\" && unset OLDPWD || exit 1\n\n"        \
    "if [ -s /etc/rc.local ]; then\n    . /etc/rc.local\nfi\n\n"
#define BRANCHES(a, b)                                                                   \
    "if [ $# -gt 0 ]; then\n    exec " a " \"$@\"\nelse\n    exec " b "\nfi\n"

/* "ENTRYPOINT|CMD|WORKDIR", words in brackets; "no" if the form is another one. */
static char *describe(const char *script)
{
    struct metarc rc;
    bool ours;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(metarc_read(script, &rc, &ours), 0);
    if (ours) {
        for (size_t i = 0; i < rc.entrypoint.count; i++)
            (void)fprintf(out, "[%s]", rc.entrypoint.list[i]);
        (void)fputc('|', out);
        for (size_t i = 0; i < rc.cmd.count; i++)
            (void)fprintf(out, "[%s]", rc.cmd.list[i]);
        (void)fprintf(out, "|%s", rc.workdir ? rc.workdir : "-");
    } else {
        (void)fprintf(out, "no");
        ck_assert(!rc.workdir && !rc.entrypoint.list && !rc.cmd.list);
    }
    metarc_free(&rc);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

struct rc_case {
    const char *script, *expected;
};

static void check_all(const struct rc_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *got = describe(cases[i].script);

        ck_assert_msg(strcmp(got, cases[i].expected) == 0,
                      "case %zu, %s: %s instead of %s", i, cases[i].script, got,
                      cases[i].expected);
    }
}

#define CHECK_ALL(cases) check_all(cases, sizeof(cases) / sizeof(*(cases)))

START_TEST(what_enroot_writes_is_understood)
{
    static const struct rc_case cases[] = {
        {HEAD BRANCHES("'/ep' 'a b'", "'/ep' 'a b' 'c'"), "[/ep][a b]|[c]|/work"},
        {HEAD BRANCHES("", " '/bin/sh'"), "|[/bin/sh]|/work"},
        {HEAD BRANCHES("'/ep'", "'/ep' "), "[/ep]||/work"},
        {HEAD BRANCHES("'it'\\''s'", "'it'\\''s' ''"), "[it's]|[]|/work"},
        {HEAD BRANCHES("", "$'tab\\there' $'\\303\\251\\x41'"),
         "|[tab\there][\303\251A]|/work"},
        {HEAD BRANCHES("", "$'a\\'b\\\\c\\n'"), "|[a'b\\c\n]|/work"},
        {HEAD BRANCHES("", "/bin/sh -c x=1"), "|[/bin/sh][-c][x=1]|/work"},
        {"cd \"/\" && unset OLDPWD || exit 1\n" BRANCHES("", "'x'"), "|[x]|/"},
        {"cd \"/a b\" || exit 1\n" BRANCHES("", "'x'"), "|[x]|/a b"},
        {"cd \"$HOME\" || exit 1\n" BRANCHES("", "'x'"), "|[x]|-"},
        {"cd \"a\" || exit 1\n" BRANCHES("", "'x'"), "|[x]|-"},
    };

    CHECK_ALL(cases);
}
END_TEST

START_TEST(what_somebody_wrote_himself_is_not)
{
    static const struct rc_case cases[] = {
        {"", "no"},
        {"\n\n", "no"},
        {"#!/bin/sh\n", "no"},
        {HEAD, "no"},
        {BRANCHES("'a'", "'a'"), "no"},
        {"cd \"/work\"\n" BRANCHES("'a'", "'a'"), "no"},
        {"cd /work || exit 1\n" BRANCHES("'a'", "'a'"), "no"},
        {HEAD "export A=1\n" BRANCHES("'a'", "'a'"), "no"},
        {HEAD BRANCHES("'a'", "'a'") "exit 0\n", "no"},
        {HEAD BRANCHES("'a'", "'b' 'c'"), "no"},
        {HEAD BRANCHES("'a' 'b'", "'a'"), "no"},
        {HEAD BRANCHES("'a", "'a"), "no"},
        {HEAD BRANCHES("", "$'a"), "no"},
        {HEAD BRANCHES("", "$'a\\'"), "no"},
        {HEAD BRANCHES("", "$'\\0'"), "no"},
        {HEAD BRANCHES("", "$'\\777'"), "no"},
        {HEAD BRANCHES("", "$'\\x'"), "no"},
        {HEAD BRANCHES("", "$'\\q'"), "no"},
        {HEAD BRANCHES("", "$(id)"), "no"},
        {HEAD BRANCHES("", "`id`"), "no"},
        {HEAD BRANCHES("", "\"a\""), "no"},
        {HEAD BRANCHES("", "$HOME/x"), "no"},
        {HEAD BRANCHES("", "a; b"), "no"},
        {HEAD BRANCHES("", "a > b"), "no"},
        {HEAD BRANCHES("", "~/x"), "no"},
        {HEAD BRANCHES("", "*"), "no"},
        {HEAD "if [ $# -gt 0 ]; then\nexec 'a' \"$@\"\nfi\n", "no"},
        {HEAD "if [ $# -gt 0 ]; then\nexec 'a' \"$@\"\nelse\nexec 'a'\n", "no"},
        {HEAD "if [ $# -gt 0 ]; then\nexec 'a' $@\nelse\nexec 'a'\nfi\n", "no"},
        {HEAD "if [ $# -gt 0 ]; then\n\"$@\"\nelse\nexec 'a'\nfi\n", "no"},
        {HEAD "if [ $# -gt 0 ]; then\nexec \\\"$@\"\nelse\nexec 'a'\nfi\n", "no"},
        {HEAD "if [ $# -gt 0 ]; then\nexec $'\\\"$@\"\nelse\nexec 'a'\nfi\n", "no"},
        {"mkdir -p \"/work\" 2> /dev/null\n", "no"},
        {"mkdir -p \"/work\"\ncd \"/work\" || exit 1\n" BRANCHES("", "'x'"), "no"},
    };

    CHECK_ALL(cases);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("metarc");
    TCase *tc = tcase_create("metarc");

    tcase_add_test(tc, what_enroot_writes_is_understood);
    tcase_add_test(tc, what_somebody_wrote_himself_is_not);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
