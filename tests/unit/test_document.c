/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/document.h"
#include "base/limits.h"
#include "unit.h"

#include <string.h>

#define N(arr) (sizeof(arr) / sizeof(*(arr)))

static struct json_object *parse(const char *text)
{
    struct json_object *document = NULL;
    struct vitrine_error err = {0};

    ck_assert_msg(document_parse(text, strlen(text), &document, &err) == 0, "%s: %s",
                  text, err.text);
    return document;
}

static void refuses(const char *text, size_t size, const char *reason)
{
    struct json_object *document = NULL;
    struct vitrine_error err = {0};

    ck_assert_msg(document_parse(text, size, &document, &err) == -1, "%s", text);
    ck_assert_msg(strstr(err.text, reason) != NULL, "%.80s: %s", text, err.text);
    ck_assert_int_eq(err.code, VITRINE_EFORMAT);
    ck_assert_ptr_null(document);
}

START_TEST(wrong_syntax_is_refused)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "cut off"},
        {" ", "cut off"},
        {"{", "cut off"},
        {"{\"a\"", "cut off"},
        {"{\"a\":\"", "cut off"},
        {"{}{}", "wrong at byte 3"},
        {"{} x", "wrong at byte"},
        {"[]", "not an object"},
        {"null ", "not an object"},
        {"\"a\"", "not an object"},
        {"12 ", "not an object"},
        {"{'a':1}", "wrong at byte"},
        {"{\"a\":'b\"'}", "wrong at byte 6"},
        {"{'a\":\"b':1}", "wrong at byte 2"},
        {"{\"a\":Infinity}", "wrong at byte 6"},
        {"{a:1}", "wrong at byte"},
        {"{\"a\":1,}", "wrong at byte"},
        {"{\"a\":[1,]}", "wrong at byte"},
        {"{/* c */}", "wrong at byte"},
        {"{\"a\":/* : */1}", "wrong at byte"},
        {"{\"a\":nan}", "wrong at byte"},
        {"{\"a\":01}", "wrong at byte"},
        {"{\"a\":\"\xff\"}", "wrong at byte"},
        {"{\"a\":1,\"a\":1}", "a name twice in one object"},
        {"{\"a\":{\"b\":1,\"c\":2,\"b\":3}}", "a name twice in one object"},
        {"{\"a\":[{\"b\":[],\"b\":{}}]}", "a name twice in one object"},
        {"{\"a\":1,\"\\u0061\":1}", "a name twice in one object"},
        {"{\"a\":1,\"a\\u0000b\":1}", "a name twice in one object"},
        {"\xef\xbb\xbf{}", "wrong at byte 1"},
    };

    for (size_t i = 0; i < N(cases); i++)
        refuses(cases[i].text, strlen(cases[i].text), cases[i].reason);
    refuses("{}\0{}", 5, "wrong at byte 3");
    refuses("{\0}", 3, "");
    document_free(parse("{}"));
    document_free(parse(" {\"a\" : {\"a\":[{\"a\":1},{\"a\":\"::,{[\\\"\\\\\"}]}}\n"));
}
END_TEST

/* "{"a":" and so many of `open`, in memory that ends with them. */
static void refuses_many(const char *open, size_t n, const char *reason)
{
    size_t len = strlen(open);
    char *text = malloc(5 + n * len);

    ck_assert_ptr_nonnull(text);
    memcpy(text, "{\"a\":", 5);
    for (size_t i = 0; i < n; i++)
        memcpy(text + 5 + i * len, open, len);
    refuses(text, 5 + n * len, reason);
    free(text);
}

START_TEST(sizes_are_limited)
{
    refuses_many("[", LIMIT_JSON_DEPTH, "nested deeper than 32");
    refuses_many("{\"a\":", 4000, "nested deeper than 32");
    refuses_many("[", LIMIT_JSON_VALUES, "more than 100000 values");
    refuses_many("[],", LIMIT_JSON_VALUES / 2, "more than 100000 values");
    refuses_many(" ", LIMIT_JSON_SIZE, "longer than 4194304 bytes");
}
END_TEST

