/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/challenge.h"
#include "unit.h"

#include <string.h>

static const struct {
    const char *header;
    enum challenge_scheme scheme;
    const char *realm, *service;
} good[] = {
    {"Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
     "scope=\"repository:library/debian:pull\"",
     CHALLENGE_BEARER, "https://auth.docker.io/token", "registry.docker.io"},
    {"bEARER   service=s , REALM = \"r\"", CHALLENGE_BEARER, "r", "s"},
    {"Basic realm=\"a, Bearer realm=b\"", CHALLENGE_BASIC, "a, Bearer realm=b", ""},
    {"Basic", CHALLENGE_BASIC, "", ""},
    {"Basic realm=\"x\", Bearer realm=\"y\"", CHALLENGE_BEARER, "y", ""},
    {"Bearer realm=\"y\", Basic realm=\"x\"", CHALLENGE_BEARER, "y", ""},
    {"Negotiate YWJj==, Basic realm=x", CHALLENGE_BASIC, "x", ""},
    {"Negotiate, NTLM, Basic", CHALLENGE_BASIC, "", ""},
    {"Digest qop=\"auth,auth-int\", realm=\"no\", Basic realm=\"yes\"", CHALLENGE_BASIC,
     "yes", ""},
    {"Bearer realm=\"a\\\"b\\\\c\"", CHALLENGE_BEARER, "a\"b\\c", ""},
    {"Bearer realm=https://x.org/t?a=b,service=s", CHALLENGE_BEARER,
     "https://x.org/t?a=b", "s"},
    {", ,Bearer realm=a,,service=b,", CHALLENGE_BEARER, "a", "b"},
    {"Bearer error=\"invalid_token\", realm=\"z\"", CHALLENGE_BEARER, "z", ""},
};

static const char *const bad[] = {
    "",
    " , ,",
    "=",
    "\"",
    "Bearer",
    "Bearer realm",
    "Bearer realm=",
    "Bearer realm=\"\"",
    "Bearer service=\"only\"",
    "Bearer realm=\"https://never",
    "Bearer realm=\"a\001b\"",
    "Bearer realm=\"a\177b\"",
    "Digest realm=\"x\"",
    "Negotiate YWJj==",
    "BearerX realm=\"x\"",
    "realm=\"x\"",
};

START_TEST(schemes_and_their_parameters_are_told_apart)
{
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct challenge got;

        challenge_parse(good[i].header, &got);
        ck_assert_msg(got.scheme == good[i].scheme, "%s: %d", good[i].header, got.scheme);
        ck_assert_msg(strcmp(got.realm, good[i].realm) == 0, "%s: realm %s",
                      good[i].header, got.realm);
        ck_assert_msg(strcmp(got.service, good[i].service) == 0, "%s: service %s",
                      good[i].header, got.service);
    }
}
END_TEST

START_TEST(what_is_malformed_is_none)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct challenge got;

        challenge_parse(bad[i], &got);
        ck_assert_msg(got.scheme == CHALLENGE_NONE, "%s: %d", bad[i], got.scheme);
    }
}
END_TEST

START_TEST(a_realm_that_is_too_long_is_not_cut)
{
    char header[4096] = "Basic realm=x, Bearer realm=\"";
    size_t n = strlen(header);
    struct challenge got;

    memset(header + n, 'a', 3000);
    header[n + 3000] = '"';
    challenge_parse(header, &got);
    ck_assert_int_eq(got.scheme, CHALLENGE_BASIC);
}
END_TEST

static Suite *challenge_suite(void)
{
    Suite *suite = suite_create("challenge");
    TCase *tc = tcase_create("challenge");

    tcase_add_test(tc, schemes_and_their_parameters_are_told_apart);
    tcase_add_test(tc, what_is_malformed_is_none);
    tcase_add_test(tc, a_realm_that_is_too_long_is_not_cut);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(challenge_suite)
