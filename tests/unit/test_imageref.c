/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec/imageref.h"
#include "base/limits.h"
#include "unit.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

START_TEST(text_tells_the_kind)
{
    static const struct {
        const char *text;
        enum imageref_kind kind;
        bool maybe_registry;
    } cases[] = {
        {"none", IMAGEREF_NONE, false},
        {"/x/y.sqfs", IMAGEREF_ABSOLUTE, false},
        {"/", IMAGEREF_ABSOLUTE, false},
        {"/none", IMAGEREF_ABSOLUTE, false},
        {"/x#y:z", IMAGEREF_ABSOLUTE, false},
        {".", IMAGEREF_RELATIVE, false},
        {"..", IMAGEREF_RELATIVE, false},
        {"./", IMAGEREF_RELATIVE, false},
        {"./none", IMAGEREF_RELATIVE, false},
        {"../x.sqfs", IMAGEREF_RELATIVE, false},
        {"./ubuntu:22.04", IMAGEREF_RELATIVE, false},
        {"./docker://x", IMAGEREF_RELATIVE, false},
        {"~", IMAGEREF_HOME, false},
        {"~/my.sqfs", IMAGEREF_HOME, false},
        {"~x/my.sqfs", IMAGEREF_NAME, false},
        {"pytorch", IMAGEREF_NAME, false},
        {"pytorch.sqfs", IMAGEREF_NAME, false},
        {"images/pytorch.sqfs", IMAGEREF_NAME, false},
        {"images.d/pytorch.sqfs", IMAGEREF_NAME, false},
        {"images.d/Pytorch.SIF", IMAGEREF_NAME, false},
        {"None", IMAGEREF_NAME, false},
        {"none.sqfs", IMAGEREF_NAME, false},
        {".hidden", IMAGEREF_NAME, false},
        {"...", IMAGEREF_NAME, false},
        {".../x", IMAGEREF_NAME, false},
        {"my image", IMAGEREF_NAME, false},
        {"my image:1", IMAGEREF_NAME, false},
        {"a#b", IMAGEREF_NAME, false},
        {"nvcr.io/x.sqfs", IMAGEREF_NAME, false},
        {"nvcr.io/", IMAGEREF_NAME, false},
        {"nvidia/pytorch", IMAGEREF_NAME, false},
        {"\xc3\xa4.sqfs", IMAGEREF_NAME, false},
        {"ubuntu:22.04", IMAGEREF_NAME, true},
        {"nvidia/pytorch:24.05-py3", IMAGEREF_NAME, true},
        {"nvcr.io/nvidia/pytorch", IMAGEREF_NAME, true},
        {"nvcr.io/nvidia/pytorch:24.05-py3", IMAGEREF_NAME, true},
        {"localhost/x", IMAGEREF_NAME, true},
        {"registry:5000/x", IMAGEREF_NAME, true},
        {"ubuntu@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         IMAGEREF_NAME, true},
        {"ubuntu@sha256:0123abcd", IMAGEREF_NAME, false},
        {"Ubuntu:22.04", IMAGEREF_NAME, false},
        {"[::1]:5000/x", IMAGEREF_NAME, true},
        {"[::1]:5000#x", IMAGEREF_REGISTRY, false},
        {"docker://ubuntu", IMAGEREF_REGISTRY, false},
        {"Docker://ubuntu:22.04", IMAGEREF_REGISTRY, false},
        {"oci:dir", IMAGEREF_REGISTRY, false},
        {"docker-archive:x.tar", IMAGEREF_REGISTRY, false},
        {"nvcr.io#nvidia/pytorch:24.05", IMAGEREF_REGISTRY, false},
        {"$oauthtoken@nvcr.io#nvidia/pytorch", IMAGEREF_REGISTRY, false},
        {"localhost#x", IMAGEREF_REGISTRY, false},
        {"localhost:5000#x", IMAGEREF_REGISTRY, false},
        {"nvcr.io#", IMAGEREF_NAME, false},
        {"a.b@c#x", IMAGEREF_NAME, false},
        {"a.b/c#x", IMAGEREF_NAME, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct vitrine_error err = {0};
        struct imageref ref;

        ck_assert_msg(imageref_parse(cases[i].text, &ref, &err) == 0, "%s: %s",
                      cases[i].text, err.text);
        ck_assert_msg(ref.kind == cases[i].kind, "%s: kind %d", cases[i].text, ref.kind);
        ck_assert_msg(ref.maybe_registry == cases[i].maybe_registry, "%s", cases[i].text);
        ck_assert_ptr_eq(ref.text, cases[i].text);
        ck_assert_int_eq(err.code, VITRINE_OK);
    }
}
END_TEST

START_TEST(name_may_stand_for_a_registry)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"ubuntu", "docker://ubuntu"},
        {"ubuntu:22.04", "docker://ubuntu:22.04"},
        {"nvidia/cuda", "docker://nvidia/cuda"},
        {"nvcr.io/nvidia/cuda:12", "docker://nvcr.io/nvidia/cuda:12"},
        {"ubuntu.sqsh", NULL},
        {"images/x.SIF", NULL},
        {"my image", NULL},
        {"Ubuntu", NULL},
        {"./ubuntu", NULL},
        {"/ubuntu", NULL},
        {"none", NULL},
        {"docker://ubuntu", NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[IMAGEREF_REGISTRY_MAX];
        struct imageref ref;

        ck_assert_int_eq(imageref_parse(cases[i].text, &ref, NULL), 0);
        ck_assert_msg(imageref_as_registry(&ref, text) == (cases[i].want != NULL), "%s",
                      cases[i].text);
        if (cases[i].want)
            ck_assert_str_eq(text, cases[i].want);
    }
}
END_TEST

