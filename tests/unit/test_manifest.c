/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/manifest.h"
#include "base/limits.h"
#include "unit.h"

#include <string.h>
#include <sys/utsname.h>

#define N(arr) (sizeof(arr) / sizeof(*(arr)))

#define OCI    "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."
#define HEX    "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
/* Digests that differ in their first digit. */
#define DIGEST(d)     "sha256:" d HEX
#define TYPE(t)       "\"mediaType\":\"" t "\","
#define DESC(t, d, s) "{" TYPE(t) "\"digest\":\"" DIGEST(d) "\",\"size\":" s "}"
#define CONFIG        "\"config\":" DESC(OCI "config.v1+json", "c", "7")
#define LAYER         DESC(OCI "layer.v1.tar+gzip", "1", "11")
/* A manifest with these layers. */
#define IMAGE(layers) "{\"schemaVersion\":2," CONFIG ",\"layers\":[" layers "]}"
#define FOR(os, arch) "\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"}"
#define FORV(arch, v)                                                                    \
    "\"platform\":{\"os\":\"linux\",\"architecture\":\"" arch "\",\"variant\":\"" v "\"" \
    "}"
#define ENTRY(d, rest)                                                                   \
    "{" TYPE(OCI "manifest.v1+json") "\"size\":5,\"digest\":\"" DIGEST(d) "\"" rest "}"
#define INDEX(entries) "{\"schemaVersion\":2,\"manifests\":[" entries "]}"

struct result {
    bool is_index;
    struct manifest_blob chosen;
    struct manifest manifest;
    struct vitrine_error err;
};

static int parse(const char *text, const char *type, const char *platform,
                 struct result *ret)
{
    struct manifest_platform p;

    *ret = (struct result){.is_index = false};
    ck_assert_int_eq(manifest_platform(platform, &p, NULL), 0);
    return manifest_parse(text, strlen(text), type, &p, &ret->is_index, &ret->chosen,
                          &ret->manifest, &ret->err);
}

START_TEST(images_are_read)
{
    struct result r;

    ck_assert_msg(
        parse(
            "{\"schemaVersion\":2," TYPE(
                DOCKER
                "distribution.manifest.v2+"
                "json") "\"config\":" DESC(DOCKER "container.image.v1+json", "c",
                                           "7") ",\"layers\":[" DESC(DOCKER
                                                                     "image.rootfs.diff."
                                                                     "tar.gzip",
                                                                     "1",
                                                                     "11") "," DESC(DOCKER
                                                                                    "imag"
                                                                                    "e."
                                                                                    "root"
                                                                                    "fs."
                                                                                    "fore"
                                                                                    "ign."
                                                                                    "diff"
                                                                                    ".tar"
                                                                                    "."
                                                                                    "gzi"
                                                                                    "p",
                                                                                    "2",
                                                                                    "12") "," DESC(DOCKER
                                                                                                   "imag"
                                                                                                   "e."
                                                                                                   "root"
                                                                                                   "fs."
                                                                                                   "diff"
                                                                                                   ".ta"
                                                                                                   "r",
                                                                                                   "3",
                                                                                                   "13") "," DESC(DOCKER
                                                                                                                  "image.rootfs.diff.tar.zstd",
                                                                                                                  "4",
                                                                                                                  "0") "]}",
            NULL, "amd64", &r) == 0,
        "%s", r.err.text);
    ck_assert(!r.is_index);
    ck_assert_str_eq(r.manifest.config.digest, DIGEST("c"));
    ck_assert_uint_eq(r.manifest.config.size, 7);
    ck_assert_uint_eq(r.manifest.nlayers, 4);
    ck_assert_str_eq(r.manifest.layers[1].digest, DIGEST("2"));
    ck_assert_uint_eq(r.manifest.layers[1].size, 12);
    ck_assert_int_eq(r.manifest.layers[0].compression, MANIFEST_GZIP);
    ck_assert_int_eq(r.manifest.layers[2].compression, MANIFEST_PLAIN);
    ck_assert_int_eq(r.manifest.layers[3].compression, MANIFEST_ZSTD);
    manifest_free(&r.manifest);
    ck_assert_ptr_null(r.manifest.layers);
}
END_TEST

