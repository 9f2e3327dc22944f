/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "packing.h"

#include "image/bytes.h"
#include "image/squashfs.h"

#include <sys/resource.h>

static const char *const ways[][4] = {
    {"-comp", "gzip", "-b", "4096"},     {"-comp", "lzo", NULL, NULL},
    {"-comp", "xz", "-b", "1048576"},    {"-comp", "lz4", "-Xhc", "-no-exports"},
    {"-comp", "zstd", "-no-fragments"},  {"-noI", "-noD", "-noF", "-noX"},
    {"-always-use-fragments", "-nopad"},
};

START_TEST(image_of_any_kind_is_unpacked_as_it_was)
{
    packing_fill();
    packing_mksquashfs(ways[_i]);
    packing_unpack();
    packing_same(packing_src, packing_out);
    ck_assert_str_eq(packing_told, "");
    ck_assert_uint_eq(packing_names(), 3);
}
END_TEST

START_TEST(image_may_lie_in_a_sif_file)
{
    cleanup_free uint8_t *data = NULL;
    uint8_t head[SIF_FILE_SIZE] = {0};
    size_t size;

    tree_write("src/file", "text");
    packing_mksquashfs(ways[0]);
    data = packing_bytes(&size);
    images_sif(head);
    images_put(head + SIF_ENTRY(1) + 25, size, 8);
    int fd = open(packing_image, O_WRONLY | O_TRUNC | O_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, head, SIF_OFFSET, 0), SIF_OFFSET);
    ck_assert_int_eq(pwrite(fd, data, size, SIF_OFFSET), (ssize_t)size);
    (void)close(fd);
    ck_assert_msg(vitrine_verify(packing_image, NULL, &packing_err) == 0, "%s",
                  packing_err.text);
    packing_unpack();
    packing_same(packing_src, packing_out);
}
END_TEST

static void unpack_as_user(void *arg)
{
    child_become_user();
    must(vitrine_unpack(packing_image, packing_out, &packing_watch, &packing_err) == 0);
    must(strstr(packing_told, "owners (") && strstr(packing_told, "device nodes (2)") &&
         strstr(packing_told, "set-ID bits (1)"));
}

/* All but who owns it and what only root can make. */
START_TEST(ordinary_user_gets_what_he_may_have)
{
    char path[PATH_MAX];
    struct stat st;

    if (geteuid() != 0)
        return;
    packing_fill();
    packing_mksquashfs(ways[0]);
    ck_assert_int_eq(chmod(tree_path, 0777), 0);
    ck_assert_int_eq(chmod(packing_image, 0644), 0);
    child_must(unpack_as_user, NULL);
    (void)snprintf(path, sizeof(path), "%s/file2", packing_out);
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert_uint_eq(st.st_uid, CHILD_UID);
    /* Whoever ran it would be him. */
    ck_assert_uint_eq(st.st_mode & 07777, 0751);
    (void)snprintf(path, sizeof(path), "%s/many", packing_out);
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 01777);
    (void)snprintf(path, sizeof(path), "%s/char", packing_out);
    ck_assert(!packing_exists(path));
    (void)snprintf(path, sizeof(path), "%s/closed/inside", packing_out);
    ck_assert(packing_exists(path));
}
END_TEST

START_TEST(directory_must_be_new_or_empty)
{
    char path[PATH_MAX];

    tree_write("src/file", "text");
    packing_mksquashfs(ways[0]);
    packing_fails(vitrine_unpack(packing_image, packing_src, NULL, &packing_err),
                  VITRINE_EUSAGE, "is not empty");
    packing_fails(vitrine_unpack(packing_image, packing_image, NULL, &packing_err),
                  VITRINE_EUSAGE, "no directory");
    ck_assert_int_eq(symlinkat("elsewhere", tree, "out"), 0);
    packing_fails(vitrine_unpack(packing_image, packing_out, NULL, &packing_err),
                  VITRINE_EUSAGE, "symbolic link");
    ck_assert_int_eq(unlinkat(tree, "out", 0), 0);
    (void)snprintf(path, sizeof(path), "%s/no/where", tree_path);
    packing_fails(vitrine_unpack(packing_image, path, NULL, &packing_err), VITRINE_EUSAGE,
                  "its parent");
    packing_fails(vitrine_unpack(packing_image, "/", NULL, &packing_err), VITRINE_EUSAGE,
                  "is not empty");
    packing_fails(vitrine_unpack(packing_image, "", NULL, &packing_err), VITRINE_EUSAGE,
                  "no directory can be made");
    packing_fails(vitrine_unpack(packing_src, packing_out, NULL, &packing_err),
                  VITRINE_EFORMAT, "it is a directory");
    (void)snprintf(path, sizeof(path), "%s///", packing_out);
    ck_assert_int_eq(vitrine_unpack(packing_image, path, NULL, &packing_err), 0);
    packing_same(packing_src, packing_out);
}
END_TEST

