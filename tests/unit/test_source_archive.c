/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "source_world.h"
#include "tar.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Bytes that begin as gzip's do; nobody here unpacks them. */
#define GZIP "\x1f\x8b gzip"

static void add(struct tar *tar, const char *name, const char *text)
{
    tar_file(tar, name, text, strlen(text));
}

static void link_to(struct tar *tar, char type, const char *name, const char *target)
{
    tar_header(tar, &(struct tar_entry){
                        .name = name, .target = target, .type = type, .mode = 0777});
}

static void finish(struct tar *tar, const char *name)
{
    tar_end(tar);
    world_put(name, tar->data, tar->size);
    tar_free(tar);
}

/* Two layers and their configuration, as world_config() makes it. */
static char *add_parts(struct tar *tar, const char *one, const char *two)
{
    const char *layers[] = {one, two};
    char *config = world_config(layers, 2);

    add(tar, "c.json", config);
    add(tar, "1.tar", one);
    add(tar, "2.tar", two);
    return config;
}

static void add_list(struct tar *tar, const char *tags)
{
    char text[600];

    (void)snprintf(
        text, sizeof(text),
        "[{\"Config\":\"c.json\",\"RepoTags\":%s,\"Layers\":[\"1.tar\",\"2.tar\"]}"
        "]",
        tags);
    add(tar, "manifest.json", text);
}

/* The text that the opening comment of source-archive.c promises. */
static void digest_for(const char *config, const char *one, const char *two,
                       char ret[DIGEST_TEXT])
{
    const char *parts[] = {config, one, two};
    char digests[3][DIGEST_TEXT], text[400];

    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(digest_of(parts[i], strlen(parts[i]), digests[i]), 0);
    int n = snprintf(text, sizeof(text),
                     "vitrine docker-archive 1\nconfig %s\nlayer %s\nlayer %s\n",
                     digests[0], digests[1], digests[2]);
    ck_assert_int_eq(digest_of(text, (size_t)n, ret), 0);
}

START_TEST(image_is_read_and_has_a_digest_of_its_parts)
{
    static const char *const references[] = {
        "docker-archive:a.tar",
        "docker-archive:a.tar:debian:12",
        "docker-archive:a.tar:docker.io/library/debian:12",
        "docker-archive:a.tar:localhost/x",
    };
    char digest[DIGEST_TEXT], all[600];
    struct tar tar = {0};
    char *config = add_parts(&tar, "layer one", "layer two");

    add_list(&tar, "[\"debian:12\",\"localhost/x:latest\"]");
    finish(&tar, "a.tar");
    digest_for(config, "layer one", "layer two", digest);
    (void)snprintf(all, sizeof(all), "%slayer onelayer two", config);
    for (size_t i = 0; i < N(references); i++)
        world_has(source_archive_open, references[i], digest, all);
    world_fails(source_archive_open, "docker-archive:a.tar:debian:11",
                "manifest.json in a.tar: it has no image library/debian:11, only "
                "debian:12, localhost/x:latest");
    free(config);
}
END_TEST

START_TEST(links_lead_to_layers)
{
    struct tar tar = {0};
    const char *layers[] = {"L1", "L2"};
    char *config = world_config(layers, 2), all[600];

    link_to(&tar, '2', "x/layer.tar", "../data/one");
    link_to(&tar, '1', "./y/layer.tar", "./x/../data/two");
    link_to(&tar, '2', "z", "x/layer.tar");
    add(&tar, "data/one", "stale");
    add(&tar, "data//one", "L1");
    add(&tar, "data/two", "L2");
    add(&tar, "c", config);
    add(&tar, "manifest.json", "[{\"Config\":\"c\",\"Layers\":[\"z\",\"y/layer.tar\"]}]");
    finish(&tar, "a.tar");
    (void)snprintf(all, sizeof(all), "%sL1L2", config);
    world_has(source_archive_open, "docker-archive:a.tar", NULL, all);
    free(config);
}
END_TEST

START_TEST(compressed_layers_count_with_their_own_digest)
{
    struct tar tar = {0};
    const char *layers[] = {"unpacked", "two"};
    char *config = world_config(layers, 2), digest[DIGEST_TEXT], all[600];

    add(&tar, "c.json", config);
    add(&tar, "1.tar", GZIP);
    add(&tar, "2.tar", "two");
    add_list(&tar, "null");
    finish(&tar, "a.tar");
    digest_for(config, GZIP, "two", digest);
    (void)snprintf(all, sizeof(all), "%s" GZIP "two", config);
    world_has(source_archive_open, "docker-archive:a.tar", digest, all);
    free(config);
}
END_TEST

