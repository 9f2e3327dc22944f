/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/metash.h"
#include "base/cleanup.h"
#include "unit.h"

#include <string.h>

static const char *const host[] = {
    "HOME=/home/ada",        "SET=host",      "EMPTY=",           "PATH=/host/bin",
    "LD_LIBRARY_PATH=/host", "OWN=from host", "WITH SPACE=wrong", NULL,
};

struct script_case {
    const char *script, *expected; /* "A=1|B=2", in the order of the first assignment */
};

static char *evaluate(const char *script, unsigned flags)
{
    struct metavars vars = {.host = host};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(metash_read(script, flags, &vars), 0);
    for (size_t i = 0; i < vars.vars.count; i++)
        (void)fprintf(out, "%s%s", i ? "|" : "", vars.vars.list[i]);
    metalist_free(vars.vars.list);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static void check_all(const struct script_case *cases, size_t count, unsigned flags)
{
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *got = evaluate(cases[i].script, flags);

        ck_assert_msg(strcmp(got, cases[i].expected) == 0,
                      "case %zu, %s: %s instead of %s", i, cases[i].script, got,
                      cases[i].expected);
    }
}

#define CHECK_ALL(cases, flags) check_all(cases, sizeof(cases) / sizeof(*(cases)), flags)

START_TEST(assignments_count_with_and_without_export)
{
    static const struct script_case cases[] = {
        {"A=1\n", "A=1"},
        {"A=1", "A=1"},
        {"export A=1\n", "A=1"},
        {"\texport \t A=1  \r\n", "A=1"},
        {"A=1 B=2\nexport C=3 D=4\n", "A=1|B=2|C=3|D=4"},
        {"A=1; export A\nB=2;C=3", "A=1|B=2|C=3"},
        {"export A B=2 C\n", "B=2"},
        {"A=1\nA=2\nB=3\nA=4\n", "A=4|B=3"},
        {"A=\nB=\n", "A=|B="},
        {"A=1 # note\nB=1#no\n#C=1\n", "A=1|B=1#no"},
        {"A=1 \\\n  B=2\n", "A=1|B=2"},
        {"A=x\\\ny\n", "A=xy"},
        {"A=a=b:c,d%e@f!g^h+i\n", "A=a=b:c,d%e@f!g^h+i"},
    };

    CHECK_ALL(cases, 0);
}
END_TEST

START_TEST(quotes_are_those_of_the_shell)
{
    static const struct script_case cases[] = {
        {"A='a b'\n", "A=a b"},
        {"A='$SET `x` \\ \"'\n", "A=$SET `x` \\ \""},
        {"A=\"a b\"\n", "A=a b"},
        {"A=\"\\$SET \\` \\\\ \\\" \\x\"\n", "A=$SET ` \\ \" \\x"},
        {"A=\\$SET\\ \\;x\n", "A=$SET ;x"},
        {"A=a'b'\"c\"d\n", "A=abcd"},
        {"A='one\ntwo'\nB=1\n", "A=one\ntwo|B=1"},
        {"A=\"one\ntwo\"\n", "A=one\ntwo"},
        {"A='it'\\''s'\n", "A=it's"},
        {"A=\"it's\"\n", "A=it's"},
        {"A=\"(a|b) && c; *? {} <>\"\n", "A=(a|b) && c; *? {} <>"},
        {"A=\"\" B=''\n", "A=|B="},
    };

    CHECK_ALL(cases, 0);
}
END_TEST

START_TEST(variables_are_expanded)
{
    static const struct script_case cases[] = {
        {"A=$HOME/x\n", "A=/home/ada/x"},
        {"A=${HOME}x\n", "A=/home/adax"},
        {"A=\"$HOME:${HOME}\"\n", "A=/home/ada:/home/ada"},
        {"A=$NONE\n", "A="},
        {"SET=image\nA=$SET\n", "SET=image|A=image"},
        {"A=1 B=$A$A\n", "A=1|B=11"},
        {"A=1\nA=$A:$A\n", "A=1:1"},
        {"A=1\nexport A=2 B=$A\n", "A=2|B=1"},
        {"A=\"cost: 5$\" B=$\n", "A=cost: 5$|B=$"},
        {"A=${SET:-x} B=${SET-x} C=${SET:+x} D=${SET+x}\n", "A=host|B=host|C=x|D=x"},
        {"A=${NO:-x} B=${NO-x} C=${NO:+x} D=${NO+x}\n", "A=x|B=x|C=|D="},
        {"A=${EMPTY:-x} B=${EMPTY-x} C=${EMPTY:+x} D=${EMPTY+x}\n", "A=x|B=|C=|D=x"},
        {"A=${NO:-}\n", "A="},
        {"A=${NO:-a b}\n", "A=a b"},
        {"A=\"${NO:-\"a } b\"}\"\n", "A=a } b"},
        {"A=\"${NO:-'a'}\" B=${NO:-'a'}\n", "A='a'|B=a"},
        {"A=${NO:-${NONE:-$HOME}}\n", "A=/home/ada"},
        {"A=\"${NO:-\\}}\"\n", "A=}"},
    };

    CHECK_ALL(cases, 0);
}
END_TEST