START_TEST(members_must_have_their_type)
{
    struct json_object *document = parse(
        "{\"o\":{},\"a\":[1,{}],\"s\":\"x\",\"n\":1,\"z\":null,\"nul\":\"a\\u0000b\","
        "\"l\":[\"p\",\"q\"],\"bad\":[\"p\",7],\"badnul\":[\"\\u0000\"]}");
    struct json_object *value = document;
    const char *text = "before", **list = NULL;
    struct vitrine_error err = {0};
    size_t n = 9;

    ck_assert_int_eq(document_object(document, "s", &value, &err), -1);
    ck_assert_str_eq(err.text, "its 's' is not an object");
    ck_assert_int_eq(document_array(document, "o", &value, &err), -1);
    ck_assert_int_eq(document_string(document, "n", &text, &err), -1);
    ck_assert_str_eq(err.text, "its 'n' is not a text");
    ck_assert_int_eq(document_string(document, "nul", &text, &err), -1);
    ck_assert_str_eq(err.text, "its 'nul' has a NUL in it");
    ck_assert_int_eq(document_strings(document, "n", &list, &n, &err), -1);
    ck_assert_int_eq(document_strings(document, "bad", &list, &n, &err), -1);
    ck_assert_str_eq(err.text, "element 2 of its 'bad' is not a text");
    ck_assert_int_eq(document_strings(document, "badnul", &list, &n, &err), -1);
    ck_assert_ptr_eq(value, document);
    ck_assert_str_eq(text, "before");
    ck_assert(!list && n == 9);

    ck_assert_int_eq(document_string(document, "z", &text, &err), 0);
    ck_assert_ptr_null(text);
    ck_assert_int_eq(document_string(NULL, "s", &text, &err), 0);
    ck_assert_ptr_null(text);
    ck_assert_int_eq(document_string(document, "s", &text, &err), 0);
    ck_assert_str_eq(text, "x");
    ck_assert(!document_has(document, "z") && document_has(document, "o"));
    ck_assert_int_eq(document_strings(document, "s", &list, &n, &err), 0);
    ck_assert(n == 1 && strcmp(list[0], "x") == 0);
    free(list);
    ck_assert_int_eq(document_strings(document, "l", &list, &n, &err), 0);
    ck_assert(n == 2 && strcmp(list[1], "q") == 0);
    free(list);
    ck_assert_int_eq(document_strings(document, "absent", &list, &n, &err), 0);
    ck_assert_uint_eq(n, 0);
    free(list);
    ck_assert_int_eq(document_array(document, "a", &value, &err), 0);
    ck_assert_uint_eq(document_length(value), 2);
    ck_assert_uint_eq(document_length(NULL), 0);
    struct json_object *array = value;
    ck_assert_int_eq(document_element(array, 0, &value, &err), -1);
    ck_assert_str_eq(err.text, "element 1 is not an object");
    ck_assert_int_eq(document_element(array, 1, &value, &err), 0);
    document_free(document);
}
END_TEST

START_TEST(numbers_are_whole_and_in_range)
{
    static const struct {
        const char *text;
        long long value; /* -1: refused */
    } cases[] = {
        {"{\"n\":0}", 0},
        {"{\"n\":-0}", 0},
        {"{\"n\":1000}", 1000},
        {"{\"n\":1001}", -1},
        {"{\"n\":-1}", -1},
        {"{\"n\":1.0}", -1},
        {"{\"n\":1e2}", -1},
        {"{\"n\":\"1\"}", -1},
        {"{\"n\":true}", -1},
        {"{\"n\":[1]}", -1},
        {"{\"n\":null}", -1},
        {"{}", -1},
        {"{\"n\":9223372036854775808}", -1},
        {"{\"n\":18446744073709551615}", -1},
        {"{\"n\":-9223372036854775808}", -1},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct json_object *document = parse(cases[i].text);
        struct vitrine_error err = {0};
        uint64_t n = 7;
        int rc = document_number(document, "n", 1000, &n, &err);

        ck_assert_msg(rc == (cases[i].value < 0 ? -1 : 0), "%s: %s", cases[i].text,
                      err.text);
        ck_assert_uint_eq(n, cases[i].value < 0 ? 7 : (uint64_t)cases[i].value);
        document_free(document);
    }
}
END_TEST

static bool join(void *arg, const char *name, struct json_object *value)
{
    (void)value;
    (void)strcat(arg, name);
    return name[0] != 'c';
}

START_TEST(members_are_visited_in_their_order)
{
    struct json_object *document = parse("{\"b\":1,\"a\":null,\"c\":[],\"d\":1}");
    char names[10] = "";

    document_each(document, join, names);
    ck_assert_str_eq(names, "bac");
    document_each(NULL, join, names);
    document_free(document);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("document");
    TCase *tc = tcase_create("document");

    tcase_add_test(tc, wrong_syntax_is_refused);
    tcase_add_test(tc, sizes_are_limited);
    tcase_add_test(tc, members_must_have_their_type);
    tcase_add_test(tc, numbers_are_whole_and_in_range);
    tcase_add_test(tc, members_are_visited_in_their_order);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