START_TEST(layer_types_tell_the_compression)
{
    static const struct {
        const char *json;
        enum manifest_compression compression;
    } cases[] = {
        {IMAGE(DESC(OCI "layer.v1.tar", "1", "1")), MANIFEST_PLAIN},
        {IMAGE(DESC(OCI "layer.v1.tar+gzip", "1", "1")), MANIFEST_GZIP},
        {IMAGE(DESC(OCI "layer.v1.tar.gzip", "1", "1")), MANIFEST_GZIP},
        {IMAGE(DESC(OCI "layer.v1.tar+zstd", "1", "1")), MANIFEST_ZSTD},
        {IMAGE(DESC(OCI "layer.v1.tar+zstd:chunked", "1", "1")), MANIFEST_ZSTD},
        {IMAGE(DESC(OCI "layer.nondistributable.v1.tar+gzip", "1", "1")), MANIFEST_GZIP},
        {IMAGE(DESC(OCI "LAYER.v1.tar+GZIP", "1", "1")), MANIFEST_GZIP},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct result r;

        ck_assert_msg(parse(cases[i].json, NULL, "amd64", &r) == 0, "%s", r.err.text);
        ck_assert_int_eq(r.manifest.layers[0].compression, cases[i].compression);
        manifest_free(&r.manifest);
    }
}
END_TEST

START_TEST(type_comes_from_the_document_then_from_the_header_then_from_its_shape)
{
    static const struct {
        const char *json, *type;
        bool good, is_index;
    } cases[] = {
        {IMAGE(LAYER), NULL, true, false},
        {IMAGE(LAYER), "application/json", true, false},
        {IMAGE(LAYER), MANIFEST_TYPE_OCI "; charset=utf-8", true, false},
        {IMAGE(LAYER), MANIFEST_TYPE_OCI_INDEX, false, false},
        {INDEX(ENTRY("1", "")), NULL, true, true},
        {INDEX(ENTRY("1", "")), "text/html", true, true},
        {INDEX(ENTRY("1", "")), MANIFEST_TYPE_DOCKER_LIST, true, true},
        {INDEX(ENTRY("1", "")), MANIFEST_TYPE_DOCKER, false, false},
        {"{" TYPE(MANIFEST_TYPE_OCI_INDEX) "\"schemaVersion\":2,\"manifests\":[" ENTRY(
             "1", "") "]}",
         MANIFEST_TYPE_OCI, true, true},
        {"{" TYPE(MANIFEST_TYPE_OCI) "\"schemaVersion\":2,\"manifests\":[" ENTRY("1",
                                                                                 "") "]}",
         MANIFEST_TYPE_OCI_INDEX, false, false},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct result r;
        int rc = parse(cases[i].json, cases[i].type, "amd64", &r);

        ck_assert_msg(rc == (cases[i].good ? 0 : -1), "%zu: %s", i, r.err.text);
        ck_assert_int_eq(r.is_index, cases[i].is_index);
        if (rc == 0 && !r.is_index)
            manifest_free(&r.manifest);
    }
}
END_TEST

