/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saving where something is in the way, or goes wrong: what was there before stays. */
#include "save_tree.h"
#include "image/bytes.h"
#include "image/squashfs.h"
#include "nameless.h"

#define OLD "what was there before"

/* Images that each way to store is damaged to; by hand more: VITRINE_TEST_DAMAGES. */
#define DAMAGES 100

static void make_tree(void)
{
    cleanup_free char *data = make_content(1000000);
    char path[PATH_MAX];

    for (int i = 0; i < 300; i++) {
        (void)snprintf(path, sizeof(path), SRC "/dir%d", i % 20);
        (void)mkdir(path, 0755);
        (void)snprintf(path, sizeof(path), SRC "/dir%d/some-file-%d", i % 20, i);
        write_file(path, data + i, (size_t)i * 10);
    }
    write_file(SRC "/big", data, 1000000);
    ck_assert_int_eq(link(SRC "/big", SRC "/dir1/big"), 0);
    ck_assert_int_eq(symlink("dir1/some-file-1", SRC "/link"), 0);
    ck_assert_int_eq(setxattr(SRC "/dir2", "trusted.a", data, 500, 0), 0);
    ck_assert_int_eq(setxattr(SRC "/big", "trusted.a", data, 500, 0), 0);
}

static void make_old(void)
{
    write_file(OUT "/" NAME, OLD, strlen(OLD));
    ck_assert_int_eq(chmod(OUT "/" NAME, 0640), 0);
}

/* The old file is whole, and nothing else is there. */
/* Nothing else is in the directory; false: a whole image has replaced it. */
static bool is_old(void)
{
    char text[100] = "";
    struct dirent *entry;
    unsigned n = 0;

    cleanup_dir DIR *dir = opendir(OUT);
    while ((entry = readdir(dir)))
        n++;
    ck_assert_uint_eq(n, 3);
    cleanup_fd int fd = open(OUT "/" NAME, O_RDONLY | O_CLOEXEC);
    ssize_t got = read(fd, text, sizeof(text));
    if (got == (ssize_t)sizeof(text) && memcmp(text, "hsqs", 4) == 0)
        return false;
    ck_assert_int_eq(got, strlen(OLD));
    ck_assert_str_eq(text, OLD);
    return true;
}

static void check_old(void)
{
    ck_assert(is_old());
}

