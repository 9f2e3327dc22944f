/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saving containers whose parts are sound. */
#include "save_tree.h"

#include <sched.h>

#define CONTENT 700000

/* One of each kind, some of it to be changed. */
static void make_tree(void)
{
    static const size_t sizes[] = {0, 1, 100, 4096, 131071, 131072, 131073, CONTENT};
    cleanup_free char *data = make_content(CONTENT);
    char path[PATH_MAX], name[NAME_MAX + 1];

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        (void)snprintf(path, sizeof(path), SRC "/file%zu", i);
        write_file(path, data + i, sizes[i] ? sizes[i] - i : 0);
    }
    write_file(SRC "/twin7", data + 7, CONTENT - 7);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(path, sizeof(path), SRC "/d%d", i);
        ck_assert_int_eq(mkdir(path, 0755), 0);
        (void)snprintf(path, sizeof(path), SRC "/d%d/inside", i);
        write_file(path, data, 5000U * (size_t)i);
        (void)snprintf(path, sizeof(path), SRC "/d%d/more", i);
        ck_assert_int_eq(mkdir(path, 0700), 0);
    }
    memset(name, 0xfe, NAME_MAX);
    name[NAME_MAX] = '\0';
    name[3] = '\n';
    (void)snprintf(path, sizeof(path), SRC "/%s", name);
    write_file(path, "odd", 3);
    ck_assert_int_eq(chown(SRC "/d1", 1234, 70000), 0);
    ck_assert_int_eq(chmod(SRC "/file2", 04751), 0);
    ck_assert_int_eq(chmod(SRC "/file1", 0), 0);
    ck_assert_int_eq(link(SRC "/file6", SRC "/d1/hard"), 0);
    ck_assert_int_eq(link(SRC "/file6", SRC "/d2/hard"), 0);
    ck_assert_int_eq(symlink("../file1", SRC "/d1/soft"), 0);
    ck_assert_int_eq(mkfifo(SRC "/fifo", 0600), 0);
    ck_assert_int_eq(mknod(SRC "/socket", S_IFSOCK | 0755, 0), 0);
    ck_assert_int_eq(mknod(SRC "/char", S_IFCHR | 0600, makedev(4095, 0xabcde)), 0);
    ck_assert_int_eq(mknod(SRC "/block", S_IFBLK | 0600, makedev(8, 1)), 0);
    ck_assert_int_eq(truncate(SRC "/file2", 1000000), 0);
    ck_assert_int_eq(setxattr(SRC "/file3", "trusted.short", "v", 1, 0), 0);
    ck_assert_int_eq(setxattr(SRC "/file3", "trusted.long", data, 3000, 0), 0);
    ck_assert_int_eq(setxattr(SRC "/file4", "trusted.long", data, 3000, 0), 0);
    ck_assert_int_eq(setxattr(SRC "/d3", "trusted.dir", "", 0, 0), 0);
    ck_assert_int_eq(lsetxattr(SRC "/d1/soft", "trusted.link", "l", 1, 0), 0);
}

