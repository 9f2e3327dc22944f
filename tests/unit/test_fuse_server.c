/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The FUSE server with images that are sound. */
#include "fuse_mount.h"
#include "image/squashfs.h"
#include "image/trust.h"

#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* Files of a directory that needs an index, and bytes of a file that needs hints. */
#define MANY     3000
#define PREFIX   "a-rather-long-name-of-a-file-"
#define BIG_SIZE 20971520U

static uintmax_t counted;

static void make_tree(void)
{
    static const size_t sizes[] = {0, 1, 4096, 131072, 131073, 700000};
    cleanup_free char *data = make_content(700000);
    char path[PATH_MAX], target[SQUASHFS_METADATA];

    ck_assert_int_eq(mkdir(SRC, 0755), 0);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        (void)snprintf(path, sizeof(path), SRC "/file%zu", i);
        write_file(path, data, sizes[i]);
    }
    ck_assert_int_eq(mkdir(SRC "/empty", 01770), 0);
    ck_assert_int_eq(mkdir(SRC "/d", 0755), 0);
    ck_assert_int_eq(chown(SRC "/d", 1234, 70000), 0);
    ck_assert_int_eq(link(SRC "/file1", SRC "/d/hard"), 0);
    ck_assert_int_eq(symlink("../file1", SRC "/d/soft"), 0);
    memset(target, 'y', sizeof(target));
    target[4000] = '\0';
    ck_assert_int_eq(symlink(target, SRC "/long"), 0);
    ck_assert_int_eq(mkfifo(SRC "/fifo", 0600), 0);
    ck_assert_int_eq(mknod(SRC "/char", S_IFCHR | 0600, makedev(4095, 0xabcde)), 0);
    ck_assert_int_eq(mknod(SRC "/block", S_IFBLK | 0600, makedev(8, 1)), 0);
    write_file(SRC "/sparse", "x", 1);
    ck_assert_int_eq(truncate(SRC "/sparse", 1000000), 0);
    ck_assert_int_eq(chmod(SRC "/file2", 04751), 0);
    /* tmpfs has these on each kernel. */
    ck_assert_int_eq(setxattr(SRC "/file3", "trusted.short", "v", 1, 0), 0);
    ck_assert_int_eq(setxattr(SRC "/file3", "trusted.long", data, 3000, 0), 0);
    ck_assert_int_eq(setxattr(SRC "/file4", "trusted.long", data, 3000, 0), 0);
    ck_assert_int_eq(lsetxattr(SRC "/long", "trusted.link", "l", 1, 0), 0);
}

static char *read_file(const char *path, size_t *ret_size)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *data = NULL;

    ck_assert_msg(fd >= 0, "%s", path);
    ck_assert_msg(fd_read_all(fd, BIG_SIZE, &data, ret_size) == 0, "%s", path);
    return data;
}

static void check_same_content(const char *a, const char *b)
{
    size_t a_size, b_size;
    cleanup_free char *a_data = read_file(a, &a_size);
    cleanup_free char *b_data = read_file(b, &b_size);

    ck_assert_msg(a_size == b_size && memcmp(a_data, b_data, a_size) == 0, "%s", a);
}

static void check_same_xattrs(const char *a, const char *b)
{
    char names[1024], a_value[4096], b_value[4096];
    ssize_t n = llistxattr(a, names, sizeof(names));

    ck_assert_msg(n >= 0, "%s", a);
    for (char *name = names; name < names + n; name += strlen(name) + 1) {
        ssize_t a_size = lgetxattr(a, name, a_value, sizeof(a_value));
        ssize_t b_size = lgetxattr(b, name, b_value, sizeof(b_value));

        ck_assert_msg(a_size >= 0 && a_size == b_size &&
                          memcmp(a_value, b_value, (size_t)a_size) == 0,
                      "%s: %s", a, name);
        ck_assert_int_eq(lgetxattr(b, name, NULL, 0), a_size);
    }
    /* An image without any says so once, and is not asked again. */
    if (n > 0 || llistxattr(b, names, sizeof(names)) >= 0)
        ck_assert_msg(llistxattr(b, names, sizeof(names)) == n, "%s", b);
    else
        ck_assert_int_eq(errno, EOPNOTSUPP);
}

