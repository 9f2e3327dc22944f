/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What vitrine.conf says of registries and of the cache. */
#include "config/config.h"
#include "config_text.h"

#include <stdio.h>
#include <string.h>

START_TEST(registries_are_found_by_host)
{
    struct config *config =
        parse("Registry=nvcr.io Mirror=https://m.site:5000/nv/,http://n CAFile=/ca.pem\n"
              "Registry=LocalHost:5000 AllowHTTP=yes\n"
              "Registry=index.docker.io Mirror=https://hub.site\n"
              "Registry=[::1]:5000 AllowHTTP=no");
    const struct config_registry *found = config_registry_for(config, "nvcr.io");

    ck_assert_ptr_nonnull(found);
    ck_assert_uint_eq(found->nmirrors, 2);
    ck_assert_str_eq(found->mirrors[0], "https://m.site:5000/nv");
    ck_assert_str_eq(found->mirrors[1], "http://n");
    ck_assert_str_eq(found->ca_file, "/ca.pem");
    ck_assert(!found->allow_http);
    ck_assert(config_registry_for(config, "localhost:5000")->allow_http);
    ck_assert_ptr_null(config_registry_for(config, "localhost:5000")->ca_file);
    ck_assert_str_eq(config_registry_for(config, "docker.io")->mirrors[0],
                     "https://hub.site");
    ck_assert_ptr_nonnull(config_registry_for(config, "[::1]:5000"));
    ck_assert_ptr_null(config_registry_for(config, "nvcr.io:443"));
    ck_assert_ptr_null(config_registry_for(config, ""));
    config_free(config);
    config = parse("");
    ck_assert_ptr_null(config_registry_for(config, "nvcr.io"));
    config_free(config);
}
END_TEST

START_TEST(cache_has_defaults_and_limits)
{
    static const struct {
        const char *text;
        uint64_t size;
    } sizes[] = {
        {"", UINT64_C(20) << 30},
        {"CacheSize=none", 0},
        {"CacheSize=1K", 1024},
        {"CacheSize=500m", UINT64_C(500) << 20},
        {"CacheSize=3t", UINT64_C(3) << 40},
        {"CacheSize=999999T", UINT64_C(999999) << 40},
    };
    struct config *config;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        config = parse(sizes[i].text);
        ck_assert_uint_eq(config->cache_size, sizes[i].size);
        ck_assert_int_eq(config->import_on, CONFIG_IMPORT_ON_SUBMIT);
        ck_assert_ptr_null(config->cache_owner);
        config_free(config);
    }
    config = parse("ImportOn=Node CacheOwner=vitrine CacheDir=/x/100%%");
    ck_assert_int_eq(config->import_on, CONFIG_IMPORT_ON_NODE);
    ck_assert_str_eq(config->cache_owner, "vitrine");
    config_free(config);
}
END_TEST