START_TEST(host_never_lends_where_its_system_is)
{
    static const struct script_case cases[] = {
        {"PATH=/opt/x/bin:$PATH\n",
         "PATH=/opt/x/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        {"PATH=/a\nPATH=$PATH:/b\n", "PATH=/a:/b"},
        {"LD_LIBRARY_PATH=/x:$LD_LIBRARY_PATH\n", "LD_LIBRARY_PATH=/x:"},
        {"LD_LIBRARY_PATH=/x${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\n",
         "LD_LIBRARY_PATH=/x"},
    };

    CHECK_ALL(cases, 0);
}
END_TEST

START_TEST(generated_default_is_what_dockers_image_said)
{
    static const struct script_case cases[] = {
        {"export OWN=\"${OWN:-\"image\"}\"\n", "OWN=image"},
        {"export PATH=\"${PATH:-\"/a:/b\"}\"\n", "PATH=/a:/b"},
        {"export A=\"${A:-\"\\$x \\\"y\\\" \\`z\\` \\\\\"}\"\n", "A=$x \"y\" `z` \\"},
        {"export NO=\"${NO:-}\"\n", "NO="},
        {"export A=\"${A:-\"1\"}\"\nexport A=\"${A:-\"2\"}\"\n", "A=1"},
        {"A=${OWN:-image}\n", "A=from host"},
    };
    static const struct script_case by_hand[] = {
        {"export OWN=\"${OWN:-\"image\"}\"\n", "OWN=from host"},
        {"export NO=${NO:-image}\n", "NO=image"},
    };

    CHECK_ALL(cases, METASH_GENERATED);
    CHECK_ALL(by_hand, 0);
}
END_TEST

START_TEST(what_is_more_than_an_assignment_is_passed_over)
{
    static const char *const lines[] = {
        "A=$(id)",
        "A=`id`",
        "A=\"$(id)\"",
        "A=\"`id`\"",
        "A=x`id`",
        "A=$((1+1))",
        "A=1 && B=1",
        "A=1 || B=1",
        "A=1 | B=1",
        "A=1 & B=1",
        "A=1 id",
        "export A=1 -x",
        "A=x>y",
        "A=<y",
        "A=(a b)",
        "A={a,b}",
        "A=*",
        "A=a?",
        "A=[a]",
        "A=~/x",
        "A=/x:~/y",
        "A=$1",
        "A=$@",
        "A=$#",
        "A=$?",
        "A=$$",
        "A=$'x'",
        "A=$\"x\"",
        "A=${#SET}",
        "A=${SET%x}",
        "A=${SET/x/y}",
        "A=${SET:=x}",
        "A=${SET=x}",
        "A=${SET:?x}",
        "A=${SET?x}",
        "A=${SET:1}",
        "A=${!SET}",
        "A=${}",
        "A=${1}",
        "A=${NO:-$(id)}",
        "A=${NO:-`id`}",
        "A=${NO:-~/x}",
        "A+=x",
        "A[1]=x",
        "1A=x",
        "A-B=x",
        "=x",
        "export =x",
        "export -n A",
        "readonly A=1",
        "declare A=1",
        "local A=1",
        "alias A=1",
        "unset SET",
        ". /etc/profile",
        "set -a",
        "exportA =1",
        "A =1",
        "!",
        "exit 0",
        "[ -n x ] && A=1",
        "test x || A=1",
        "echo A=1",
        "cd /x; echo A=1",
        "A=${NO:-\"$(id)\"}",
        "A=1 B=$(id)",
        "eval 'A=1'",
        "A=1;;",
        "(A=1)",
        "{ A=1; }",
        "f() { A=1; }",
        "if x; then A=1; fi",
        "for A in 1 2; do B=1; done",
        "case x in y) A=1;; esac",
        "while false; do A=1; done",
        "! A=1",
        "time A=1 x",
    };
    char script[256];

    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        (void)snprintf(script, sizeof(script), "Y=1\n%s\nZ=1\n", lines[i]);
        cleanup_free char *got = evaluate(script, 0);
        ck_assert_msg(strcmp(got, "Y=1|Z=1") == 0, "%s: %s", lines[i], got);
    }
}
END_TEST