START_TEST(name_chooses_among_images)
{
    struct tar tar = {0};
    char *config = add_parts(&tar, "one", "two"), all[600];

    add(&tar, "manifest.json",
        "[{\"Config\":\"no\",\"RepoTags\":[\"x:1\"],\"Layers\":[\"no\"]},"
        "{\"Config\":\"c.json\",\"RepoTags\":[\"x:2\"],\"Layers\":[\"1.tar\",\"2.tar\"]},"
        "{\"Config\":\"no\",\"Layers\":[\"no\"]}]");
    finish(&tar, "a.tar");
    (void)snprintf(all, sizeof(all), "%sonetwo", config);
    world_has(source_archive_open, "docker-archive:a.tar:x:2", NULL, all);
    world_fails(
        source_archive_open, "docker-archive:a.tar",
        "manifest.json in a.tar: it has several images; add the name of one behind "
        "a colon: x:1, x:2");
    world_fails(source_archive_open, "docker-archive:a.tar:x:1",
                "its configuration: the archive has no no");
    free(config);
}
END_TEST

START_TEST(layout_in_an_archive_is_one)
{
    struct tar tar = {0};
    const char *layers[] = {"L"};
    const char *parts[3] = {NULL, "L", NULL};
    char digests[3][DIGEST_TEXT], manifest[700], index[400], name[100], all[400];
    char *config = world_config(layers, 1);

    parts[0] = config;
    parts[2] = manifest;
    for (size_t i = 0; i < 3; i++) {
        if (i == 2)
            (void)snprintf(
                manifest, sizeof(manifest),
                "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
                "vnd.oci.image.config.v1+json\",\"size\":%zu,\"digest\":\"%s\"},"
                "\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1"
                ".tar\",\"size\":1,\"digest\":\"%s\"}]}",
                strlen(config), digests[0], digests[1]);
        ck_assert_int_eq(digest_of(parts[i], strlen(parts[i]), digests[i]), 0);
        (void)snprintf(name, sizeof(name), "blobs/sha256/%s", digests[i] + 7);
        add(&tar, name, parts[i]);
    }
    (void)snprintf(index, sizeof(index),
                   "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
                   "vnd.oci.image.manifest.v1+json\",\"size\":%zu,\"digest\":\"%s\"}]}",
                   strlen(manifest), digests[2]);
    add(&tar, "index.json", index);
    add(&tar, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
    finish(&tar, "a.tar");
    (void)snprintf(all, sizeof(all), "%sL", config);
    world_has(source_archive_open, "docker-archive:a.tar", digests[2], all);
    free(config);
}
END_TEST

START_TEST(bad_lists_are_refused)
{
    static const struct {
        const char *list, *reason;
    } cases[] = {
        {"", "its JSON is cut off"},
        {"{}", "its JSON is not an array"},
        {"[]", "it lists 0 images"},
        {"[1]", "image 1: element 1 is not an object"},
        {"[{}]", "its image has no Config, or 0 Layers"},
        {"[{\"Config\":\"c.json\",\"Layers\":[]}]", "or 0 Layers"},
        {"[{\"Config\":7,\"Layers\":[\"1.tar\"]}]", "its 'Config' is not a text"},
        {"[{\"Config\":\"c.json\",\"Layers\":[7]}]", "element 1 of its 'Layers' is not"},
        {"[{\"Config\":\"c.json\",\"RepoTags\":{}}]", "image 1: its 'RepoTags' is not"},
        {"[{\"Config\":\"c.json\",\"Layers\":[\"1.tar\"]}]",
         "it lists 1 layers, its configuration 2"},
        {"[{\"Config\":\"c.json\",\"Layers\":[\"1.tar\",\"3.tar\"]}]",
         "layer 2: the archive has no 3.tar"},
        {"[{\"Config\":\"c.json\",\"Layers\":[\"1.tar\",\"../1.tar\"]}]",
         "layer 2: the archive has no ../1.tar"},
        {"[{\"Config\":\"/etc/passwd\",\"Layers\":[\"1.tar\",\"2.tar\"]}]",
         "its configuration: the archive has no /etc/passwd"},
        {"[{\"Config\":\"1.tar\",\"Layers\":[\"1.tar\",\"2.tar\"]}]",
         "its configuration: its JSON is wrong"},
        {"[{\"Config\":\"loop\",\"Layers\":[\"1.tar\",\"2.tar\"]}]",
         "its configuration: the archive has no loop"},
        {"[{\"Config\":\"c.json\",\"Layers\":[\"2.tar\",\"1.tar\"]}]",
         "is damaged: it has another digest"},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct tar tar = {0};

        free(add_parts(&tar, "one", "two"));
        link_to(&tar, '2', "loop", "loop");
        add(&tar, "manifest.json", cases[i].list);
        finish(&tar, "a.tar");
        world_fails(source_archive_open, "docker-archive:a.tar", cases[i].reason);
    }
}
END_TEST

START_TEST(what_is_no_archive_is_told)
{
    static const struct {
        const char *bytes, *reason;
        size_t size;
    } cases[] = {
        {"", "the archive a.tar: it is cut off", 0},
        {"x", "the archive a.tar: it is cut off", 1},
        {GZIP, "the archive a.tar is compressed as a whole; unpack it first with gunzip",
         7},
        {"\x28\xb5\x2f\xfd", "unpack it first with unzstd", 4},
        {"\xfd"
         "7zXZ",
         "unpack it first with unxz", 5},
        {"BZh9", "unpack it first with bunzip2", 4},
    };
    struct tar tar = {0};

    for (size_t i = 0; i < N(cases); i++) {
        world_put("a.tar", cases[i].bytes, cases[i].size);
        world_fails(source_archive_open, "docker-archive:a.tar", cases[i].reason);
    }
    add(&tar, "x", "y");
    finish(&tar, "a.tar");
    world_fails(source_archive_open, "docker-archive:a.tar",
                "a.tar is not an archive of docker save: it has no manifest.json");
    world_fails(source_archive_open, "docker-archive:none",
                "cannot open the archive none: No such file");
    world_fails(source_archive_open, "docker-archive:.",
                ". is a directory, not an archive");
    ck_assert_int_eq(mkfifo("fifo", 0644), 0);
    world_fails(source_archive_open, "docker-archive:fifo", "fifo is not a regular file");
}
END_TEST

START_TEST(known_digest_must_still_be_right)
{
    const struct vitrine_import_spec spec = {.platform = "amd64"};
    struct manifest manifest = {.layers = NULL};
    char digest[DIGEST_TEXT] = "", again[DIGEST_TEXT];
    struct vitrine_error err = {0};
    struct registryref ref;
    struct tar tar = {0};

    ck_assert_int_eq(registryref_parse("docker-archive:a.tar", &ref, &err), 0);
    for (unsigned i = 0; i < 3; i++) {
        struct source *source;

        if (i != 1) {
            free(add_parts(&tar, i == 0 ? "one" : "other", "two"));
            add_list(&tar, "[]");
            finish(&tar, "a.tar");
        }
        ck_assert_int_eq(source_archive_open(&ref, NULL, &spec, &source, &err), 0);
        int rc = source->ops->resolve(source, i ? again : digest, &manifest, &err);
        ck_assert_int_eq(rc, i == 2 ? -1 : 0);
        if (rc == 0)
            manifest_free(&manifest);
        source->ops->close(source);
        (void)strcpy(ref.digest, digest);
    }
    ck_assert_str_eq(digest, again);
    ck_assert_ptr_nonnull(strstr(err.text, "a.tar has changed: its image is no longer"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("source_archive");
    TCase *tc = tcase_create("source_archive");

    tcase_add_checked_fixture(tc, world_make, world_remove);
    tcase_add_test(tc, image_is_read_and_has_a_digest_of_its_parts);
    tcase_add_test(tc, links_lead_to_layers);
    tcase_add_test(tc, compressed_layers_count_with_their_own_digest);
    tcase_add_test(tc, name_chooses_among_images);
    tcase_add_test(tc, layout_in_an_archive_is_one);
    tcase_add_test(tc, bad_lists_are_refused);
    tcase_add_test(tc, what_is_no_archive_is_told);
    tcase_add_test(tc, known_digest_must_still_be_right);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
