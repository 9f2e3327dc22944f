/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec/registryref.h"
#include "base/limits.h"
#include "unit.h"

#include <string.h>

#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA    "sha256:" HEX
#define TEN    "abcdefghij"
#define FIFTY  TEN TEN TEN TEN TEN
#define N(arr) (sizeof(arr) / sizeof(*(arr)))

START_TEST(good_texts_have_one_canonical_form)
{
    static const struct {
        const char *text, *canonical, *user;
    } cases[] = {
        {"docker://debian", "docker://docker.io/library/debian:latest", ""},
        {"debian", "docker://docker.io/library/debian:latest", ""},
        {"DOCKER://debian:12", "docker://docker.io/library/debian:12", ""},
        {"nvidia/cuda:12.4", "docker://docker.io/nvidia/cuda:12.4", ""},
        {"docker.io/debian", "docker://docker.io/library/debian:latest", ""},
        {"index.docker.io/debian", "docker://docker.io/library/debian:latest", ""},
        {"registry-1.docker.io/x/y", "docker://docker.io/x/y:latest", ""},
        {"docker.io#debian", "docker://docker.io/library/debian:latest", ""},
        {"docker://nvcr.io/nvidia/pytorch:24.05-py3",
         "docker://nvcr.io/nvidia/pytorch:24.05-py3", ""},
        {"nvcr.io#nvidia/pytorch:24.05-py3", "docker://nvcr.io/nvidia/pytorch:24.05-py3",
         ""},
        {"docker://$oauthtoken@nvcr.io#nvidia/pytorch",
         "docker://nvcr.io/nvidia/pytorch:latest", "$oauthtoken"},
        {"me@x.org@ghcr.io#a/b", "docker://ghcr.io/a/b:latest", "me@x.org"},
        {"NVCR.io/a", "docker://nvcr.io/a:latest", ""},
        {"localhost/a", "docker://localhost/a:latest", ""},
        {"LocalHost:5000/a/b/c", "docker://localhost:5000/a/b/c:latest", ""},
        {"localhost:5000", "docker://docker.io/library/localhost:5000", ""},
        {"registry:5000/x", "docker://registry:5000/x:latest", ""},
        {"docker://registry#x", "docker://registry#x:latest", ""},
        {"docker://registry#x/y@" SHA, "docker://registry#x/y@" SHA, ""},
        {"registry/x", "docker://docker.io/registry/x:latest", ""},
        {"[::1]:5000/x", "docker://[::1]:5000/x:latest", ""},
        {"[FE80::1]#x", "docker://[fe80::1]/x:latest", ""},
        {"10.0.0.1:80/x", "docker://10.0.0.1:80/x:latest", ""},
        {"debian@" SHA, "docker://docker.io/library/debian@" SHA, ""},
        {"debian:12@" SHA, "docker://docker.io/library/debian:12@" SHA, ""},
        {"nvcr.io#x:1@" SHA, "docker://nvcr.io/x:1@" SHA, ""},
        {"a/b_c__d-e---f.g", "docker://docker.io/a/b_c__d-e---f.g:latest", ""},
        {"x:_A.b-C", "docker://docker.io/library/x:_A.b-C", ""},
        {"oci:dir", "oci:dir", ""},
        {"oci:/a/b c:v1", "oci:/a/b c:v1", ""},
        {"OCI:../x:docker.io/y:1+2", "oci:../x:docker.io/y:1+2", ""},
        {"oci:d@home:x", "oci:d@home:x", ""},
        {"oci:d@" SHA, "oci:d@" SHA, ""},
        {"oci:d:t@" SHA, "oci:d:t@" SHA, ""},
        {"docker-archive:x.tar", "docker-archive:x.tar", ""},
        {"docker-archive:/x@y#z.tar:debian:12",
         "docker-archive:/x@y#z.tar:docker.io/library/debian:12", ""},
        {"docker-archive:x:localhost/a", "docker-archive:x:localhost/a:latest", ""},
        {"docker-archive:x:reg#a", "docker-archive:x:reg#a:latest", ""},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct vitrine_error err = {0};
        struct registryref ref, again;
        char text[LIMIT_IMAGE_REF], twice[LIMIT_IMAGE_REF];

        ck_assert_msg(registryref_parse(cases[i].text, &ref, &err) == 0, "%s", err.text);
        registryref_print(&ref, text, sizeof(text));
        ck_assert_str_eq(text, cases[i].canonical);
        ck_assert_str_eq(ref.user, cases[i].user);
        ck_assert_msg(registryref_parse(text, &again, &err) == 0, "%s", err.text);
        registryref_print(&again, twice, sizeof(twice));
        ck_assert_str_eq(twice, text);
        ck_assert_int_eq(err.code, VITRINE_OK);
    }
}
END_TEST

