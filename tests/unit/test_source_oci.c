/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "source_world.h"

#include <sys/stat.h>

#define OCI      "application/vnd.oci.image."
#define NAME     "org.opencontainers.image.ref.name"
#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Stores a blob; its descriptor. */
static void put_blob(const char *text, const char *type, const char *rest, char *ret,
                     size_t ret_size)
{
    char digest[DIGEST_TEXT], name[200];

    ck_assert_int_eq(digest_of(text, strlen(text), digest), 0);
    (void)snprintf(name, sizeof(name), "dir/blobs/sha256/%s", digest + 7);
    world_text(name, text);
    (void)snprintf(ret, ret_size,
                   "{\"mediaType\":\"" OCI "%s\",\"digest\":\"%s\",\"size\":%zu%s}", type,
                   digest, strlen(text), rest);
}

/* An image of two layers; the descriptor of its manifest. */
static void put_image(const char *one, const char *two, const char *rest, char *ret,
                      size_t ret_size)
{
    const char *layers[] = {one, two};
    char first[300], second[300], config[300], manifest[1200];
    char *config_text = world_config(layers, 2);

    put_blob(one, "layer.v1.tar", "", first, sizeof(first));
    put_blob(two, "layer.v1.tar", "", second, sizeof(second));
    put_blob(config_text, "config.v1+json", "", config, sizeof(config));
    (void)snprintf(manifest, sizeof(manifest),
                   "{\"schemaVersion\":2,\"config\":%s,\"layers\":[%s,%s]}", config,
                   first, second);
    put_blob(manifest, "manifest.v1+json", rest, ret, ret_size);
    free(config_text);
}

static void put_index(const char *entries)
{
    char text[4096];

    (void)snprintf(text, sizeof(text), "{\"schemaVersion\":2,\"manifests\":[%s]}",
                   entries);
    world_text("dir/index.json", text);
    world_text("dir/oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
}

/* What world_image() gives of it. */
static char *expected(const char *one, const char *two)
{
    const char *layers[] = {one, two};
    char *config = world_config(layers, 2), *all;

    ck_assert_int_ge(asprintf(&all, "%s%s%s", config, one, two), 0);
    free(config);
    return all;
}

static void digest_in(const char *descriptor, char ret[DIGEST_TEXT])
{
    memcpy(ret, strstr(descriptor, "sha256:"), DIGEST_TEXT - 1);
    ret[DIGEST_TEXT - 1] = '\0';
}

START_TEST(image_is_read_and_has_its_manifests_digest)
{
    char entry[400], digest[DIGEST_TEXT], reference[200];
    char *all = expected("layer one", "layer two");

    put_image("layer one", "layer two", ",\"annotations\":{\"" NAME "\":\"v1\"}", entry,
              sizeof(entry));
    digest_in(entry, digest);
    put_index(entry);
    world_has(source_oci_open, "oci:dir", digest, all);
    world_has(source_oci_open, "oci:dir:v1", digest, all);
    (void)snprintf(reference, sizeof(reference), "oci:%s/dir", world);
    world_has(source_oci_open, reference, digest, all);
    (void)snprintf(reference, sizeof(reference), "oci:dir@%s", digest);
    world_has(source_oci_open, reference, digest, all);
    free(all);
}
END_TEST

START_TEST(tag_chooses_the_image)
{
    char one[400], two[400], text[900];
    char *all = expected("c", "d");

    put_image("a", "b", ",\"annotations\":{\"" NAME "\":\"v1\"}", one, sizeof(one));
    put_image("c", "d", ",\"annotations\":{\"" NAME "\":\"docker.io/x:2\"}", two,
              sizeof(two));
    (void)snprintf(text, sizeof(text), "%s,%s", one, two);
    put_index(text);
    world_has(source_oci_open, "oci:dir:docker.io/x:2", NULL, all);
    world_fails(source_oci_open, "oci:dir",
                "index.json in dir: it has several images; add the tag of one behind a "
                "colon: v1, docker.io/x:2");
    world_fails(source_oci_open, "oci:dir:v2",
                "index.json in dir: it has no image with the tag v2, only v1, "
                "docker.io/x:2");
    free(all);
}
END_TEST

START_TEST(platform_chooses_among_images_of_one_tag)
{
    char arm[400], amd[400], text[900], inner[400];
    char *all = expected("c", "d");

    put_image("a", "b", ",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}",
              arm, sizeof(arm));
    put_image("c", "d", ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}",
              amd, sizeof(amd));
    (void)snprintf(text, sizeof(text), "%s,%s", arm, amd);
    put_index(text);
    world_has(source_oci_open, "oci:dir", NULL, all);
    put_index(arm);
    world_fails(source_oci_open, "oci:dir",
                "it has nothing for linux/amd64, only linux/arm64");
    /* The same in an index that is a blob, then in one more, then in too many. */
    for (unsigned i = 0; i < 4; i++) {
        char index[1000];

        (void)snprintf(index, sizeof(index), "{\"schemaVersion\":2,\"manifests\":[%s]}",
                       i == 0 ? text : inner);
        put_blob(index, "index.v1+json", "", inner, sizeof(inner));
        put_index(inner);
        if (i < MANIFEST_INDEXES)
            world_has(source_oci_open, "oci:dir", NULL, all);
        else
            world_fails(source_oci_open, "oci:dir", "an index of indexes of indexes");
    }
    free(all);
}
END_TEST

static char layer_name[200];