START_TEST(old_file_is_replaced_and_keeps_its_mode)
{
    struct stat st;

    make_tree();
    make_old();
    save_must(SRC, "-", NULL);
    check_saved(SRC);
    ck_assert_int_eq(stat(OUT "/" NAME, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0640);
}
END_TEST

START_TEST(new_file_obeys_the_umask)
{
    struct stat st;

    (void)umask(027);
    save_must(SRC, "-", NULL);
    ck_assert_int_eq(stat(OUT "/" NAME, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0640);
}
END_TEST

START_TEST(what_cannot_be_replaced_is_told_at_once)
{
    char name[NAME_MAX + 2];

    ck_assert_int_eq(mkdir(OUT "/dir", 0755), 0);
    ck_assert_int_eq(symlink("x", OUT "/link"), 0);
    ck_assert_int_eq(mkfifo(OUT "/fifo", 0666), 0);
    memset(name, 'n', sizeof(name) - 1);
    name[NAME_MAX + 1] = '\0';
    save_must_fail(SRC, "-", NULL, "dir", "it is a directory");
    save_must_fail(SRC, "-", NULL, "link", "it is a symbolic link");
    save_must_fail(SRC, "-", NULL, "fifo", "no regular file");
    save_must_fail(SRC, "-", NULL, "", "no file can have that name");
    save_must_fail(SRC, "-", NULL, "..", "no file can have that name");
    save_must_fail(SRC, "-", NULL, "a/b", "no file can have that name");
    save_must_fail(SRC, "-", NULL, name, "no file can have that name");
    ck_assert_int_eq(mount("none", OUT, "tmpfs", MS_RDONLY, NULL), 0);
    save_must_fail(SRC, "-", NULL, NAME, "Read-only file system");
}
END_TEST

START_TEST(longest_name_is_saved)
{
    char name[NAME_MAX + 1], path[PATH_MAX];

    memset(name, 'n', NAME_MAX);
    name[NAME_MAX] = '\0';
    (void)snprintf(path, sizeof(path), OUT "/%s", name);
    for (int i = 0; i < 2; i++) {
        ck_assert_msg(save(SRC, "-", NULL, name), "%s", answer.text);
        ck_assert_int_eq(access(path, R_OK), 0);
    }
}
END_TEST

START_TEST(starter_that_goes_away_leaves_nothing)
{
    struct stat st;

    make_tree();
    int control = save_begin(SRC, "-", NULL, NAME);
    ck_assert(save_answer());
    ck_assert_int_eq(answer.ok, 1);
    (void)close(control);
    ck_assert_int_eq(save_end(), 0);
    ck_assert_int_ne(stat(OUT "/" NAME, &st), 0);
    ck_assert_int_eq(rmdir(OUT), 0);
}
END_TEST

START_TEST(full_disk_leaves_the_old_file)
{
    make_tree();
    ck_assert_int_eq(mount("none", OUT, "tmpfs", 0, "size=32k"), 0);
    make_old();
    save_must_fail(SRC, "-", NULL, NAME, "cannot save to " NAME);
    ck_assert_ptr_nonnull(strstr(answer.text, "No space left on device"));
    ck_assert_ptr_nonnull(strstr(answer.text, "the old file is unchanged"));
    check_old();
}
END_TEST

/* What kill -9 leaves, at moments all over the work. */
START_TEST(killed_program_leaves_the_old_file)
{
    cleanup_free char *data = make_content(8 << 20);
    char path[PATH_MAX];
    bool ended = false;

    make_tree();
    for (int i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof(path), SRC "/data%d", i);
        write_file(path, data + i, 8 << 20);
    }
    for (long delay = 100; !ended && delay < 10000000; delay += delay / 3) {
        make_old();
        int control = save_begin(SRC, "-", NULL, NAME);
        ck_assert(save_answer());
        ck_assert_int_eq(fd_send(control, "g", 1, -1), 0);
        (void)usleep((useconds_t)delay);
        ck_assert_int_eq(kill(saver, SIGKILL), 0);
        ended = save_end() == 0;
        (void)close(control);
        /* It may be killed when all is done. */
        if (!ended && !is_old())
            break;
    }
    ck_assert(ended || !is_old());
}
END_TEST

START_TEST(file_system_without_nameless_files_will_do)
{
    make_tree();
    ck_assert_int_eq(mount("none", OUT, "tmpfs", 0, "size=32k"), 0);
    make_old();
    forbid_nameless_files();
    ck_assert_int_lt(open(OUT, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600), 0);
    save_must_fail(SRC, "-", NULL, NAME, "No space left on device");
    check_old();
    int control = save_begin(SRC, "-", NULL, NAME);
    ck_assert(save_answer());
    ck_assert_int_eq(answer.ok, 1);
    check_old();
    (void)close(control);
    ck_assert_int_eq(save_end(), 0);
    ck_assert_int_eq(umount2(OUT, MNT_DETACH), 0);
    make_old();
    save_must(SRC, "-", NULL);
    check_saved(SRC);
    ck_assert_int_eq(unlink(OUT "/" NAME), 0);
    ck_assert_int_eq(rmdir(OUT), 0);
}
END_TEST

START_TEST(image_may_be_replaced_by_what_is_made_of_it)
{
    make_tree();
    make_image("-comp", "gzip");
    ck_assert_int_eq(run("cp", IMAGE, OUT "/" NAME, NULL), 0);
    save_must(OUT "/" NAME, "0", NULL);
    check_saved(SRC);
}
END_TEST

/* With a name and without one while it is written. */
START_TEST(file_does_not_contain_itself)
{
    make_tree();
    for (int i = 0; i < 2; i++) {
        if (i == 1)
            forbid_nameless_files();
        save_must(OUT, "-", NULL);
        mount_image(OUT "/" NAME, SAVED);
        cleanup_dir DIR *dir = opendir(SAVED);
        const struct dirent *entry;

        while ((entry = readdir(dir)))
            ck_assert_msg(!strstr(entry->d_name, "vitrine-"), "%s", entry->d_name);
        ck_assert_int_eq(access(SAVED "/" NAME, F_OK), i == 0 ? -1 : 0);
    }
}
END_TEST

static uint64_t seed = 42;

/* The same numbers in each run (Knuth's MMIX). */
static uint32_t next_random(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % below;
}

static const char *const ways[][4] = {
    {"-comp", "gzip", "-noD", "-noF"},
    {"-comp", "lz4", "-noD", "-noF"},
    {"-comp", "xz", "-b", "4096"},
    {"-noI", "-noD", "-noF", "-noX"},
};

/* 1 to 16 bytes, most of them in the tables. */
static void damage(uint8_t *data, size_t size)
{
    size_t tables = (size_t)le64(data + 64);
    uint32_t n = 1U << next_random(5);

    for (uint32_t i = 0; i < n; i++) {
        size_t from = next_random(8) ? tables : 4;

        data[from + next_random((uint32_t)(size - from))] = (uint8_t)next_random(256);
    }
}

/* Saved or refused, but with an answer, and soon. */
START_TEST(damaged_image_does_no_harm)
{
    const char *wanted = getenv("VITRINE_TEST_DAMAGES");
    int count = wanted ? (int)strtol(wanted, NULL, 10) : DAMAGES;
    cleanup_free uint8_t *sound = NULL;
    size_t size;

    make_tree();
    make_image(ways[_i][0], ways[_i][1], ways[_i][2], ways[_i][3]);
    cleanup_fd int fd = open(IMAGE, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fd_read_all(fd, 1 << 24, (char **)&sound, &size), 0);
    write_file(UPPER "/new", "new", 3);
    ck_assert_int_eq(mkdir(UPPER "/dir3", 0755), 0);
    seed += (uint64_t)_i;
    cleanup_free uint8_t *data = malloc(size);
    for (int i = 0; i < count; i++) {
        uint64_t before = seed;

        memcpy(data, sound, size);
        damage(data, size);
        write_file(IMAGE, data, size);
        int control = save_begin(IMAGE, "0", UPPER, NAME);
        ck_assert(save_answer());
        ck_assert_int_eq(fd_send(control, "g", 1, -1), 0);
        ck_assert_msg(save_answer(), "no answer: seed %ju", (uintmax_t)before);
        (void)close(control);
        ck_assert_int_eq(save_end(), answer.ok ? 0 : 1 << 8);
        ck_assert_msg(answer.ok || strlen(answer.text) > 20, "%s", answer.text);
    }
}
END_TEST

/* By hand, what random damage hardly makes: inodes are not compressed here. */
START_TEST(directory_with_two_names_is_refused)
{
    cleanup_free uint8_t *data = NULL;
    size_t size;

    make_tree();
    make_image("-noI", "-noD", "-noF", "-noX");
    cleanup_fd int fd = open(IMAGE, O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(fd_read_all(fd, 1 << 24, (char **)&data, &size), 0);
    uint8_t *table = data + le64(data + 72) + 2, *end = data + size - 16;
    /* In the root's listing: 8 bytes, which begin with where the inode is, then the name.
     */
    while (table < end &&
           (memcmp(table, "dir7", 4) != 0 || memcmp(table + 12, "dir8", 4) != 0))
        table++;
    ck_assert(table < end);
    memcpy(table - 8, table + 4, 2);
    ck_assert_int_eq(pwrite(fd, data, size, 0), (ssize_t)size);
    save_must_fail(IMAGE, "0", NULL, NAME, "two names");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("save_target");
    TCase *tc = tcase_create("save_target");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, make_save_top, NULL);
    tcase_add_test(tc, old_file_is_replaced_and_keeps_its_mode);
    tcase_add_test(tc, new_file_obeys_the_umask);
    tcase_add_test(tc, what_cannot_be_replaced_is_told_at_once);
    tcase_add_test(tc, longest_name_is_saved);
    tcase_add_test(tc, starter_that_goes_away_leaves_nothing);
    tcase_add_test(tc, full_disk_leaves_the_old_file);
    tcase_add_test(tc, killed_program_leaves_the_old_file);
    tcase_add_test(tc, file_system_without_nameless_files_will_do);
    tcase_add_test(tc, image_may_be_replaced_by_what_is_made_of_it);
    tcase_add_test(tc, file_does_not_contain_itself);
    tcase_add_loop_test(tc, damaged_image_does_no_harm, 0, ARRAY_SIZE(ways));
    tcase_add_test(tc, directory_with_two_names_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(cannot_save, make_suite)