START_TEST(parts_are_told_apart)
{
    struct vitrine_error err = {0};
    struct registryref ref;

    ck_assert_int_eq(registryref_parse("docker://U@Reg.x:1#a/b:T@" SHA, &ref, &err), 0);
    ck_assert_int_eq(ref.kind, REGISTRYREF_REGISTRY);
    ck_assert_str_eq(ref.user, "U");
    ck_assert_str_eq(ref.host, "reg.x:1");
    ck_assert_str_eq(ref.repository, "a/b");
    ck_assert_str_eq(ref.tag, "T");
    ck_assert_str_eq(ref.digest, SHA);
    ck_assert_str_eq(ref.path, "");
    ck_assert_int_eq(registryref_parse("docker-archive:f:a:1", &ref, &err), 0);
    ck_assert_int_eq(ref.kind, REGISTRYREF_DOCKER_ARCHIVE);
    ck_assert_str_eq(ref.host, "docker.io");
    ck_assert_str_eq(ref.repository, "library/a");
    ck_assert_str_eq(ref.tag, "1");
    ck_assert_str_eq(ref.path, "f");
    ck_assert_int_eq(registryref_parse("oci:d", &ref, &err), 0);
    ck_assert_int_eq(ref.kind, REGISTRYREF_OCI_LAYOUT);
    ck_assert_str_eq(ref.tag, "");
}
END_TEST