static int check_one(const char *path, const struct stat *a, int type, struct FTW *ftw)
{
    char other[PATH_MAX], a_link[4096], b_link[4096];
    struct stat b;

    (void)snprintf(other, sizeof(other), AT "%s", path + sizeof(SRC) - 1);
    ck_assert_msg(lstat(other, &b) == 0, "%s: %m", other);
    ck_assert_msg(a->st_mode == b.st_mode && a->st_uid == b.st_uid &&
                      a->st_gid == b.st_gid && a->st_rdev == b.st_rdev &&
                      a->st_nlink == b.st_nlink && a->st_mtime == b.st_mtime,
                  "%s", path);
    if (!S_ISDIR(a->st_mode))
        ck_assert_msg(a->st_size == b.st_size, "%s", path);
    check_same_xattrs(path, other);
    if (S_ISREG(a->st_mode))
        check_same_content(path, other);
    if (S_ISLNK(a->st_mode)) {
        ssize_t n = readlink(path, a_link, sizeof(a_link));

        ck_assert_msg(n > 0 && n == readlink(other, b_link, sizeof(b_link)) &&
                          memcmp(a_link, b_link, (size_t)n) == 0,
                      "%s", path);
    }
    return 0;
}

static int count_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    counted++;
    return 0;
}

/* Everything of SRC is at AT, and nothing more. */
static void check_same_tree(void)
{
    uintmax_t in_src;

    ck_assert_int_eq(nftw(SRC, check_one, 16, FTW_PHYS), 0);
    counted = 0;
    ck_assert_int_eq(nftw(SRC, count_one, 16, FTW_PHYS), 0);
    in_src = counted;
    ck_assert_int_eq(nftw(AT, count_one, 16, FTW_PHYS), 0);
    ck_assert_uint_eq(counted, 2 * in_src);
}

START_TEST(every_compressor_gives_the_same_tree)
{
    static const char *const compressors[] = {"gzip", "lzo", "lz4", "xz", "zstd"};

    make_tree();
    make_image("-comp", compressors[_i]);
    serve("0");
    check_same_tree();
    unserve();
}
END_TEST

START_TEST(every_way_to_store_gives_the_same_tree)
{
    static const char *const options[][4] = {
        {"-noI", "-noD", "-noF", "-noX"},
        {"-b", "4096", "-always-use-fragments", "-no-exports"},
        {"-b", "1048576", "-no-fragments", "-nopad"},
    };

    make_tree();
    make_image(options[_i][0], options[_i][1], options[_i][2], options[_i][3]);
    serve("0");
    check_same_tree();
    unserve();
}
END_TEST

START_TEST(file_system_may_lie_anywhere_in_its_file)
{
    size_t size;

    make_tree();
    make_image("-comp", "zstd");
    cleanup_free char *data = read_file(IMAGE, &size);
    cleanup_fd int fd = open(IMAGE, O_WRONLY | O_TRUNC | O_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, data, size, 4099), (ssize_t)size);
    serve("4099");
    check_same_tree();
    unserve();
}
END_TEST

START_TEST(empty_file_system_is_served)
{
    ck_assert_int_eq(mkdir(SRC, 0700), 0);
    make_image("-no-xattrs");
    serve("0");
    check_same_tree();
    ck_assert_int_eq(access(AT "/x", F_OK), -1);
    ck_assert_int_eq(errno, ENOENT);
    unserve();
}
END_TEST

START_TEST(large_directory_is_listed_in_steps_and_searched)
{
    char path[PATH_MAX];
    static bool seen[MANY];
    unsigned n = 0, i;
    struct dirent *entry;
    long middle = 0;

    ck_assert_int_eq(mkdir(SRC, 0755), 0);
    for (i = 0; i < MANY; i++) {
        (void)snprintf(path, sizeof(path), SRC "/" PREFIX "%u", i);
        write_file(path, "", 0);
    }
    make_image("-comp", "lz4");
    serve("0");
    DIR *dir = opendir(AT);
    while ((entry = readdir(dir))) {
        n++;
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0) {
            i = (unsigned)strtoul(entry->d_name + strlen(PREFIX), NULL, 10);
            ck_assert_uint_lt(i, MANY);
            ck_assert(!seen[i]);
            seen[i] = true;
        }
        if (n == MANY / 2)
            middle = telldir(dir);
    }
    ck_assert_uint_eq(n, MANY + 2);
    seekdir(dir, middle);
    for (n = MANY / 2; readdir(dir); n++)
        ;
    ck_assert_uint_eq(n, MANY + 2);
    (void)closedir(dir);
    check_same_tree();
    unserve();
}
END_TEST

