/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/limits.h"
#include "registry/manifest.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define N(arr) (sizeof(arr) / sizeof(*(arr)))
#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct manifest_platform amd64 = {.architecture = "amd64"};

START_TEST(configuration_becomes_records)
{
    static const struct {
        const char *json, *records; /* with '|' for NUL */
    } cases[] = {
        {"{}", ""},
        {"{\"config\":null}", ""},
        {"{\"config\":{}}", ""},
        {"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{}}", ""},
        {"{\"architecture\":\"x86_64\",\"os\":\"\"}", ""},
        {"{\"architecture\":\"\"}", ""},
        {"{\"config\":{\"Env\":[\"A=1\",\"B=\",\"C=a=b\\nc\"],\"WorkingDir\":\"/w\","
         "\"Entrypoint\":[\"/e\",\"-x\",\"\"],\"Cmd\":[\"c d\"],\"User\":\"1:2\","
         "\"Volumes\":{\"/v\":{},\"/a\":null},\"Labels\":{\"x\":\"y\"}}}",
         "env=A=1|env=B=|env=C=a=b\nc|workdir=/w|entrypoint=/e|entrypoint=-x|entrypoint=|"
         "cmd=c d|user=1:2|volume=/v|volume=/a|"},
        {"{\"config\":{\"Env\":[\"A\",\"=x\",\"\",\"A=1\"]}}", "env=A=1|"},
        {"{\"config\":{\"Env\":null,\"Entrypoint\":null,\"Cmd\":[],\"User\":\"\","
         "\"WorkingDir\":\"\",\"Volumes\":null}}",
         ""},
        {"{\"config\":{\"WorkingDir\":\"app/x\"}}", "workdir=/app/x|"},
        {"{\"config\":{\"Entrypoint\":\"/run\",\"Cmd\":\"x y\"}}",
         "entrypoint=/run|cmd=x y|"},
        {"{\"config\":{\"Volumes\":{\"v\":{},\"\":{},\"/v\":{}}}}", "volume=/v|"},
        {"{\"config\":{\"User\":\"\\u00e4\"}}", "user=\xc3\xa4|"},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct vitrine_error err = {0};
        char *data = NULL;
        size_t size = 99;

        ck_assert_msg(manifest_config(cases[i].json, strlen(cases[i].json), &amd64, &data,
                                      &size, &err) == 0,
                      "%s: %s", cases[i].json, err.text);
        ck_assert_ptr_nonnull(data);
        ck_assert_uint_eq(size, strlen(cases[i].records));
        for (size_t j = 0; j < size; j++)
            ck_assert_msg(data[j] ==
                              (cases[i].records[j] == '|' ? '\0' : cases[i].records[j]),
                          "%s: byte %zu", cases[i].json, j);
        free(data);
    }
}
END_TEST

START_TEST(bad_configurations_are_refused)
{
    static const struct {
        const char *json, *reason;
    } cases[] = {
        {"", "its JSON is cut off"},
        {"[]", "its JSON is not an object"},
        {"{\"config\":[]}", "its 'config' is not an object"},
        {"{\"config\":{\"Env\":{}}}", "its 'Env' is not an array"},
        {"{\"config\":{\"Env\":[1]}}", "element 1 of its 'Env' is not a text"},
        {"{\"config\":{\"Env\":[\"A=1\",[]]}}", "element 2 of its 'Env' is not a text"},
        {"{\"config\":{\"Env\":[\"A=\\u0000\"]}}", "its 'Env' has a NUL in it"},
        {"{\"config\":{\"Entrypoint\":7}}", "its 'Entrypoint' is not an array"},
        {"{\"config\":{\"Cmd\":[null]}}", "element 1 of its 'Cmd' is not a text"},
        {"{\"config\":{\"User\":0}}", "its 'User' is not a text"},
        {"{\"config\":{\"User\":\"a\\u0000\"}}", "its 'User' has a NUL in it"},
        {"{\"config\":{\"WorkingDir\":[]}}", "its 'WorkingDir' is not a text"},
        {"{\"config\":{\"Volumes\":[]}}", "its 'Volumes' is not an object"},
        {"{\"config\":{},\"config\":{}}", "a name twice"},
        {"{\"os\":\"windows\"}", "it is for windows, not for linux"},
        {"{\"os\":1}", "its 'os' is not a text"},
        {"{\"architecture\":\"arm64\"}", "it is for arm64, not for amd64"},
        {"{\"architecture\":\"386\"}", "it is for 386, not for amd64"},
        {"{\"architecture\":{}}", "its 'architecture' is not a text"},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct vitrine_error err = {0};
        char *data = NULL;
        size_t size = 99;

        ck_assert_int_eq(manifest_config(cases[i].json, strlen(cases[i].json), &amd64,
                                         &data, &size, &err),
                         -1);
        ck_assert_msg(strstr(err.text, cases[i].reason) != NULL, "%s: %s", cases[i].json,
                      err.text);
        ck_assert(!data && size == 99);
    }
}
END_TEST