START_TEST(constructs_of_many_lines_are_passed_over_whole)
{
    static const struct script_case cases[] = {
        {"if [ -z \"$X\" ]; then\n  A=1\nelse\n  A=2\nfi\nB=1\n", "B=1"},
        {"if x\nthen\n if y; then\n A=1\n fi\n A=2\nfi\nB=1\n", "B=1"},
        {"for i in a b\ndo\n A=1\ndone\nB=1\n", "B=1"},
        {"while x; do\nA=1\ndone < /x\nB=1\n", "B=1"},
        {"case \"$X\" in\n a) A=1 ;;\n b|c)\n A=2\n ;;\nesac\nB=1\n", "B=1"},
        {"f() {\n A=1\n}\nB=1\n", "B=1"},
        {"function f {\n A=1\n}\n", ""},
        {"{\n A=1\n}\nB=1\n", "B=1"},
        {"(\n A=1\n)\nB=1\n", "B=1"},
        {"X=(\n A=1\n)\nB=1\n", "B=1"},
        {"Y=$(\n A=1\n)\nB=1\n", "B=1"},
        {"echo 'if\nA=1'\nB=1\n", "B=1"},
        {"echo \"\nA=1\n\"\nB=1\n", "B=1"},
        {"echo if then # if\nB=1\n", "B=1"},
        {"echo \\\nA=1\nB=1\n", "B=1"},
        {"fi\ndone\n}\n)\nB=1\n", "B=1"},
        {"if x; then\nA=1\n", ""},
        {"cat <<EOF\nA=1\nEOF\nB=1\n", ""},
        {"echo \"open\nA=1\n", ""},
        {"echo don't\nA=1\n", ""},
        {"A=1\nB=\"open\nC=1\n", "A=1"},
    };

    CHECK_ALL(cases, 0);
}
END_TEST

START_TEST(odd_ends_are_no_trouble)
{
    static const struct script_case cases[] = {
        {"", ""},           {"\n", ""},      {"#", ""},         {"\\", ""},
        {"\\\n", ""},       {"A=\\", ""},    {"A='", ""},       {"A=\"", ""},
        {"A=\"\\", ""},     {"A=$", "A=$"},  {"A=${", ""},      {"A=${B", ""},
        {"A=${B:", ""},     {"A=${B:-", ""}, {"A=${B:-\\", ""}, {"A=\"${B:-\"", ""},
        {"export", ""},     {"export ", ""}, {"export A", ""},  {"A", ""},
        {";", ""},          {";;;", ""},     {"'", ""},         {"`", ""},
        {"(", ""},          {")", ""},       {"<", ""},         {"<<", ""},
        {"A=${B:-${C", ""}, {"x \\", ""},    {"x '\\", ""},     {"A=\"${B:-'", ""},
    };

    CHECK_ALL(cases, 0);
}
END_TEST

START_TEST(nesting_has_an_end)
{
    char script[4096] = "A=";

    for (int i = 0; i < 16; i++)
        strcat(script, "${N:-");
    strcat(script, "x");
    for (int i = 0; i < 16; i++)
        strcat(script, "}");
    cleanup_free char *deep = evaluate(script, 0);
    ck_assert_str_eq(deep, "A=x");

    (void)snprintf(script, sizeof(script), "A=");
    for (int i = 0; i < 600; i++)
        strcat(script, "${N:-");
    strcat(script, "\nB=1\n");
    cleanup_free char *deeper = evaluate(script, 0);
    ck_assert_str_eq(deeper, "B=1");
}
END_TEST

START_TEST(values_that_double_stay_within_the_limit)
{
    char script[4096] = "A=xxxxxxxx\n";

    for (int i = 0; i < 200; i++)
        strcat(script, "A=$A$A\n");
    strcat(script, "B=1\n");
    cleanup_free char *got = evaluate(script, 0);
    ck_assert_uint_lt(strlen(got), 131072 + 8);
    ck_assert_ptr_nonnull(strstr(got, "|B=1"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("metash");
    TCase *tc = tcase_create("metash");

    tcase_add_test(tc, assignments_count_with_and_without_export);
    tcase_add_test(tc, quotes_are_those_of_the_shell);
    tcase_add_test(tc, variables_are_expanded);
    tcase_add_test(tc, host_never_lends_where_its_system_is);
    tcase_add_test(tc, generated_default_is_what_dockers_image_said);
    tcase_add_test(tc, what_is_more_than_an_assignment_is_passed_over);
    tcase_add_test(tc, constructs_of_many_lines_are_passed_over_whole);
    tcase_add_test(tc, odd_ends_are_no_trouble);
    tcase_add_test(tc, nesting_has_an_end);
    tcase_add_test(tc, values_that_double_stay_within_the_limit);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