START_TEST(large_file_is_read_at_any_place)
{
    cleanup_free char *data = make_content(BIG_SIZE);
    char buf[9000];
    uint64_t at = 0;

    ck_assert_int_eq(mkdir(SRC, 0755), 0);
    write_file(SRC "/big", data, BIG_SIZE - 5);
    make_image("-b", "4096", "-comp", "lzo");
    serve("0");
    int fd = open(AT "/big", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0);
    for (int i = 0; i < 500; i++) {
        at = (at * 5 + 12345677) % (BIG_SIZE - sizeof(buf) - 5);
        ck_assert_int_eq(pread(fd, buf, sizeof(buf), (off_t)at), sizeof(buf));
        ck_assert_msg(memcmp(buf, data + at, sizeof(buf)) == 0, "%ju", (uintmax_t)at);
    }
    ck_assert_int_eq(pread(fd, buf, 100, BIG_SIZE - 10), 5);
    ck_assert_int_eq(pread(fd, buf, 100, BIG_SIZE), 0);
    (void)close(fd);
    check_same_tree();
    unserve();
}
END_TEST

static void walk_all(void *arg)
{
    check_same_tree();
}

START_TEST(many_readers_at_once_see_the_same)
{
    pid_t pids[8];
    int status;

    make_tree();
    make_image("-comp", "gzip", "-b", "16384");
    serve("0");
    for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(child_run(walk_all, NULL) != 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
    unserve();
}
END_TEST

START_TEST(what_was_read_once_needs_no_server)
{
    make_tree();
    make_image("-comp", "xz", "-no-xattrs");
    serve("0");
    for (int i = 0; i < 2; i++) {
        cleanup_dir DIR *dir = opendir(AT);

        while (readdir(dir))
            ;
        check_same_content(SRC "/file5", AT "/file5");
        ck_assert_int_eq(access(AT "/no-such-file", F_OK), -1);
        ck_assert_int_eq(access(AT "/d/soft", F_OK), 0);
        /* All of it again, while nobody answers. */
        if (i == 0)
            ck_assert_int_eq(kill(server, SIGSTOP), 0);
    }
    ck_assert_int_eq(kill(server, SIGCONT), 0);
    unserve();
}
END_TEST

START_TEST(signals_for_tasks_do_not_end_the_server)
{
    const int signals[] = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT, SIGUSR1, SIGUSR2,
                           SIGALRM, SIGTSTP, SIGTTIN, SIGPIPE, SIGXCPU, SIGRTMIN};

    make_tree();
    make_image("-comp", "zstd");
    serve("0");
    ck_assert_int_eq(access(AT "/file0", F_OK), 0);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        ck_assert_int_eq(kill(server, signals[i]), 0);
    check_same_tree();
    unserve();
}
END_TEST

START_TEST(killed_server_leaves_errors_not_hanging_readers)
{
    make_tree();
    make_image("-comp", "zstd");
    serve("0");
    ck_assert_int_eq(access(AT "/file0", F_OK), 0);
    ck_assert_int_eq(kill(server, SIGKILL), 0);
    ck_assert_int_eq(server_end(), SIGKILL);
    ck_assert_int_eq(access(AT "/file1", F_OK), -1);
    ck_assert_int_eq(errno, ENOTCONN);
}
END_TEST

START_TEST(nothing_can_be_written)
{
    struct statvfs st;

    make_tree();
    make_image("-comp", "zstd");
    serve("0");
    ck_assert_int_eq(open(AT "/file1", O_WRONLY | O_CLOEXEC), -1);
    ck_assert_int_eq(errno, EROFS);
    ck_assert_int_eq(mkdir(AT "/x", 0755), -1);
    ck_assert_int_eq(errno, EROFS);
    ck_assert_int_eq(statvfs(AT, &st), 0);
    ck_assert_uint_eq(st.f_bfree, 0);
    ck_assert_uint_eq(st.f_ffree, 0);
    unserve();
}
END_TEST