START_TEST(empty_directory_is_filled_in_place_and_stays_itself)
{
    struct stat before, after;

    tree_write("src/file", "text");
    packing_mksquashfs(ways[0]);
    ck_assert_int_eq(mkdirat(tree, "out", 0710), 0);
    ck_assert_int_eq(stat(packing_out, &before), 0);
    packing_unpack();
    ck_assert_int_eq(stat(packing_out, &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
    ck_assert_uint_eq(after.st_mode & 07777, 0710);
    ck_assert_str_eq(tree_read("out/file"), "text");
}
END_TEST

/* Who may write to the directory could exchange what root has just made. */
START_TEST(root_fills_no_directory_of_others)
{
    tree_write("src/file", "text");
    packing_mksquashfs(ways[0]);
    ck_assert_int_eq(mkdirat(tree, "out", 0700), 0);
    ck_assert_int_eq(chmod(packing_out, 01777), 0);
    if (geteuid() != 0) {
        packing_unpack();
        return;
    }
    packing_fails(vitrine_unpack(packing_image, packing_out, NULL, &packing_err),
                  VITRINE_EPOLICY, "others than root can write to it");
    ck_assert_int_eq(chmod(packing_out, 0700), 0);
    ck_assert_int_eq(chown(packing_out, 65533, 0), 0);
    packing_fails(vitrine_unpack(packing_image, packing_out, NULL, &packing_err),
                  VITRINE_EPOLICY, "others than root can write to it");
}
END_TEST

static bool at_once(void *arg)
{
    return ++*(int *)arg > 20;
}

START_TEST(cancelled_unpacking_leaves_nothing)
{
    int looks = 0;
    const struct vitrine_watch watch = {.cancelled = at_once, .arg = &looks};

    packing_fill();
    packing_mksquashfs(ways[0]);
    if (_i == 1)
        ck_assert_int_eq(mkdirat(tree, "out", 0755), 0);
    ck_assert_int_eq(vitrine_unpack(packing_image, packing_out, &watch, &packing_err),
                     -1);
    ck_assert_int_eq(packing_err.sys_errno, ECANCELED);
    ck_assert_uint_eq(packing_names(), 2 + (unsigned)_i);
    ck_assert(_i == 0 || rmdir(packing_out) == 0);
}
END_TEST

/* More levels than descriptors that are kept, and paths longer than PATH_MAX. */
START_TEST(deep_trees_need_few_descriptors)
{
    struct rlimit limit = {100, 100};
    char name[200];
    int dir = openat(tree, "src", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (int i = 0; i < 400; i++) {
        ck_assert_int_eq(mkdirat(dir, name, 0755), 0);
        int next = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(next, 0);
        (void)close(dir);
        dir = next;
    }
    int fd = openat(dir, "deepest", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    ck_assert_int_eq(linkat(dir, "deepest", tree, "src/z-link", 0), 0);
    (void)close(dir);
    ck_assert_msg(vitrine_pack(packing_src, packing_image, false, NULL, &packing_err) ==
                      0,
                  "%s", packing_err.text);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    packing_unpack();
    ck_assert_int_eq(
        packing_run("sh", "-c",
                    "[ \"$(cd \"$0\" && find .)\" = \"$(cd \"$1\" && find .)\" ]",
                    packing_src, packing_out, NULL),
        0);
    struct stat st;
    ck_assert_int_eq(fstatat(tree, "out/z-link", &st, 0), 0);
    ck_assert_uint_eq(st.st_nlink, 2);
    ck_assert_int_eq(packing_run("rm", "-rf", packing_src, packing_out, NULL), 0);
}
END_TEST

/* Writes the image with the first `from` behind the inodes replaced. */
static void replace(uint8_t *data, size_t size, const char *from, const char *to)
{
    size_t start = (size_t)le64(data + 72);
    uint8_t *at = memmem(data + start, size - start, from, strlen(from));

    ck_assert_ptr_nonnull(at);
    memcpy(at, to, strlen(to));
    tree_write_bytes("x.sqfs", data, size);
}

START_TEST(names_that_lead_away_are_refused)
{
    static const struct {
        const char *from, *to;
    } tricks[] = {
        /* First a link out of the directory, then a directory of the same name. */
        {"name-2", "name-1"},
        {"name-1", "../out"},
        {"name-1", "/tmp/x"},
        {"zz", ".."},
    };
    cleanup_free uint8_t *data = NULL;
    size_t size;

    tree_write("victim/precious", "old");
    ck_assert_int_eq(symlinkat("../victim", tree, "src/name-1"), 0);
    tree_write("src/name-2/precious", "new");
    tree_write("src/zz/precious", "new");
    packing_mksquashfs(ways[5]);
    data = packing_bytes(&size);
    replace(data, size, tricks[_i].from, tricks[_i].to);
    packing_fails(vitrine_unpack(packing_image, packing_out, NULL, &packing_err),
                  VITRINE_EFORMAT, "damaged");
    packing_fails(vitrine_verify(packing_image, NULL, &packing_err), VITRINE_EFORMAT,
                  "damaged");
    ck_assert_str_eq(tree_read("victim/precious"), "old");
    ck_assert_uint_eq(packing_names(), 3);
}
END_TEST

static void unpack_and_verify(void *arg)
{
    (void)alarm(60);
    int rc = vitrine_unpack(packing_image, packing_out, NULL, &packing_err);
    bool good = vitrine_verify(packing_image, NULL, &packing_err) == 0;

    /* What is sound can be unpacked. */
    _exit(good && rc < 0 ? 2 : 0);
}

/* 1 to 16 bytes behind the superblock; most of them in the tables. */
static void damage(uint8_t *data, size_t size)
{
    size_t tables = (size_t)le64(data + 64);
    uint32_t n = 1U << packing_random(5);

    for (uint32_t i = 0; i < n; i++) {
        size_t from = packing_random(8) ? tables : SQUASHFS_SUPER_SIZE;

        data[from + packing_random((uint32_t)(size - from))] =
            (uint8_t)packing_random(256);
    }
}

/* By hand more: VITRINE_TEST_DAMAGES. */
START_TEST(damaged_images_give_an_error_or_what_they_hold)
{
    const char *wanted = getenv("VITRINE_TEST_DAMAGES");
    int count = wanted ? (int)strtol(wanted, NULL, 10) : 15;
    cleanup_free char *content = packing_content(300000);
    cleanup_free uint8_t *sound = NULL, *data = NULL;
    char path[PATH_MAX];
    size_t size;

    for (int i = 0; i < 300; i++) {
        (void)snprintf(path, sizeof(path), "src/d/some-file-%d", i);
        tree_write_bytes(path, content, (size_t)i);
    }
    tree_write_bytes("src/big", content, 300000);
    ck_assert_int_eq(symlinkat("d/some-file-1", tree, "src/link"), 0);
    ck_assert_int_eq(linkat(tree, "src/big", tree, "src/d/big", 0), 0);
    (void)snprintf(path, sizeof(path), "%s/big", packing_src);
    ck_assert_int_eq(setxattr(path, "user.a", content, 500, 0), 0);
    packing_mksquashfs(ways[_i]);
    sound = packing_bytes(&size);
    data = malloc(size);
    packing_seed += (uint64_t)_i;
    for (int i = 0; i < count; i++) {
        uint64_t before = packing_seed;

        memcpy(data, sound, size);
        damage(data, size);
        tree_write_bytes("x.sqfs", data, size);
        int status = child_run(unpack_and_verify, NULL);
        ck_assert_msg(status == 0, "status %#x: seed %ju", (unsigned)status, before);
        (void)packing_run("rm", "-rf", packing_out, NULL);
        ck_assert_uint_eq(packing_names(), 2);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("unpack");
    TCase *tc = tcase_create("unpack");

    tcase_set_timeout(tc, 600);
    tcase_add_checked_fixture(tc, packing_make, tree_remove);
    tcase_add_loop_test(tc, image_of_any_kind_is_unpacked_as_it_was, 0, ARRAY_SIZE(ways));
    tcase_add_test(tc, image_may_lie_in_a_sif_file);
    tcase_add_test(tc, ordinary_user_gets_what_he_may_have);
    tcase_add_test(tc, directory_must_be_new_or_empty);
    tcase_add_test(tc, empty_directory_is_filled_in_place_and_stays_itself);
    tcase_add_test(tc, root_fills_no_directory_of_others);
    tcase_add_loop_test(tc, cancelled_unpacking_leaves_nothing, 0, 2);
    tcase_add_test(tc, deep_trees_need_few_descriptors);
    tcase_add_loop_test(tc, names_that_lead_away_are_refused, 0, 4);
    tcase_add_loop_test(tc, damaged_images_give_an_error_or_what_they_hold, 0,
                        ARRAY_SIZE(ways));
    suite_add_tcase(suite, tc);
    return suite;
}

PACKING_MAIN(make_suite)