START_TEST(what_is_no_image_is_refused)
{
    static const struct {
        const char *json, *reason;
    } cases[] = {
        {"", "its JSON is cut off"},
        {"[]", "its JSON is not an object"},
        {"{}", "it has no 'schemaVersion'"},
        {"{\"schemaVersion\":2}", "neither 'layers' nor 'manifests'"},
        {"{\"schemaVersion\":\"2\"}", "'schemaVersion' is not a number"},
        {"{\"schemaVersion\":3," CONFIG ",\"layers\":[]}", "schema version 3"},
        {"{\"schemaVersion\":1,\"fsLayers\":[]}", "format of Docker before 1.10"},
        {"{\"schemaVersion\":1}", "format of Docker before 1.10"},
        {"{\"schemaVersion\":2,\"mediaType\":7}", "its 'mediaType' is not a text"},
        {"{\"schemaVersion\":2," TYPE("application/vnd.cncf.x") CONFIG ",\"layers\":[]}",
         "no container image but of the type application/vnd.cncf.x"},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER "],\"manifests\":[]}",
         "a manifest and an index at the same time"},
        {"{\"schemaVersion\":2," CONFIG ",\"manifests\":[]}",
         "a manifest and an index at the same time"},
        {"{\"schemaVersion\":2,\"layers\":[" LAYER "]}", "it has no 'config'"},
        {"{\"schemaVersion\":2,\"config\":[],\"layers\":[]}",
         "'config' is not an object"},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":{}}", "'layers' is not an array"},
        {IMAGE(""), "it has no layers"},
        {IMAGE("1"), "layer 1: element 1 is not an object"},
        {IMAGE("null"), "layer 1: element 1 is not an object"},
        {IMAGE(LAYER ",{}"), "layer 2: it has no 'size'"},
        {IMAGE("{\"size\":1,\"digest\":\"" DIGEST("1") "\"}"), "has no 'mediaType'"},
        {IMAGE("{" TYPE("x") "\"size\":1}"), "has no 'digest'"},
        {IMAGE("{" TYPE("x") "\"size\":1,\"digest\":7}"), "'digest' is not a text"},
        {IMAGE("{" TYPE("x") "\"size\":1,\"digest\":\"x\"}"), "'x' is not a digest"},
        {IMAGE("{" TYPE("x") "\"size\":1,\"digest\":\"sha512:ab\"}"),
         "of the algorithm sha512; only sha256"},
        {IMAGE("{" TYPE("x") "\"size\":1,\"digest\":\"sha256:../../etc/passwd\"}"),
         "is not a digest"},
        {IMAGE(DESC(OCI "layer.v1.tar", "A", "1")), "is not a digest"},
        {IMAGE(DESC(OCI "layer.v1.tar", "1", "-1")), "'size' is not a number of zero"},
        {IMAGE(DESC(OCI "layer.v1.tar", "1", "1.5")), "'size' is not a number of zero"},
        {IMAGE(DESC(OCI "layer.v1.tar", "1", "\"1\"")), "'size' is not a number of zero"},
        {IMAGE(DESC(OCI "layer.v1.tar", "1", "99999999999999999")),
         "'size' is more than"},
        {IMAGE(DESC(OCI "layer.v1.tar", "1", "18446744073709551617")), "'size' is more"},
        {IMAGE(DESC(OCI "layer.v1.tar+gzip+encrypted", "1", "1")), "it is encrypted"},
        {IMAGE(DESC(OCI "layer.v1.tar.", "1", "1")), "no part of a container image"},
        {IMAGE(DESC(OCI "layer.v1.tar+", "1", "1")), "no part of a container image"},
        {IMAGE(DESC(OCI "layer.v1.tar+lz4", "1", "1")), "no part of a container image"},
        {IMAGE(DESC(OCI "layer.v1.tarball", "1", "1")), "no part of a container image"},
        {IMAGE(DESC("application/vnd.dev.cosign.simplesigning.v1+json", "1", "1")),
         "layer 1: it is no part of a container image but of the type "
         "application/vnd.dev.cosign.simplesigning.v1+json"},
        {IMAGE("{" TYPE(
             DOCKER
             "image.rootfs.foreign.diff.tar.gzip") "\"urls\":[\"x\"],"
                                                   "\"size\":1,\"digest\":\"" DIGEST(
                                                       "1") "\"}"),
         "it is not in the registry"},
        {"{\"schemaVersion\":2,\"layers\":[" LAYER
         "],\"config\":" DESC("application/vnd.cncf.helm.config.v1+json", "1", "1") "}",
         "no container image but of the type application/vnd.cncf.helm.config.v1+json"},
        {"{\"schemaVersion\":2,\"layers\":[" LAYER
         "],\"artifactType\":\"x/y\",\"config\":" DESC(
             "application/vnd.oci.empty.v1+json", "1", "2") "}",
         "no container image but of the type x/y"},
        {"{\"schemaVersion\":2,\"layers\":[" LAYER
         "],\"config\":" DESC(OCI "config.v1+json", "1", "4194305") "}",
         "its configuration: its 'size' is more than 4194304"},
        {"{\"schemaVersion\":2,\"manifests\":{}}", "'manifests' is not an array"},
        {INDEX(""), "it has nothing for linux/amd64, only what is no container image"},
        {INDEX("{}"), "entry 1 of its index: it has no 'size'"},
        {INDEX("[]"), "entry 1 of its index: element 1 is not an object"},
        {INDEX(ENTRY("1", ",\"platform\":[]")), "'platform' is not an object"},
        {INDEX(ENTRY("1", ",\"platform\":{\"os\":1}")), "'os' is not a text"},
        {INDEX(ENTRY("1", ",\"annotations\":1")), "'annotations' is not an object"},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct result r;

        ck_assert_msg(parse(cases[i].json, NULL, "amd64", &r) == -1, "%s", cases[i].json);
        ck_assert_msg(strstr(r.err.text, cases[i].reason) != NULL, "%s: %s",
                      cases[i].json, r.err.text);
        ck_assert(r.err.code == VITRINE_EFORMAT || r.err.code == VITRINE_EUNSUPPORTED);
        ck_assert(!r.manifest.layers && !r.chosen.digest[0]);
    }
}
END_TEST