static void damage_layer(void)
{
    world_text(layer_name, "Xayer one");
}
static void cut_layer(void)
{
    world_text(layer_name, "layer on");
}
static void remove_layer(void)
{
    ck_assert_int_eq(unlink(layer_name), 0);
}
static void replace_layer(void)
{
    remove_layer();
    ck_assert_int_eq(mkfifo(layer_name, 0644), 0);
}
static void replace_blobs(void)
{
    ck_assert_int_eq(system("rm -r dir/blobs && touch dir/blobs"), 0);
}
static void remove_layout(void)
{
    ck_assert_int_eq(unlink("dir/oci-layout"), 0);
}
static void damage_layout(void)
{
    world_text("dir/oci-layout", "{}x");
}
static void future_layout(void)
{
    world_text("dir/oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}");
}
static void remove_index(void)
{
    ck_assert_int_eq(unlink("dir/index.json"), 0);
}
static void damage_index(void)
{
    world_text("dir/index.json", "{\"manifests\":[{}]}");
}
static void enlarge_index(void)
{
    ck_assert_int_eq(truncate("dir/index.json", 5L << 20), 0);
}
static void change_manifest(void)
{
    ck_assert_int_eq(system("sed -i s/schemaVersion/schemaversion/ dir/blobs/sha256/*"),
                     0);
}

START_TEST(damage_is_found)
{
    static const struct {
        void (*damage)(void);
        const char *reason;
    } cases[] = {
        {damage_layer, "is damaged: it has another digest; make the file again"},
        {cut_layer, "is damaged: it has another size than it must"},
        {remove_layer, "is missing in dir: it may have been copied in part"},
        {replace_layer, "is not a regular file"},
        {replace_blobs, "cannot open blobs/sha256/"},
        {remove_layout, "dir is not an OCI layout: it has no file oci-layout"},
        {damage_layout, "oci-layout in dir: its JSON is wrong"},
        {future_layout, "dir is an OCI layout of the version 2.0.0, not of 1.0.0"},
        {remove_index, "dir has no index.json"},
        {damage_index, "index.json in dir: entry 1 of its index: it has no 'size'"},
        {enlarge_index, "index.json in dir: it is longer than 4194304 bytes"},
        {change_manifest, "is damaged: it has another digest"},
    };

    for (size_t i = 0; i < N(cases); i++) {
        char entry[400], digest[DIGEST_TEXT];

        ck_assert_int_eq(system("rm -rf dir"), 0);
        put_image("layer one", "layer two", "", entry, sizeof(entry));
        put_index(entry);
        ck_assert_int_eq(digest_of("layer one", 9, digest), 0);
        (void)snprintf(layer_name, sizeof(layer_name), "dir/blobs/sha256/%s", digest + 7);
        cases[i].damage();
        world_fails(source_oci_open, "oci:dir", cases[i].reason);
    }
}
END_TEST

START_TEST(what_is_no_directory_is_told)
{
    world_text("file", "x");
    world_fails(source_oci_open, "oci:file", "file is not an OCI layout");
    world_fails(source_oci_open, "oci:none", "cannot open the OCI layout none: No such");
    world_fails(source_oci_open,
                "oci:none@sha256:0123456789abcdef0123456789abcdef"
                "0123456789abcdef0123456789abcdef",
                "cannot open the OCI layout none: No such");
}
END_TEST

START_TEST(layers_are_read_as_announced_until_stopped)
{
    const struct vitrine_import_spec spec = {.platform = "amd64"};
    char entry[400], digest[DIGEST_TEXT], *data;
    struct manifest manifest;
    struct vitrine_error err = {0};
    struct registryref ref;
    struct source *source;
    const void *part;
    size_t size;

    put_image("one", "two", "", entry, sizeof(entry));
    put_index(entry);
    ck_assert_int_eq(registryref_parse("oci:dir", &ref, &err), 0);
    ck_assert_int_eq(source_oci_open(&ref, NULL, &spec, &source, &err), 0);
    ck_assert_int_eq(source->ops->resolve(source, digest, &manifest, &err), 0);
    ck_assert_int_eq(source->ops->read(source, &part, &size, &err), -1);
    ck_assert_str_eq(err.text, "no layer is announced that could be read");
    for (unsigned i = 0; i < 3; i++) {
        const struct manifest_blob order[] = {manifest.layers[1], manifest.layers[0],
                                              manifest.layers[1]};

        ck_assert_int_eq(world_read(source, order, 3, &data, &size, &err), 0);
        ck_assert(size == 9 && memcmp(data, "twoonetwo", 9) == 0);
        free(data);
    }
    ck_assert_uint_eq(source->ops->arrived(source), 27);
    source->ops->stop(source);
    ck_assert_int_eq(world_read(source, manifest.layers, 1, &data, &size, &err), -1);
    ck_assert_str_eq(err.text, "the import was stopped");
    manifest_free(&manifest);
    source->ops->close(source);
}
END_TEST

START_TEST(large_layers_come_in_parts)
{
    enum { SIZE = 1000003 };
    char entry[400], *big = malloc(SIZE + 1), *all;

    ck_assert_ptr_nonnull(big);
    for (size_t i = 0; i < SIZE; i++)
        big[i] = (char)('a' + i * 7 % 26);
    big[SIZE] = '\0';
    put_image(big, "", "", entry, sizeof(entry));
    put_index(entry);
    all = expected(big, "");
    world_has(source_oci_open, "oci:dir", NULL, all);
    free(all);
    free(big);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("source_oci");
    TCase *tc = tcase_create("source_oci");

    tcase_add_checked_fixture(tc, world_make, world_remove);
    tcase_add_test(tc, image_is_read_and_has_its_manifests_digest);
    tcase_add_test(tc, tag_chooses_the_image);
    tcase_add_test(tc, platform_chooses_among_images_of_one_tag);
    tcase_add_test(tc, damage_is_found);
    tcase_add_test(tc, what_is_no_directory_is_told);
    tcase_add_test(tc, layers_are_read_as_announced_until_stopped);
    tcase_add_test(tc, large_layers_come_in_parts);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