/* What users do, through the overlay. */
static void change(void)
{
    cleanup_free char *data = make_content(CONTENT);
    cleanup_fd int fd = -1;

    mount_overlay();
    write_file(MERGED "/new", data + 4, CONTENT - 4);
    write_file(MERGED "/file3", data + 9, 70000);
    ck_assert_int_eq(unlink(MERGED "/file4"), 0);
    /* A directory that hides the old one of its name, and a deleted one. */
    ck_assert_int_eq(run("rm", "-r", MERGED "/d4", MERGED "/d5", NULL), 0);
    ck_assert_int_eq(mkdir(MERGED "/d4", 0711), 0);
    write_file(MERGED "/d4/only", "1", 1);
    /* Each kind in the place of another. */
    ck_assert_int_eq(run("rm", "-r", MERGED "/d6", MERGED "/d7", MERGED "/file5", NULL),
                     0);
    write_file(MERGED "/d6", "no directory any more", 21);
    ck_assert_int_eq(symlink("d1", MERGED "/d7"), 0);
    ck_assert_int_eq(mkdir(MERGED "/file5", 0755), 0);
    write_file(MERGED "/file5/x", "", 0);
    ck_assert_int_eq(unlink(MERGED "/fifo"), 0);
    ck_assert_int_eq(mknod(MERGED "/fifo", S_IFCHR | 0600, makedev(1, 3)), 0);
    /* Changed by their metadata alone, and within a directory that stays. */
    ck_assert_int_eq(chmod(MERGED "/d2", 0700), 0);
    ck_assert_int_eq(chown(MERGED "/file0", 4, 5), 0);
    ck_assert_int_eq(unlink(MERGED "/d2/hard"), 0);
    ck_assert_int_eq(rmdir(MERGED "/d2/more"), 0);
    ck_assert_int_eq(setxattr(MERGED "/d2", "user.mine", "1", 1, 0), 0);
    ck_assert_int_eq(setxattr(MERGED "/new", "user.mine", "22", 2, 0), 0);
    ck_assert_int_eq(link(MERGED "/new", MERGED "/d1/new"), 0);
    fd = open(MERGED "/sparse", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ck_assert_int_eq(pwrite(fd, data, 300000, 5 << 20), 300000);
    ck_assert_int_eq(ftruncate(fd, (20 << 20) + 5), 0);
    ck_assert_int_eq(
        ftruncate(open(MERGED "/hole", O_CREAT | O_RDWR | O_CLOEXEC, 0600), 50000), 0);
}

/* What was one file is one, with as many links as it has names. */
static void check_links(const char *a, const char *b)
{
    struct stat x, y;

    ck_assert_int_eq(stat(a, &x), 0);
    ck_assert_int_eq(stat(b, &y), 0);
    ck_assert_uint_eq(x.st_ino, y.st_ino);
    ck_assert_uint_eq(x.st_nlink, 2);
}

static const char *const ways[][4] = {
    {"-comp", "gzip", "-b", "4096"},
    {"-comp", "lzo", "-b", "131072"},
    {"-comp", "xz", "-b", "1048576"},
    {"-comp", "lz4", "-b", "65536"},
    {"-comp", "zstd", "-no-fragments", "-noX"},
    {"-comp", "zstd", "-noI", "-noD"},
    {"-comp", "gzip", "-noF", "-no-duplicates"},
    {"-comp", "xz", "-Xbcj", "x86"},
    {"-comp", "xz", "-Xdict-size", "8192"},
    {"-comp", "lz4", "-Xhc", "-always-use-fragments"},
    {"-comp", "zstd", "-always-use-fragments", "-no-exports"},
    {"-comp", "gzip", "-nopad", "-no-sparse"},
};

START_TEST(changed_image_of_any_kind_is_saved_as_it_is_seen)
{
    make_tree();
    make_image(ways[_i][0], ways[_i][1], ways[_i][2], ways[_i][3]);
    ck_assert_int_eq(truncate(IMAGE, (1 << 20) * 5), 0);
    mount_image(IMAGE, BASE);
    change();
    save_must(IMAGE, "0", UPPER);
    check_saved(MERGED);
    check_links(SAVED "/file6", SAVED "/d1/hard");
    check_links(SAVED "/new", SAVED "/d1/new");
}
END_TEST

START_TEST(unchanged_image_is_the_same_again)
{
    struct stat a, b;

    make_tree();
    make_image("-comp", "zstd");
    mount_image(IMAGE, BASE);
    save_must(IMAGE, "0", NULL);
    check_saved(BASE);
    ck_assert_int_eq(stat(BASE "/d1/hard", &a), 0);
    ck_assert_int_eq(stat(SAVED "/d1/hard", &b), 0);
    ck_assert_uint_eq(b.st_nlink, a.st_nlink);
    ck_assert_int_eq(stat(BASE "/d1", &a), 0);
    ck_assert_int_eq(stat(SAVED "/d1", &b), 0);
    ck_assert_uint_eq(b.st_nlink, a.st_nlink);
    ck_assert_int_eq(stat(IMAGE, &a), 0);
    ck_assert_int_eq(stat(OUT "/" NAME, &b), 0);
    ck_assert_int_lt(b.st_size, a.st_size + 8192);
}
END_TEST

START_TEST(image_may_lie_anywhere_in_its_file)
{
    cleanup_free char *data = NULL;
    size_t size;

    make_tree();
    make_image("-comp", "gzip");
    cleanup_fd int fd = open(IMAGE, O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(fd_read_all(fd, 1 << 26, &data, &size), 0);
    ck_assert_int_eq(pwrite(fd, data, size, 12345), (ssize_t)size);
    save_must(IMAGE, "12345", NULL);
    check_saved(SRC);
}
END_TEST

START_TEST(directory_with_an_upper_one_is_saved)
{
    make_tree();
    ck_assert_int_eq(rmdir(BASE), 0);
    ck_assert_int_eq(rename(SRC, BASE), 0);
    change();
    save_must(BASE, "-", UPPER);
    check_saved(MERGED);
    check_links(SAVED "/file6", SAVED "/d1/hard");
}
END_TEST

START_TEST(directory_alone_is_saved)
{
    make_tree();
    save_must(SRC, "-", NULL);
    check_saved(SRC);
}
END_TEST

/* No hard links, but copies, of large files, small ones, and large ones with holes. */
START_TEST(what_is_there_twice_is_stored_once)
{
    cleanup_free char *data = malloc(CONTENT);
    cleanup_fd int source = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    char path[PATH_MAX];
    struct stat st;

    ck_assert_int_eq(read(source, data, CONTENT), CONTENT);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(path, sizeof(path), SRC "/large%d", i);
        write_file(path, data, CONTENT);
        (void)snprintf(path, sizeof(path), SRC "/small%d", i);
        write_file(path, data, 50000);
        (void)snprintf(path, sizeof(path), SRC "/holes%d", i);
        write_file(path, data, CONTENT);
        ck_assert_int_eq(truncate(path, CONTENT * 3), 0);
        /* Begins like the others. */
        (void)snprintf(path, sizeof(path), SRC "/less%d", i);
        write_file(path, data, 131072 * 2);
    }
    save_must(SRC, "-", NULL);
    check_saved(SRC);
    ck_assert_int_eq(stat(OUT "/" NAME, &st), 0);
    ck_assert_int_lt(st.st_size, CONTENT * 3);
}
END_TEST

START_TEST(saved_file_can_be_saved_again)
{
    make_tree();
    save_must(SRC, "-", NULL);
    ck_assert_int_eq(rename(OUT "/" NAME, IMAGE), 0);
    mount_image(IMAGE, BASE);
    change();
    save_must(IMAGE, "0", UPPER);
    ck_assert_int_eq(rename(OUT "/" NAME, TOP "/again"), 0);
    save_must(TOP "/again", "0", NULL);
    check_saved(MERGED);
}
END_TEST

START_TEST(empty_container_is_saved)
{
    save_must(SRC, "-", UPPER);
    check_saved(UPPER);
}
END_TEST

#define MANY  70000
#define SHORT "/a-name-that-is-%d"
#define LONG  "/a-name-that-is-not-short-%d"

static unsigned count_names(const char *path)
{
    cleanup_dir DIR *dir = opendir(path);
    unsigned n = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        n++;
    return n;
}

START_TEST(directory_of_70000_names_is_saved)
{
    char path[PATH_MAX];

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(path, sizeof(path), SRC LONG, i);
        ck_assert_int_eq(mknod(path, S_IFREG | 0644, 0), 0);
    }
    make_image("-comp", "lz4");
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(path, sizeof(path), UPPER LONG, i * 7);
        ck_assert_int_eq(mknod(path, S_IFCHR, makedev(0, 0)), 0);
        (void)snprintf(path, sizeof(path), UPPER SHORT, i);
        write_file(path, "x", 1);
    }
    save_must(IMAGE, "0", UPPER);
    mount_image(OUT "/" NAME, SAVED);
    ck_assert_uint_eq(count_names(SAVED), MANY + 2);
    /* The kernel takes 0.5 ms to find one, and 25 if there is none. */
    for (int i = 0; i < MANY; i += 487) {
        (void)snprintf(path, sizeof(path), SAVED LONG, i);
        ck_assert_int_eq(access(path, F_OK), i < 21000 && i % 7 == 0 ? -1 : 0);
        (void)snprintf(path, sizeof(path), SAVED SHORT, i % 3000);
        ck_assert_int_eq(access(path, F_OK), 0);
    }
}
END_TEST