/* A document with `n` times the same element. */
static char *repeat(const char *before, const char *element, size_t n, const char *after)
{
    size_t size = strlen(before) + n * (strlen(element) + 1) + strlen(after) + 1;
    char *text = malloc(size), *p = text;

    ck_assert_ptr_nonnull(text);
    p = stpcpy(p, before);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            *p++ = ',';
        p = stpcpy(p, element);
    }
    (void)strcpy(p, after);
    return text;
}

START_TEST(numbers_of_layers_and_entries_are_limited)
{
    static const struct {
        const char *before, *element, *after, *reason;
        size_t max;
    } cases[] = {
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[", LAYER, "]}",
         "it has 1025 layers, more than 1024", LIMIT_LAYERS},
        {"{\"schemaVersion\":2,\"manifests\":[", ENTRY("1", "," FOR("linux", "amd64")),
         "]}", "its index has 1025 entries, more than 1024", LIMIT_INDEX_ENTRIES},
    };

    for (size_t i = 0; i < N(cases); i++) {
        char *text =
            repeat(cases[i].before, cases[i].element, cases[i].max, cases[i].after);
        struct result r;

        ck_assert_msg(parse(text, NULL, "amd64", &r) == 0, "%s", r.err.text);
        if (!r.is_index)
            manifest_free(&r.manifest);
        free(text);
        text =
            repeat(cases[i].before, cases[i].element, cases[i].max + 1, cases[i].after);
        ck_assert_int_eq(parse(text, NULL, "amd64", &r), -1);
        ck_assert_str_eq(r.err.text, cases[i].reason);
        free(text);
    }
}
END_TEST

#define MANY                                                                                                                                                                     \
    INDEX(ENTRY("1", "," FOR("windows", "amd64")) "," ENTRY("2", "," FORV("arm", "v5")) "," ENTRY("3", "," FORV("arm", "v7")) "," ENTRY("4", "," FORV("arm64", "v8")) "," ENTRY( \
        "5",                                                                                                                                                                     \
        "," FOR(                                                                                                                                                                 \
            "linux",                                                                                                                                                             \
            "386")) "," ENTRY("6",                                                                                                                                               \
                              "," FOR(                                                                                                                                           \
                                  "linux",                                                                                                                                       \
                                  "ppc64le")) "," ENTRY("7",                                                                                                                     \
                                                        "," FOR(                                                                                                                 \
                                                            "unkno"                                                                                                              \
                                                            "wn",                                                                                                                \
                                                            "unkno"                                                                                                              \
                                                            "wn")) "," ENTRY("8",                                                                                                \
                                                                             "," FORV(                                                                                           \
                                                                                 "amd6"                                                                                          \
                                                                                 "4",                                                                                            \
                                                                                 "v3")) "," ENTRY("9",                                                                           \
                                                                                                  "," FOR(                                                                       \
                                                                                                      "linux",                                                                   \
                                                                                                      "amd64")) "," ENTRY("a",                                                   \
                                                                                                                          "," FORV(                                              \
                                                                                                                              "amd64",                                           \
                                                                                                                              "v2")) "," ENTRY("b",                              \
                                                                                                                                               "," FORV(                         \
                                                                                                                                                   "arm64",                      \
                                                                                                                                                   "v9")))

