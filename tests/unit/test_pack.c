/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "packing.h"

#define pack(root_owned)                                                                 \
    vitrine_pack(packing_src, packing_image, root_owned, &packing_watch, &packing_err)

#define pack_must(root_owned) ck_assert_msg(pack(root_owned) == 0, "%s", packing_err.text)

START_TEST(packed_directory_is_unpacked_as_it_was)
{
    packing_fill();
    pack_must(false);
    ck_assert_msg(vitrine_verify(packing_image, NULL, &packing_err) == 0, "%s",
                  packing_err.text);
    packing_unpack();
    packing_same(packing_src, packing_out);
    ck_assert_str_eq(packing_told, "");
}
END_TEST

/* What reads it is not ours. */
START_TEST(packed_directory_is_unpacked_by_unsquashfs)
{
    if (geteuid() != 0 || WEXITSTATUS(packing_run("unsquashfs", "-v", NULL)) == 127)
        return;
    packing_fill();
    pack_must(false);
    ck_assert_int_eq(packing_run("unsquashfs", "-d", packing_out, packing_image, NULL),
                     0);
    packing_same(packing_src, packing_out);
}
END_TEST

/* Sizes of 33 bits, of which little is read. */
START_TEST(large_file_with_holes_costs_nothing)
{
    cleanup_free char *data = packing_content(300000);
    struct stat st;

    packing_sparse(data, INT64_C(50) << 30);
    pack_must(false);
    ck_assert_msg(vitrine_verify(packing_image, NULL, &packing_err) == 0, "%s",
                  packing_err.text);
    packing_unpack();
    packing_same(packing_src, packing_out);
    ck_assert_int_eq(fstatat(tree, "out/sparse", &st, 0), 0);
    ck_assert_int_lt(st.st_blocks, 4096);
}
END_TEST

START_TEST(packing_twice_gives_the_same_bytes)
{
    cleanup_free uint8_t *first = NULL, *second = NULL;
    size_t n, m;

    packing_fill();
    pack_must(false);
    first = packing_bytes(&n);
    pack_must(false);
    second = packing_bytes(&m);
    ck_assert_uint_eq(n, m);
    ck_assert_int_eq(memcmp(first, second, n), 0);
}
END_TEST

static int is_root_owned(const char *path, const struct stat *st, int type,
                         struct FTW *ftw)
{
    ck_assert_msg(st->st_uid == 0 && st->st_gid == 0, "%s", path);
    return 0;
}

START_TEST(all_belongs_to_root_if_wanted)
{
    if (geteuid() != 0)
        return;
    packing_fill();
    pack_must(true);
    packing_unpack();
    ck_assert_int_eq(nftw(packing_out, is_root_owned, 16, FTW_PHYS), 0);
}
END_TEST

static void pack_as_user(void *arg)
{
    const char *const *words = arg;

    child_become_user();
    must(pack(false) == -1);
    must(packing_err.code == VITRINE_EPERM);
    must(strstr(packing_err.text, *words));
    must(access(packing_image, F_OK) == 0);
}

START_TEST(what_cannot_be_read_is_named_and_counted)
{
    const char *one = "src: /d/b: it cannot be read: Permission denied";
    const char *many = "3 files cannot be read, the first is /a: ";

    if (geteuid() != 0)
        return;
    tree_write("src/a", "1");
    tree_write("src/d/b", "1");
    tree_write("src/e/c", "1");
    tree_write("x.sqfs", "old");
    ck_assert_int_eq(chmod(tree_path, 0777), 0);
    ck_assert_int_eq(fchownat(tree, "x.sqfs", CHILD_UID, CHILD_GID, 0), 0);
    ck_assert_int_eq(fchmodat(tree, "src/d/b", 0600, 0), 0);
    child_must(pack_as_user, &one);
    ck_assert_int_eq(fchmodat(tree, "src/a", 0600, 0), 0);
    ck_assert_int_eq(fchmodat(tree, "src/e", 0700, 0), 0);
    child_must(pack_as_user, &many);
    /* The old file is unchanged, and nothing else is there. */
    ck_assert_str_eq(tree_read("x.sqfs"), "old");
    ck_assert_uint_eq(packing_names(), 2);
}
END_TEST