START_TEST(huge_hole_costs_no_time_and_no_space)
{
    struct stat st;

    cleanup_fd int fd = open(SRC "/huge", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ck_assert_int_eq(ftruncate(fd, INT64_C(1) << 40), 0);
    ck_assert_int_eq(pwrite(fd, "x", 1, INT64_C(1) << 39), 1);
    save_must(SRC, "-", NULL);
    check_saved(SRC);
    ck_assert_int_eq(stat(OUT "/" NAME, &st), 0);
    ck_assert_int_lt(st.st_size, 1 << 20);
    ck_assert_int_eq(stat(SAVED "/huge", &st), 0);
    ck_assert_int_lt(st.st_blocks, 4096);
    /* And once more, from the image. */
    ck_assert_int_eq(rename(OUT "/" NAME, IMAGE), 0);
    ck_assert_int_eq(umount2(SAVED, MNT_DETACH), 0);
    save_must(IMAGE, "0", NULL);
    check_saved(SRC);
}
END_TEST

START_TEST(whiteouts_by_attribute_hide)
{
    make_tree();
    make_image("-comp", "zstd");
    ck_assert_int_eq(setxattr(UPPER, "user.overlay.opaque", "x", 1, 0), 0);
    write_file(UPPER "/file1", "", 0);
    ck_assert_int_eq(setxattr(UPPER "/file1", "user.overlay.whiteout", "", 0, 0), 0);
    ck_assert_int_eq(mknod(UPPER "/file2", S_IFCHR, makedev(0, 0)), 0);
    save_must(IMAGE, "0", UPPER);
    mount_image(OUT "/" NAME, SAVED);
    ck_assert_int_ne(access(SAVED "/file1", F_OK), 0);
    ck_assert_int_ne(access(SAVED "/file2", F_OK), 0);
    ck_assert_int_eq(access(SAVED "/file3", F_OK), 0);
    ck_assert_int_lt(getxattr(SAVED "/", "user.overlay.opaque", NULL, 0), 0);
}
END_TEST

START_TEST(layers_that_cannot_be_merged_are_refused)
{
    make_tree();
    make_image("-comp", "zstd");
    ck_assert_int_eq(mkdir(UPPER "/d1", 0755), 0);
    ck_assert_int_eq(setxattr(UPPER "/d1", "user.overlay.redirect", "d2", 2, 0), 0);
    save_must_fail(IMAGE, "0", UPPER, NAME, "/d1: the writable layer is of an overlay");
    ck_assert_int_eq(rmdir(UPPER "/d1"), 0);
    write_file(UPPER "/file1", "", 0);
    ck_assert_int_eq(setxattr(UPPER "/file1", "user.overlay.metacopy", "", 0, 0), 0);
    save_must_fail(IMAGE, "0", UPPER, NAME,
                   "/file1: the writable layer is of an overlay");
    ck_assert_int_ne(access(OUT "/" NAME, F_OK), 0);
}
END_TEST

START_TEST(what_is_mounted_inside_is_not_saved)
{
    make_tree();
    write_file(TOP "/secret", "secret", 6);
    ck_assert_int_eq(mount("none", SRC "/d1", "tmpfs", 0, NULL), 0);
    write_file(SRC "/d1/foreign", "", 0);
    ck_assert_int_eq(mount(SRC "/d3", SRC "/d2", NULL, MS_BIND, NULL), 0);
    save_must(SRC, "-", NULL);
    mount_image(OUT "/" NAME, SAVED);
    ck_assert_int_ne(access(SAVED "/d1/foreign", F_OK), 0);
    ck_assert_int_ne(access(SAVED "/d2/inside", F_OK), 0);
    ck_assert_int_eq(access(SAVED "/d3/inside", F_OK), 0);
}
END_TEST

static char *saved_bytes(size_t *ret_size)
{
    cleanup_fd int fd = open(OUT "/" NAME, O_RDONLY | O_CLOEXEC);
    char *data = NULL;

    ck_assert_int_eq(fd_read_all(fd, 1 << 26, &data, ret_size), 0);
    return data;
}

START_TEST(same_container_gives_the_same_bytes)
{
    size_t a_size, b_size;
    cpu_set_t one;

    make_tree();
    make_image("-comp", "zstd");
    mount_image(IMAGE, BASE);
    change();
    save_must(IMAGE, "0", UPPER);
    cleanup_free char *a = saved_bytes(&a_size);
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    save_must(IMAGE, "0", UPPER);
    cleanup_free char *b = saved_bytes(&b_size);
    ck_assert_uint_eq(a_size, b_size);
    ck_assert_int_eq(memcmp(a, b, a_size), 0);
    ck_assert_uint_eq(a_size % 4096, 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("save");
    TCase *tc = tcase_create("save");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, make_save_top, NULL);
    tcase_add_loop_test(tc, changed_image_of_any_kind_is_saved_as_it_is_seen, 0,
                        ARRAY_SIZE(ways));
    tcase_add_test(tc, unchanged_image_is_the_same_again);
    tcase_add_test(tc, image_may_lie_anywhere_in_its_file);
    tcase_add_test(tc, directory_with_an_upper_one_is_saved);
    tcase_add_test(tc, directory_alone_is_saved);
    tcase_add_test(tc, what_is_there_twice_is_stored_once);
    tcase_add_test(tc, saved_file_can_be_saved_again);
    tcase_add_test(tc, empty_container_is_saved);
    tcase_add_test(tc, directory_of_70000_names_is_saved);
    tcase_add_test(tc, huge_hole_costs_no_time_and_no_space);
    tcase_add_test(tc, whiteouts_by_attribute_hide);
    tcase_add_test(tc, layers_that_cannot_be_merged_are_refused);
    tcase_add_test(tc, what_is_mounted_inside_is_not_saved);
    tcase_add_test(tc, same_container_gives_the_same_bytes);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(cannot_save, make_suite)