START_TEST(best_image_for_the_platform_is_chosen)
{
    static const struct {
        const char *platform, *json, *digest;
    } cases[] = {
        {"amd64", MANY, DIGEST("9")},
        {"x86_64", MANY, DIGEST("9")},
        {"linux/amd64", MANY, DIGEST("9")},
        {"amd64/v1", MANY, DIGEST("9")},
        {"amd64/v2", MANY, DIGEST("a")},
        {"amd64/v3", MANY, DIGEST("8")},
        {"amd64/v4", MANY, DIGEST("8")},
        {"arm64", MANY, DIGEST("4")},
        {"aarch64", MANY, DIGEST("4")},
        {"arm64/v8.2", MANY, DIGEST("4")},
        {"arm64/v9", MANY, DIGEST("b")},
        {"arm", MANY, DIGEST("3")},
        {"armv7l", MANY, DIGEST("3")},
        {"arm/v6", MANY, DIGEST("2")},
        {"armv6l", MANY, DIGEST("2")},
        {"ppc64le", MANY, DIGEST("6")},
        {"ppc64le/power9", MANY, DIGEST("6")},
        {"i686", MANY, DIGEST("5")},
        /* one that says nothing, beside others' and alone */
        {"s390x", INDEX(ENTRY("1", "," FOR("linux", "amd64")) "," ENTRY("2", "")),
         DIGEST("2")},
        {"amd64", INDEX(ENTRY("1", "," FOR("linux", "amd64")) "," ENTRY("2", "")),
         DIGEST("1")},
        {"amd64", INDEX(ENTRY("1", ",\"platform\":{\"os\":\"\",\"architecture\":\"\"}")),
         DIGEST("1")},
        /* the first of equals */
        {"amd64",
         INDEX(ENTRY("1", "," FOR("linux", "amd64")) "," ENTRY(
             "2", "," FOR("linux", "amd64"))),
         DIGEST("1")},
        /* attestations, signatures */
        {"amd64",
         INDEX(ENTRY(
             "1",
             "," FOR(
                 "linux",
                 "amd64") ",\"annotations\":{\"vnd.docker."
                          "reference.type\":\"x\"}") "," ENTRY("2",
                                                               "," FOR(
                                                                   "linux",
                                                                   "amd64") ",\"artifactT"
                                                                            "ype\":\"a/"
                                                                            "b\"") "," ENTRY("3",
                                                                                             "," FOR(
                                                                                                 "linux",
                                                                                                 "amd64"))),
         DIGEST("3")},
        /* an index in an index */
        {"amd64",
         INDEX(
             "{" TYPE(OCI "index.v1+json") "\"size\":5,\"digest\":\"" DIGEST("1") "\"}"),
         DIGEST("1")},
        /* what has another name for it */
        {"amd64", INDEX(ENTRY("1", "," FOR("linux", "x86_64"))), DIGEST("1")},
        {"arm64", INDEX(ENTRY("1", "," FORV("arm64", "8"))), DIGEST("1")},
        {"riscv64",
         INDEX(ENTRY("1", "," FOR("linux", "riscv64")) "," ENTRY(
             "2", "," FORV("riscv64", "rva23u64"))),
         DIGEST("1")},
        {"riscv64/rva23u64",
         INDEX(ENTRY("1", "," FOR("linux", "riscv64")) "," ENTRY(
             "2", "," FORV("riscv64", "rva23u64"))),
         DIGEST("2")},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct result r;

        ck_assert_msg(parse(cases[i].json, NULL, cases[i].platform, &r) == 0, "%s: %s",
                      cases[i].platform, r.err.text);
        ck_assert(r.is_index);
        ck_assert_msg(strcmp(r.chosen.digest, cases[i].digest) == 0, "%zu: %s: %s", i,
                      cases[i].platform, r.chosen.digest);
        ck_assert_uint_eq(r.chosen.size, 5);
    }
}
END_TEST

