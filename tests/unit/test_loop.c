/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "privileged/loop.h"
#include "base/cleanup.h"
#include "loopdev.h"
#include "tree.h"

#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

static void make_files(void)
{
    static const char text[4096] = "one";

    tree_make();
    tree_write_bytes("one", text, sizeof(text));
    tree_write_bytes("two", text, sizeof(text));
}

static void remove_files(void)
{
    ck_assert_msg(loopdev_wait(tree_path, 0), "a loop device is left");
    tree_remove();
}

static int open_file(const char *name)
{
    int fd = openat(tree, name, O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    return fd;
}

/* Attaches a file and returns the device's number; *ret_device keeps it. */
static int attach(const char *name, uint64_t offset, int *ret_device)
{
    cleanup_fd int file = open_file(name);
    int number = -1;

    *ret_device = loop_attach(file, offset, &number);
    ck_assert_int_ge(*ret_device, 0);
    ck_assert_int_ge(number, 0);
    return number;
}

START_TEST(same_file_and_offset_share_one_device)
{
    cleanup_fd int a = -1, b = -1, c = -1;
    int number = attach("one", 0, &a);

    ck_assert_int_eq(attach("one", 0, &b), number);
    ck_assert_int_eq(linkat(tree, "one", tree, "link", 0), 0);
    ck_assert_int_eq(attach("link", 0, &c), number);
    ck_assert_uint_eq(loopdev_count(tree_path), 1);
}
END_TEST

START_TEST(another_offset_or_file_gets_another_device)
{
    cleanup_fd int a = -1, b = -1, c = -1, again = -1;
    int at_0 = attach("one", 0, &a), at_512 = attach("one", 512, &b);
    int other = attach("two", 0, &c);

    ck_assert_int_ne(at_0, at_512);
    ck_assert_int_ne(at_0, other);
    ck_assert_int_ne(at_512, other);
    ck_assert_int_eq(attach("one", 512, &again), at_512);
    ck_assert_uint_eq(loopdev_count(tree_path), 3);
}
END_TEST

START_TEST(new_file_of_the_same_name_gets_another_device)
{
    cleanup_fd int old = -1, new = -1;
    char byte = 0;
    int number = attach("one", 0, &old);

    ck_assert_int_eq(unlinkat(tree, "one", 0), 0);
    tree_write("one", "new");
    ck_assert_int_ne(attach("one", 0, &new), number);
    ck_assert_int_eq(pread(old, &byte, 1, 0), 1);
    ck_assert_int_eq(byte, 'o');
}
END_TEST

START_TEST(device_is_read_only_and_ends_at_the_files_end)
{
    cleanup_fd int device = -1;
    struct loop_info64 info;
    int read_only = 0;
    uint64_t size = 0;

    (void)attach("one", 1024, &device);
    ck_assert_int_eq(ioctl(device, BLKROGET, &read_only), 0);
    ck_assert_int_eq(read_only, 1);
    ck_assert_int_eq(ioctl(device, BLKGETSIZE64, &size), 0);
    ck_assert_uint_eq(size, 3072);
    ck_assert_int_eq(ioctl(device, LOOP_GET_STATUS64, &info), 0);
    ck_assert_uint_eq(info.lo_flags, LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR);
    ck_assert_int_lt(write(device, "x", 1), 0);
    ck_assert(fcntl(device, F_GETFD) & FD_CLOEXEC);
}
END_TEST

START_TEST(device_goes_with_its_last_descriptor)
{
    int a = -1, b = -1;

    (void)attach("one", 0, &a);
    (void)attach("one", 0, &b);
    (void)close(a);
    ck_assert_uint_eq(loopdev_count(tree_path), 1);
    (void)close(b);
    ck_assert(loopdev_wait(tree_path, 0));
    /* And can be had again. */
    (void)attach("one", 0, &a);
    (void)close(a);
}
END_TEST

/* A device as somebody else would make it. */
static int make_other(uint32_t flags, uint64_t limit)
{
    cleanup_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    cleanup_fd int file =
        openat(tree, "one", (flags & LO_FLAGS_READ_ONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    struct loop_config config = {
        .fd = (uint32_t)file,
        .info = {.lo_flags = flags, .lo_sizelimit = limit},
    };
    char path[32];

    for (int tries = 0; tries < 100; tries++) {
        (void)snprintf(path, sizeof(path), "/dev/loop%d",
                       ioctl(control, LOOP_CTL_GET_FREE));
        int device =
            open(path, (flags & LO_FLAGS_READ_ONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC);
        ck_assert_int_ge(device, 0);
        if (ioctl(device, LOOP_CONFIGURE, &config) == 0)
            return device;
        (void)close(device);
    }
    ck_abort_msg("no free loop device");
}

START_TEST(devices_of_others_are_shared_only_if_they_are_alike)
{
    static const struct {
        uint32_t flags;
        uint64_t limit;
        bool shared;
    } cases[] = {
        {LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR, 0, true},
        {LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR, 1024, false},
        {LO_FLAGS_READ_ONLY, 0, false}, /* would be left behind */
        {LO_FLAGS_AUTOCLEAR, 0, false}, /* can be written */
        {0, 0, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cleanup_fd int other = make_other(cases[i].flags, cases[i].limit), ours = -1;

        (void)attach("one", 0, &ours);
        ck_assert_msg(loopdev_count(tree_path) == (cases[i].shared ? 1 : 2), "%zu", i);
        (void)ioctl(other, LOOP_CLR_FD);
        (void)close(steal_fd(&other));
        (void)close(steal_fd(&ours));
        ck_assert(loopdev_wait(tree_path, 0));
    }
}
END_TEST

START_TEST(what_is_no_readable_file_is_refused)
{
    int pair[2], number = -7;

    ck_assert_int_eq(mkdirat(tree, "dir", 0755), 0);
    ck_assert_int_eq(mkfifoat(tree, "fifo", 0644), 0);
    ck_assert_int_eq(pipe(pair), 0);
    const int bad[] = {
        -1,
        9999,
        tree,
        pair[0],
        openat(tree, "dir", O_RDONLY | O_CLOEXEC),
        openat(tree, "fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC),
        openat(tree, "one", O_PATH | O_CLOEXEC),
        open("/dev/null", O_RDWR | O_CLOEXEC),
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ck_assert_msg(loop_attach(bad[i], 0, &number) < 0, "%zu", i);
    ck_assert_int_eq(number, -7);
}
END_TEST

/* Attaches once, tells the number over the pipe, and waits until the other end closes. */
static void attach_and_wait(int go, int told, int end)
{
    cleanup_fd int device = -1;
    char byte;

    must(read(go, &byte, 1) == 0);
    int number = attach("one", 0, &device);
    must(write(told, &number, sizeof(number)) == sizeof(number));
    must(read(end, &byte, 1) == 0);
    _exit(0);
}

/* Attaches in many processes at the same moment; the number of devices that they got. */
static size_t attach_at_once(void)
{
    enum { COUNT = 16 };
    int go[2], told[2], end[2], number;

    ck_assert(pipe(go) == 0 && pipe(told) == 0 && pipe(end) == 0);
    for (int i = 0; i < COUNT; i++)
        if (fork() == 0) {
            (void)close(go[1]);
            (void)close(end[1]);
            attach_and_wait(go[0], told[1], end[0]);
        }
    (void)close(go[1]);
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(read(told[0], &number, sizeof(number)), sizeof(number));
    size_t count = loopdev_count(tree_path);
    (void)close(end[1]);
    for (int i = 0, status; i < COUNT; i++)
        ck_assert(wait(&status) > 0 && status == 0);
    ck_assert(loopdev_wait(tree_path, 0));
    return count;
}

/* They do not wait for each other for ever, so a machine that is busy just then may need
 * another try. */
START_TEST(processes_that_attach_at_once_share_one_device)
{
    for (int tries = 0; tries < 10; tries++)
        if (attach_at_once() == 1)
            return;
    ck_abort_msg("never");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("loop");
    TCase *tc = tcase_create("loop");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_files, remove_files);
    tcase_add_test(tc, same_file_and_offset_share_one_device);
    tcase_add_test(tc, another_offset_or_file_gets_another_device);
    tcase_add_test(tc, new_file_of_the_same_name_gets_another_device);
    tcase_add_test(tc, device_is_read_only_and_ends_at_the_files_end);
    tcase_add_test(tc, device_goes_with_its_last_descriptor);
    tcase_add_test(tc, devices_of_others_are_shared_only_if_they_are_alike);
    tcase_add_test(tc, what_is_no_readable_file_is_refused);
    tcase_add_test(tc, processes_that_attach_at_once_share_one_device);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(loopdev_missing, make_suite)