START_TEST(bad_texts_are_refused)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "the value is empty; give an image, or none"},
        {"a\nb", "the value has a control character in it: a?b"},
        {"/x\033[0m", "the value has a control character in it: /x?[0m"},
        {"\177", "the value has a control character in it: ?"},
        {"x\t", "the value has a control character in it: x?"},
        {"docker://\1", "the value has a control character in it: docker://?"},
        {"file:///x.sqfs",
         "write the path of the image without file://, not file:///x.sqfs"},
        {"library://ubuntu", "images cannot be taken from library://; give a file or a "
                             "directory, not library://ubuntu"},
        {"https://x/y.sif", "images cannot be taken from https://; give a file or a "
                            "directory, not https://x/y.sif"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct vitrine_error err;
        struct imageref ref = {.text = "before"};

        ck_assert_int_eq(imageref_parse(cases[i].text, &ref, &err), -1);
        ck_assert_str_eq(err.text, cases[i].message);
        ck_assert_int_eq(err.code, VITRINE_EUSAGE);
        ck_assert_str_eq(ref.text, "before");
    }
}
END_TEST

START_TEST(length_is_limited)
{
    char text[LIMIT_IMAGE_REF + 2];
    struct vitrine_error err;
    struct imageref ref;

    memset(text, 'a', sizeof(text));
    text[LIMIT_IMAGE_REF] = '\0';
    ck_assert_int_eq(imageref_parse(text, &ref, &err), 0);
    text[LIMIT_IMAGE_REF] = 'a';
    text[LIMIT_IMAGE_REF + 1] = '\0';
    ck_assert_int_eq(imageref_parse(text, &ref, &err), -1);
    ck_assert_str_eq(err.text, "the value is longer than 4096 bytes");
}
END_TEST

START_TEST(nothing_is_read_beyond_the_limit)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t span = (LIMIT_IMAGE_REF + page) / page * page;
    char *map = mmap(NULL, span + page, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct vitrine_error err;
    struct imageref ref;

    /* A text that goes on where no memory is: one byte over the limit is the last. */
    ck_assert_ptr_ne(map, MAP_FAILED);
    ck_assert_int_eq(mprotect(map + span, page, PROT_NONE), 0);
    memset(map, 'a', span);
    ck_assert_int_eq(imageref_parse(map + span - LIMIT_IMAGE_REF - 1, &ref, &err), -1);
}
END_TEST

START_TEST(what_can_only_be_in_a_registry_must_be_a_reference)
{
    static const struct {
        const char *text, *message;
        enum vitrine_errcode code;
    } cases[] = {
        {"docker://Ubuntu",
         "image docker://Ubuntu: the repository 'Ubuntu' has letters in upper case",
         VITRINE_EUSAGE},
        {"nvcr.io#x:", "image nvcr.io#x:: the tag behind ':' is empty", VITRINE_EUSAGE},
        {"oci:", "image oci:: the path is empty", VITRINE_EUSAGE},
        {"dockerd://x", "image dockerd://x: images cannot be taken from Docker's own",
         VITRINE_EUNSUPPORTED},
        {"podman://x", "image podman://x: images cannot be taken from Podman's own",
         VITRINE_EUNSUPPORTED},
        {"oci-archive:x", "image oci-archive:x: archives of an OCI layout are not",
         VITRINE_EUNSUPPORTED},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct vitrine_error err;
        struct imageref ref = {.text = "before"};

        ck_assert_int_eq(imageref_parse(cases[i].text, &ref, &err), -1);
        ck_assert_msg(strncmp(err.text, cases[i].message, strlen(cases[i].message)) == 0,
                      "%s", err.text);
        ck_assert_int_eq(err.code, cases[i].code);
        ck_assert_str_eq(ref.text, "before");
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("imageref");
    TCase *tc = tcase_create("imageref");

    tcase_add_test(tc, text_tells_the_kind);
    tcase_add_test(tc, name_may_stand_for_a_registry);
    tcase_add_test(tc, bad_texts_are_refused);
    tcase_add_test(tc, length_is_limited);
    tcase_add_test(tc, nothing_is_read_beyond_the_limit);
    tcase_add_test(tc, what_can_only_be_in_a_registry_must_be_a_reference);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