START_TEST(file_that_is_written_may_lie_in_what_is_packed)
{
    tree_write("src/file", "text");
    (void)snprintf(packing_image, sizeof(packing_image), "%s/src/own.sqfs", tree_path);
    pack_must(false);
    /* The second time the old one is there, and goes with it; a third would hold both. */
    packing_unpack();
    ck_assert_str_eq(tree_read("out/file"), "text");
    (void)snprintf(packing_image, sizeof(packing_image), "%s/out/own.sqfs", tree_path);
    ck_assert(!packing_exists(packing_image));
}
END_TEST

static void pack_with_mount(void *arg)
{
    char path[PATH_MAX];

    child_own_mounts();
    (void)snprintf(path, sizeof(path), "%s/mnt", packing_src);
    must(mount("none", path, "tmpfs", 0, NULL) == 0);
    (void)snprintf(path, sizeof(path), "%s/mnt/other", packing_src);
    must(mkdir(path, 0755) == 0);
    must(pack(false) == 0);
    must(strstr(packing_told, "1 mounted file systems are left out"));
}

START_TEST(other_file_systems_are_left_out_and_told)
{
    char path[PATH_MAX];

    if (child_cannot_mount())
        return;
    tree_write("src/mnt/hidden", "1");
    child_must(pack_with_mount, NULL);
    packing_unpack();
    (void)snprintf(path, sizeof(path), "%s/mnt", packing_out);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(names_that_no_file_can_have_are_refused)
{
    packing_fails(vitrine_pack("/nowhere", packing_image, false, NULL, &packing_err),
                  VITRINE_EUSAGE, "cannot pack /nowhere");
    packing_fails(vitrine_pack(packing_src, packing_src, false, NULL, &packing_err),
                  VITRINE_EUSAGE, "it is a directory");
    packing_fails(vitrine_pack(packing_src, "", false, NULL, &packing_err),
                  VITRINE_EUSAGE, "no file can be made");
    packing_fails(vitrine_pack(packing_src, "/no/where", false, NULL, &packing_err),
                  VITRINE_EUSAGE, "its directory cannot be opened");
    ck_assert_int_eq(symlinkat("src", tree, "x.sqfs"), 0);
    packing_fails(pack(false), VITRINE_EUSAGE, "symbolic link");
}
END_TEST

static bool at_once(void *arg)
{
    return ++*(int *)arg > 20;
}

START_TEST(cancelled_packing_leaves_nothing)
{
    int looks = 0;
    const struct vitrine_watch watch = {.cancelled = at_once, .arg = &looks};

    packing_fill();
    ck_assert_int_eq(
        vitrine_pack(packing_src, packing_image, false, &watch, &packing_err), -1);
    ck_assert_int_eq(packing_err.sys_errno, ECANCELED);
    ck_assert_uint_eq(packing_names(), 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pack");
    TCase *tc = tcase_create("pack");

    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, packing_make, tree_remove);
    tcase_add_test(tc, packed_directory_is_unpacked_as_it_was);
    tcase_add_test(tc, packed_directory_is_unpacked_by_unsquashfs);
    tcase_add_test(tc, large_file_with_holes_costs_nothing);
    tcase_add_test(tc, packing_twice_gives_the_same_bytes);
    tcase_add_test(tc, all_belongs_to_root_if_wanted);
    tcase_add_test(tc, what_cannot_be_read_is_named_and_counted);
    tcase_add_test(tc, file_that_is_written_may_lie_in_what_is_packed);
    tcase_add_test(tc, other_file_systems_are_left_out_and_told);
    tcase_add_test(tc, names_that_no_file_can_have_are_refused);
    tcase_add_test(tc, cancelled_packing_leaves_nothing);
    suite_add_tcase(suite, tc);
    return suite;
}

PACKING_MAIN(make_suite)