/* {"config":{MEMBER:[ELEMENT,...]}} with `n` elements. */
static int parse_many(const char *member, const char *element, size_t n, char open,
                      char close, struct vitrine_error *err)
{
    char *text = malloc(64 + n * (strlen(element) + 32)), *p, *data = NULL;
    size_t size;

    ck_assert_ptr_nonnull(text);
    p = text + sprintf(text, "{\"config\":{\"%s\":%c", member, open);
    for (size_t i = 0; i < n; i++)
        p += sprintf(p, open == '{' ? "%s\"/%s%zu\":{}" : "%s\"%s%zu\"", i ? "," : "",
                     element, i);
    p += sprintf(p, "%c}}", close);
    int rc = manifest_config(text, (size_t)(p - text), &amd64, &data, &size, err);
    free(text);
    free(data);
    return rc;
}

START_TEST(numbers_and_sizes_are_limited)
{
    struct vitrine_error err = {0};
    char big[LIMIT_META_FILE];

    ck_assert_int_eq(parse_many("Env", "A=", LIMIT_META_VARS, '[', ']', &err), 0);
    ck_assert_int_eq(parse_many("Env", "A=", LIMIT_META_VARS + 1, '[', ']', &err), -1);
    ck_assert_str_eq(err.text, "it has more than 4096 variables");
    ck_assert_int_eq(parse_many("Cmd", "x", LIMIT_META_WORDS, '[', ']', &err), 0);
    ck_assert_int_eq(parse_many("Cmd", "x", LIMIT_META_WORDS + 1, '[', ']', &err), -1);
    ck_assert_str_eq(err.text, "its 'Cmd' has more than 4096 parts");
    ck_assert_int_eq(parse_many("Volumes", "x", LIMIT_META_WORDS, '{', '}', &err), 0);
    ck_assert_int_eq(parse_many("Volumes", "x", LIMIT_META_WORDS + 1, '{', '}', &err),
                     -1);
    ck_assert_str_eq(err.text, "it has more than 4096 volumes");
    /* "env=A=aaa0" and a NUL: as long as the file may be, and by one longer. */
    memset(big, 'a', sizeof(big));
    memcpy(big, "A=", 2);
    big[LIMIT_META_FILE - 6] = '\0';
    ck_assert_msg(parse_many("Env", big, 1, '[', ']', &err) == 0, "%s", err.text);
    big[LIMIT_META_FILE - 6] = 'a';
    big[LIMIT_META_FILE - 5] = '\0';
    ck_assert_int_eq(parse_many("Env", big, 1, '[', ']', &err), -1);
    ck_assert_msg(strstr(err.text, "take more than 262144 bytes") != NULL, "%s",
                  err.text);
}
END_TEST

START_TEST(diff_ids_are_listed)
{
    static const char good[] =
        "{\"rootfs\":{\"diff_ids\":[\"sha256:" HEX "\",\"sha256:" HEX "\"]}}";
    static const char *const bad[] = {
        "{}",
        "{\"rootfs\":[]}",
        "{\"rootfs\":{}}",
        "{\"rootfs\":{\"diff_ids\":[]}}",
        "{\"rootfs\":{\"diff_ids\":[7]}}",
        "{\"rootfs\":{\"diff_ids\":[\"" HEX "\"]}}",
        "{\"rootfs\":{\"diff_ids\":[\"sha512:" HEX "\"]}}",
    };
    struct vitrine_error err = {0};
    char(*ids)[DIGEST_TEXT] = NULL;
    size_t n = 0;

    for (size_t i = 0; i < N(bad); i++) {
        ck_assert_int_eq(manifest_diff_ids(bad[i], strlen(bad[i]), &ids, &n, &err), -1);
        ck_assert(!ids && n == 0);
    }
    ck_assert_int_eq(manifest_diff_ids(good, strlen(good), &ids, &n, &err), 0);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(ids[1], "sha256:" HEX);
    free(ids);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("manifest_config");
    TCase *tc = tcase_create("manifest_config");

    tcase_add_test(tc, configuration_becomes_records);
    tcase_add_test(tc, bad_configurations_are_refused);
    tcase_add_test(tc, numbers_and_sizes_are_limited);
    tcase_add_test(tc, diff_ids_are_listed);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