/* What the server says of its owner may be a user's lie. */
START_TEST(file_on_fuse_is_not_trusted)
{
    struct vitrine_error why = {0};

    make_tree();
    make_image("-comp", "zstd");
    serve("0");
    int fd = open(AT "/file1", O_RDONLY | O_CLOEXEC);
    ck_assert(!image_is_trusted(fd, NULL, 0, &why));
    ck_assert_msg(strstr(why.text, "FUSE"), "%s", why.text);
    (void)close(fd);
    unserve();
}
END_TEST

static void check_owner(const char *path, uid_t uid, gid_t gid)
{
    struct stat st;

    ck_assert_msg(lstat(path, &st) == 0, "%s: %m", path);
    ck_assert_msg(st.st_uid == uid && st.st_gid == gid, "%s: %u %u", path, st.st_uid,
                  st.st_gid);
}

START_TEST(everything_can_belong_to_one_user)
{
    struct stat st;

    make_tree();
    make_image("-comp", "zstd");
    serve_as("0", "all:54321:54322");
    check_owner(AT, CHILD_UID, CHILD_GID);
    check_owner(AT "/d", CHILD_UID, CHILD_GID);
    check_owner(AT "/d/soft", CHILD_UID, CHILD_GID);
    check_owner(AT "/file1", CHILD_UID, CHILD_GID);
    check_same_content(SRC "/file5", AT "/file5");
    ck_assert_int_eq(stat(AT "/file2", &st), 0);
    ck_assert_uint_eq(st.st_mode, S_IFREG | 04751);
    unserve();
}
END_TEST

START_TEST(owners_can_be_mapped)
{
    make_tree();
    make_image("-comp", "zstd");
    serve_as("0", "map:0:54321:1,1:100000:65536/0:54322:1,1:200000:65536");
    check_owner(AT, CHILD_UID, CHILD_GID);
    check_owner(AT "/file1", CHILD_UID, CHILD_GID);
    check_owner(AT "/d", 101233, 65534); /* 1234, 70000 */
    unserve();
}
END_TEST

START_TEST(server_that_is_told_nonsense_does_not_serve)
{
    static const char *const owners[] = {"", "all", "all:1:x", "map:0:1:1", "as-it-is"};
    char text[128] = "";

    make_tree();
    make_image("-comp", "zstd");
    serve_as("0", owners[_i]);
    ck_assert_int_eq(server_end(), W_EXITCODE(EXIT_FAILURE, 0));
    ck_assert_int_gt(read(server_log, text, sizeof(text) - 1), 0);
    ck_assert_msg(strncmp(text, "usage: ", 7) == 0, "%s", text);
    ck_assert_int_eq(access(AT "/file1", F_OK), -1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("fuse_server");
    TCase *tc = tcase_create("fuse_server");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_top, NULL);
    tcase_add_loop_test(tc, every_compressor_gives_the_same_tree, 0, 5);
    tcase_add_loop_test(tc, every_way_to_store_gives_the_same_tree, 0, 3);
    tcase_add_test(tc, file_system_may_lie_anywhere_in_its_file);
    tcase_add_test(tc, empty_file_system_is_served);
    tcase_add_test(tc, large_directory_is_listed_in_steps_and_searched);
    tcase_add_test(tc, large_file_is_read_at_any_place);
    tcase_add_test(tc, many_readers_at_once_see_the_same);
    tcase_add_test(tc, what_was_read_once_needs_no_server);
    tcase_add_test(tc, signals_for_tasks_do_not_end_the_server);
    tcase_add_test(tc, killed_server_leaves_errors_not_hanging_readers);
    tcase_add_test(tc, nothing_can_be_written);
    tcase_add_test(tc, file_on_fuse_is_not_trusted);
    tcase_add_test(tc, everything_can_belong_to_one_user);
    tcase_add_test(tc, owners_can_be_mapped);
    tcase_add_loop_test(tc, server_that_is_told_nonsense_does_not_serve, 0, 5);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(cannot, make_suite)