START_TEST(message_lists_the_platforms_there_are)
{
    static const struct {
        const char *platform, *json, *message;
    } cases[] = {
        {"s390x", MANY,
         "it has nothing for linux/s390x, only windows/amd64, linux/arm/v5, "
         "linux/arm/v7, "
         "linux/arm64/v8, linux/386, linux/ppc64le, linux/amd64/v3, linux/amd64, "
         "linux/amd64/v2, linux/arm64/v9"},
        {"arm/v4", INDEX(ENTRY("1", "," FORV("arm", "v5"))),
         "it has nothing for linux/arm/v4, only linux/arm/v5"},
        {"amd64", INDEX(ENTRY("1", "," FORV("amd64", "v3"))),
         "it has nothing for linux/amd64, only linux/amd64/v3"},
        {"ppc64le/power8", INDEX(ENTRY("1", "," FORV("ppc64le", "power10"))),
         "it has nothing for linux/ppc64le/power8, only linux/ppc64le/power10"},
        {"amd64", INDEX(ENTRY("1", "") "," ENTRY("2", "")),
         "it has nothing for linux/amd64, only images that do not say their platform"},
        {"amd64", INDEX("{" TYPE("a/b") "\"size\":1,\"digest\":\"" DIGEST("1") "\"}"),
         "it has nothing for linux/amd64, only what is no container image"},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct result r;

        ck_assert_int_eq(parse(cases[i].json, NULL, cases[i].platform, &r), -1);
        ck_assert_str_eq(r.err.text, cases[i].message);
        ck_assert_int_eq(r.err.code, VITRINE_EUNSUPPORTED);
    }
    /* A list that is too long, and names that are. */
    char *text = repeat("{\"schemaVersion\":2,\"manifests\":[",
                        ENTRY("1", "," FOR("linux", HEX HEX)), 100, "]}");
    struct result r;
    ck_assert_int_eq(parse(text, NULL, "amd64", &r), -1);
    ck_assert_msg(strstr(r.err.text, "only linux/" HEX HEX ", linux/") != NULL, "%s",
                  r.err.text);
    free(text);
}
END_TEST

START_TEST(platforms_are_named_as_in_go)
{
    static const struct {
        const char *text, *architecture, *variant; /* NULL: refused */
    } cases[] = {
        {"amd64", "amd64", ""},
        {"linux/arm64/v8", "arm64", "v8"},
        {"x86_64", "amd64", ""},
        {"X86_64", "amd64", ""},
        {"armv7l", "arm", "v7"},
        {"armhf/v6", "arm", "v6"},
        {"loongarch64", "loong64", ""},
        {"riscv64", "riscv64", ""},
        {"mips64le", "mips64le", ""},
        {"", NULL, NULL},
        {"/", NULL, NULL},
        {"amd64/", NULL, NULL},
        {"/v8", NULL, NULL},
        {"a/b/c", NULL, NULL},
        {"windows/amd64/v1", NULL, NULL},
        {"linux/", NULL, NULL},
        {"a b", NULL, NULL},
        {"amd64,arm64", NULL, NULL},
        {"0123456789abcdef0123456789abcdef", NULL, NULL},
        {"a/0123456789abcdef0123456789abcdef", NULL, NULL},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct manifest_platform p = {.architecture = "before"};
        struct vitrine_error err = {0};
        int rc = manifest_platform(cases[i].text, &p, &err);

        ck_assert_msg(rc == (cases[i].architecture ? 0 : -1), "%s", cases[i].text);
        ck_assert_str_eq(p.architecture,
                         cases[i].architecture ? cases[i].architecture : "before");
        if (rc == 0)
            ck_assert_str_eq(p.variant, cases[i].variant);
        else
            ck_assert_int_eq(err.code, VITRINE_EUSAGE);
    }
}
END_TEST

START_TEST(this_machine_is_the_default)
{
    struct manifest_platform here, named;
    struct utsname host;

    ck_assert_int_eq(uname(&host), 0);
    ck_assert_int_eq(manifest_platform(NULL, &here, NULL), 0);
    ck_assert_int_eq(manifest_platform(host.machine, &named, NULL), 0);
    ck_assert_str_eq(here.architecture, named.architecture);
    ck_assert_str_eq(here.variant, named.variant);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("manifest");
    TCase *tc = tcase_create("manifest");

    tcase_add_test(tc, images_are_read);
    tcase_add_test(tc, layer_types_tell_the_compression);
    tcase_add_test(tc,
                   type_comes_from_the_document_then_from_the_header_then_from_its_shape);
    tcase_add_test(tc, what_is_no_image_is_refused);
    tcase_add_test(tc, numbers_of_layers_and_entries_are_limited);
    tcase_add_test(tc, best_image_for_the_platform_is_chosen);
    tcase_add_test(tc, message_lists_the_platforms_there_are);
    tcase_add_test(tc, platforms_are_named_as_in_go);
    tcase_add_test(tc, this_machine_is_the_default);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