START_TEST(cache_directory_is_that_of_a_user)
{
    static const struct {
        const char *text, *user, *home, *dir;
    } cases[] = {
        {"", "u", "/home/u", "/home/u/.cache/vitrine"},
        {"", NULL, "/home/u", "/home/u/.cache/vitrine"},
        {"", "u", NULL, NULL},
        {"", "u", "/", NULL},
        {"", "u", "/home/../u", NULL},
        {"CacheDir=/s/%u/v", "u", NULL, "/s/u/v"},
        {"CacheDir=/s/%u/v", "", "/h", NULL},
        {"CacheDir=/s/%u/v", NULL, "/h", NULL},
        {"CacheDir=/s/%u/v", "..", "/h", NULL},
        {"CacheDir=/s/%u/v", "a/b", "/h", NULL},
        {"CacheDir=/s%h/%%%u%u", "u", "/home/u", "/s/home/u/%uu"},
        {"CacheDir=/s/%h", "u", "/home/u", NULL},
        {"CacheDir=%h/c", "u", "/home/u", "/home/u/c"},
        {"CacheDir=/all CacheOwner=v", NULL, NULL, "/all"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct vitrine_error err = {0};
        struct config *config = parse(cases[i].text);
        char *dir = config_cache_dir(config, cases[i].user, cases[i].home, &err);

        ck_assert_pstr_eq(dir, cases[i].dir);
        ck_assert_int_eq(err.code, dir ? VITRINE_OK : VITRINE_ECONFIG);
        free(dir);
        config_free(config);
    }
}
END_TEST

START_TEST(cache_owner_is_an_account)
{
    struct config *config = parse("CacheDir=/x CacheOwner=daemon");
    struct vitrine_error err;
    uid_t uid = 0;

    ck_assert_int_eq(config_cache_owner(config, &uid, NULL), 0);
    ck_assert_uint_eq(uid, 1);
    config_free(config);
    config = parse("CacheDir=/x CacheOwner=no-such-user-here");
    ck_assert_int_eq(config_cache_owner(config, &uid, &err), -1);
    ck_assert_str_eq(err.text, "CacheOwner: there is no user 'no-such-user-here'");
    config_free(config);
}
END_TEST

/* One mistake each; the message is for whoever made it. */
static const struct {
    const char *text, *message;
} mistakes[] = {
    /* registries */
    {"Registry=a.b", "conf:1: Registry=a.b needs Mirror, CAFile or AllowHTTP on the same "
                     "line"},
    {"\nAllowHTTP=yes", "conf:2: AllowHTTP needs a Registry on the same line"},
    {"CAFile=/x", "conf:1: CAFile needs a Registry on the same line"},
    {"Mirror=https://x", "conf:1: Mirror needs a Registry on the same line"},
    {"Registry=a.b Mirror=https://m CacheSize=1G",
     "conf:1: CacheSize cannot be set for one registry; put it on a line of its own"},
    {"PartitionName=a Image=/x Registry=b",
     "conf:1: Registry cannot be set for one partition; put it on a line of its own"},
    {"Registry=a.b AllowHTTP=perhaps",
     "conf:1: AllowHTTP must be yes or no, not 'perhaps'"},
    {"Registry=a.b CAFile=ca.pem",
     "conf:1: CAFile: 'ca.pem' is not an absolute path free of '.', '..', and needless "
     "slashes"},
    {"Registry=a.b Mirror=m.c",
     "conf:1: Mirror: 'm.c' is not https://HOST[:PORT][/PATH]"},
    {"Registry=a.b Mirror=https://",
     "conf:1: Mirror: 'https://' is not https://HOST[:PORT][/PATH]"},
    {"Registry=a.b Mirror=https://u:p@m.c",
     "conf:1: Mirror: 'https://u:p@m.c' is not https://HOST[:PORT][/PATH]"},
    {"Registry=a.b Mirror=ftp://m.c",
     "conf:1: Mirror: 'ftp://m.c' is not https://HOST[:PORT][/PATH]"},
    {"Registry=a.b Mirror=https://m.c,",
     "conf:1: Mirror: '' is not https://HOST[:PORT][/PATH]"},
    {"Registry=a.b Mirror=https://m.c:99999",
     "conf:1: Mirror: 'https://m.c:99999' is not https://HOST[:PORT][/PATH]"},
    {"Registry=A.b AllowHTTP=yes\n#\nRegistry=a.B AllowHTTP=no",
     "conf:3: registry 'a.b' already has a line, 1"},
    {"Registry=docker.io AllowHTTP=no\nRegistry=index.docker.io AllowHTTP=no",
     "conf:2: registry 'docker.io' already has a line, 1"},
    /* the cache */
    {"CacheDir=cache", "conf:1: CacheDir: 'cache' is not an absolute path free of '.', "
                       "'..', and needless slashes"},
    {"CacheDir=/a/../%u", "conf:1: CacheDir: '/a/../%u' is not an absolute path free of "
                          "'.', '..', and needless slashes"},
    {"CacheDir=%u/x", "conf:1: CacheDir: '%u/x' is not an absolute path free of '.', "
                      "'..', and needless slashes"},
    {"CacheDir=%h", "conf:1: CacheDir: '%h' is not an absolute path free of '.', '..', "
                    "and needless slashes"},
    {"CacheDir=/a/%j", "conf:1: CacheDir: '/a/%j' has a % that is not %u, %h or %%"},
    {"CacheDir=/a%", "conf:1: CacheDir: '/a%' has a % that is not %u, %h or %%"},
    {"CacheSize=10", "conf:1: CacheSize: '10' is not a size with its unit, as in 500M, "
                     "50G or 2T, nor none"},
    {"CacheSize=0G", "conf:1: CacheSize: '0G' is not a size with its unit, as in 500M, "
                     "50G or 2T, nor none"},
    {"CacheSize=10GB", "conf:1: CacheSize: '10GB' is not a size with its unit, as in "
                       "500M, 50G or 2T, nor none"},
    {"CacheSize=1000000T", "conf:1: CacheSize: '1000000T' is not a size with its unit, "
                           "as in 500M, 50G or 2T, nor none"},
    {"ImportOn=nodes", "conf:1: ImportOn must be submit or node, not 'nodes'"},
    {"CacheDir=/x CacheOwner=root",
     "conf:1: CacheOwner cannot be root: it reads what comes from registries; make an "
     "account for it"},
    {"CacheDir=/x CacheOwner=a/b", "conf:1: CacheOwner: 'a/b' is not the name of an "
                                   "account"},
    {"#\nCacheOwner=vitrine",
     "conf:2: CacheOwner needs a CacheDir that is the same for all users"},
    {"CacheDir=/x/%u\nCacheOwner=vitrine",
     "conf:2: CacheOwner needs a CacheDir that is the same for all users"},
    {"CachDir=/x", "conf:1: unknown key 'CachDir'; did you mean 'CacheDir'?"},
    {"Registry=a.b Mirrors=https://m",
     "conf:1: unknown key 'Mirrors'; did you mean 'Mirror'?"},
};

START_TEST(mistake_is_told_with_its_line)
{
    refuse(mistakes[_i].text, strlen(mistakes[_i].text), mistakes[_i].message);
}
END_TEST

static Suite *registries_suite(void)
{
    Suite *suite = suite_create("registries");
    TCase *tc = tcase_create("registries");

    tcase_add_test(tc, registries_are_found_by_host);
    tcase_add_test(tc, cache_has_defaults_and_limits);
    tcase_add_test(tc, cache_directory_is_that_of_a_user);
    tcase_add_test(tc, cache_owner_is_an_account);
    tcase_add_loop_test(tc, mistake_is_told_with_its_line, 0,
                        sizeof(mistakes) / sizeof(*mistakes));
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(registries_suite)