START_TEST(bad_texts_say_which_part_is_wrong)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "the repository is empty"},
        {"docker://", "the repository is empty"},
        {"docker:// ", "is white space"},
        {"docker://nvcr.io/", "the repository is empty"},
        {"docker://nvcr.io#", "the repository is empty"},
        {"docker://#x", "the registry's name is empty"},
        {"docker://a@#x", "the registry's name is empty"},
        {"docker://@nvcr.io#x", "the user before '@' is empty"},
        {"docker://a:b@nvcr.io#x", "has white space or a ':'"},
        {"docker://a b@nvcr.io#x", "has white space or a ':'"},
        {FIFTY TEN TEN "@nvcr.io#x", "the user's name is longer than 63 bytes"},
        {"docker://http://x/y", "write the registry without http://"},
        {"https://x/y", "write the registry without http://"},
        {"docker://Debian", "the repository 'Debian' has letters in upper case"},
        {"nvcr.io/NVIDIA/x", "the repository 'NVIDIA/x' has letters in upper case"},
        {"a//b", "the repository 'a//b' has an empty part"},
        {"/a", "the repository '/a' has an empty part"},
        {"a/", "the repository 'a/' has an empty part"},
        {"nvcr.io/a/", "has an empty part"},
        {"-a", "'-' cannot stand where it does"},
        {"a-", "'-' cannot stand where it does"},
        {"a..b", "'.' cannot stand where it does"},
        {"a/.b", "'.' cannot stand where it does"},
        {"a___b", "'_' cannot stand where it does"},
        {"a._b", "'.' cannot stand where it does"},
        {"a/../b", "'.' cannot stand where it does"},
        {"a#b/c#d", "'#' cannot stand where it does"},
        {"a$b", "'$' cannot stand where it does"},
        {"a:b/c", "'b' is not a port"},
        {"x/a:b/c", "':' cannot stand where it does"},
        {"a b", "byte 2 of the repository 'a b' is white space"},
        {"a\tb", "is white space"},
        {"caf\xc3\xa9", "is no ASCII character"},
        {"debian:", "the tag behind ':' is empty"},
        {"debian:@" SHA, "the tag behind ':' is empty"},
        {"debian:.x", "'.x' is not a tag"},
        {"debian:-x", "'-x' is not a tag"},
        {"debian:a b", "'a b' is not a tag"},
        {"debian:a+b", "'a+b' is not a tag"},
        {"debian: ", "' ' is not a tag"},
        {"debian:" FIFTY FIFTY FIFTY, "is longer than 128 bytes"},
        {"debian@", "the digest behind '@' is empty"},
        {"debian@latest", "'latest' behind '@' is not a digest"},
        {"debian@sha256:", "is not sha256: and 64 hexadecimal digits"},
        {"debian@sha256:abc", "is not sha256: and 64 hexadecimal digits"},
        {"debian@" SHA "0", "is not sha256: and 64 hexadecimal digits"},
        {"debian@sha256:A" HEX, "is not sha256: and 64 hexadecimal digits"},
        {"debian@sha512:" HEX HEX, "the algorithm 'sha512'; only sha256 is supported"},
        {"debian@SHA256:" HEX, "the algorithm 'SHA256'; only sha256 is supported"},
        {"debian@" SHA "@" SHA, "is not sha256: and 64 hexadecimal digits"},
        {"debian@:x", "the algorithm ''"},
        {"x:0/y", "0 is not a port"},
        {"x:65536/y", "65536 is not a port"},
        {"x:99999999999999999999/y", "is not a port"},
        {"x:5a/y", "'5a' is not a port"},
        {"x:/y", "the port behind the registry's name is empty"},
        {"a..b/x", "'a..b' is not the name of a host"},
        {"a./x", "'a.' is not the name of a host"},
        {"a-.b/x", "is not the name of a host"},
        {"a_b.c/x", "is not the name of a host"},
        {"docker://-a#x", "is not the name of a host"},
        {"docker://a b#x", "is not the name of a host"},
        {"[::1/x", "is not an IPv6 address in brackets"},
        {"[]:5/x", "is not an IPv6 address in brackets"},
        {"[1.2.3.4]/x", "is not an IPv6 address in brackets"},
        {"[fe80::1%eth0]/x:y", "is not an IPv6 address in brackets"},
        {"[::1]5000#x", "there is something between the address and the port"},
        {"[::1]:#x", "the port behind the registry's name is empty"},
        {"oci:", "the path is empty"},
        {"oci::v1", "the path is empty"},
        {"oci:x:", "the tag behind ':' is empty"},
        {"oci:x:a b", "'a b' is not a tag"},
        {"oci:x@sha512:" HEX, "only sha256 is supported"},
        {"oci:x@sha256:12", "is not sha256: and 64 hexadecimal digits"},
        {"docker-archive:", "the path is empty"},
        {"docker-archive::x", "the path is empty"},
        {"docker-archive:x:", "the repository is empty"},
        {"docker-archive:x:Y", "has letters in upper case"},
        {"docker-archive:x:y@" SHA, "is told by its name and tag only"},
        {"docker-archive:x:u@r#y", "is told by its name and tag only"},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct vitrine_error err = {0};
        struct registryref ref = {.path = "before"};

        ck_assert_msg(registryref_parse(cases[i].text, &ref, &err) == -1, "%s",
                      cases[i].text);
        ck_assert_msg(strstr(err.text, cases[i].reason) != NULL, "%s: %s", cases[i].text,
                      err.text);
        ck_assert_msg(strncmp(err.text, "image ", 6) == 0, "%s", err.text);
        ck_assert_int_eq(err.code, VITRINE_EUSAGE);
        ck_assert_str_eq(ref.path, "before");
    }
}
END_TEST

START_TEST(other_tools_sources_are_refused_with_advice)
{
    static const struct {
        const char *text, *advice;
    } cases[] = {
        {"dockerd://x", "docker save -o FILE"},
        {"podman://x", "podman save -o FILE"},
        {"oci-archive:x.tar", "skopeo copy"},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct vitrine_error err = {0};
        struct registryref ref;

        ck_assert_int_eq(registryref_parse(cases[i].text, &ref, &err), -1);
        ck_assert_msg(strstr(err.text, cases[i].advice) != NULL, "%s", err.text);
        ck_assert_int_eq(err.code, VITRINE_EUNSUPPORTED);
    }
}
END_TEST

/* A text of `prefix` and so many letters. */
static int parse_long(const char *prefix, size_t n, const char *suffix,
                      struct vitrine_error *err)
{
    struct registryref ref;
    char *text = malloc(strlen(prefix) + n + strlen(suffix) + 1);

    ck_assert_ptr_nonnull(text);
    (void)strcpy(text, prefix);
    memset(text + strlen(prefix), 'a', n);
    (void)strcpy(text + strlen(prefix) + n, suffix);
    int rc = registryref_parse(text, &ref, err);
    free(text);
    return rc;
}

START_TEST(lengths_are_limited)
{
    static const struct {
        const char *prefix;
        size_t longest;
        const char *suffix, *reason;
    } cases[] = {
        {"x.y/", 255, "", "the repository's name is longer than 255 bytes"},
        {"", 255 - 8, "", "the repository's name is longer than 255 bytes"},
        {"x:", 128, "", "is longer than 128 bytes"},
        {"oci:x:", 128, "", "is longer than 128 bytes"},
        {"", 253 - 4, ".com/x", "the registry's name is longer than 253 bytes"},
        {"oci:", 4092, "", "the image's name is longer than 4096 bytes"},
        {"docker-archive:", 4081, "", "the image's name is longer than 4096 bytes"},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct vitrine_error err = {0};

        if (cases[i].longest < 4000)
            ck_assert_msg(
                parse_long(cases[i].prefix, cases[i].longest, cases[i].suffix, &err) == 0,
                "%s", err.text);
        ck_assert_int_eq(
            parse_long(cases[i].prefix, cases[i].longest + 1, cases[i].suffix, &err), -1);
        ck_assert_msg(strstr(err.text, cases[i].reason) != NULL, "%s", err.text);
        ck_assert_int_eq(parse_long(cases[i].prefix, 1 << 20, cases[i].suffix, NULL), -1);
    }
}
END_TEST

START_TEST(digests_are_recognised)
{
    ck_assert(registryref_is_digest(SHA));
    ck_assert(!registryref_is_digest(""));
    ck_assert(!registryref_is_digest("sha256:"));
    ck_assert(!registryref_is_digest(HEX));
    ck_assert(!registryref_is_digest(SHA "0"));
    ck_assert(!registryref_is_digest("sha256:A123456789abcdef0123456789abcdef"
                                     "0123456789abcdef0123456789abcdef"));
    ck_assert(!registryref_is_digest("sha512:" HEX));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("registryref");
    TCase *tc = tcase_create("registryref");

    tcase_add_test(tc, good_texts_have_one_canonical_form);
    tcase_add_test(tc, parts_are_told_apart);
    tcase_add_test(tc, bad_texts_say_which_part_is_wrong);
    tcase_add_test(tc, other_tools_sources_are_refused_with_advice);
    tcase_add_test(tc, lengths_are_limited);
    tcase_add_test(tc, digests_are_recognised);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
