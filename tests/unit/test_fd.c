/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/cleanup.h"
#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int sock[2];

static void make_pair(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
}

static void close_pair(void)
{
    close(sock[0]);
    close(sock[1]);
}

static int file_with(const char *text)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_write_full(fd, text, strlen(text)), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static bool is_same_file(int a, int b)
{
    struct stat x, y;

    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

/* The lowest free descriptor: it is higher after a leak. */
static int next_fd(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

/* A pipe whose writer sends `size` bytes in pieces and ends. */
static int slow_pipe(size_t size, pid_t *ret_writer)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    *ret_writer = fork();
    if (*ret_writer == 0) {
        for (size_t i = 0; i < size; i++)
            if (write(ends[1], "x", 1) != 1)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    return ends[0];
}

START_TEST(pread_full_wants_every_byte)
{
    char buf[8] = {0};
    cleanup_fd int fd = file_with("0123456789");

    ck_assert_int_eq(fd_pread_full(fd, buf, 4, 2), 0);
    ck_assert_str_eq(buf, "2345");
    ck_assert_int_eq(fd_pread_full(fd, buf, 4, 6), 0);
    ck_assert_str_eq(buf, "6789");
    ck_assert_int_eq(fd_pread_full(fd, buf, 4, 7), -ENODATA);
    ck_assert_int_eq(fd_pread_full(fd, buf, 1, 10), -ENODATA);
    ck_assert_int_eq(fd_pread_full(fd, buf, 0, 99), 0);
    ck_assert_int_eq(fd_pread_full(fd, buf, 1, -1), -EINVAL);
    ck_assert_int_eq(fd_pread_full(-1, buf, 1, 0), -EBADF);
}
END_TEST

START_TEST(write_full_goes_on_after_short_writes)
{
    static char data[300000];
    size_t got = 0;
    int ends[2], status;

    /* Far more than a pipe holds, to a reader who takes it in pieces. */
    ck_assert_int_eq(pipe(ends), 0);
    pid_t writer = fork();
    if (writer == 0) {
        close(ends[0]);
        _exit(fd_write_full(ends[1], data, sizeof(data)) == 0 ? 0 : 1);
    }
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], data, 1000)) > 0;)
        got += (size_t)n;
    close(ends[0]);
    ck_assert_int_eq(waitpid(writer, &status, 0), writer);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(got, sizeof(data));
    ck_assert_int_eq(fd_write_full(-1, data, 1), -EBADF);
    ck_assert_int_eq(fd_write_full(-1, data, 0), 0);
}
END_TEST

START_TEST(read_all_ends_with_nul)
{
    static const char *const texts[] = {"", "x", "two\nlines\n"};
    size_t size;

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        cleanup_fd int fd = file_with(texts[i]);
        cleanup_free char *data = NULL;

        ck_assert_int_eq(fd_read_all(fd, 100, &data, &size), 0);
        ck_assert_uint_eq(size, strlen(texts[i]));
        ck_assert_str_eq(data, texts[i]);
    }
}
END_TEST

START_TEST(read_all_keeps_to_its_limit)
{
    cleanup_fd int fd = file_with("0123456789");
    cleanup_free char *data = NULL;
    size_t size = 77;

    ck_assert_int_eq(fd_read_all(fd, 9, &data, &size), -EFBIG);
    ck_assert_ptr_null(data);
    ck_assert_uint_eq(size, 77);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_eq(fd_read_all(fd, 10, &data, NULL), 0);
    ck_assert_str_eq(data, "0123456789");
}
END_TEST

START_TEST(read_all_ends_on_a_file_without_end)
{
    cleanup_fd int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    char *data;

    ck_assert_int_eq(fd_read_all(fd, 100000, &data, NULL), -EFBIG);
}
END_TEST

START_TEST(read_all_takes_files_that_tell_no_size)
{
    cleanup_fd int proc = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    cleanup_free char *status = NULL, *piped = NULL;
    pid_t writer;
    size_t size;

    ck_assert_int_eq(fd_read_all(proc, 1 << 20, &status, &size), 0);
    ck_assert_ptr_nonnull(strstr(status, "Uid:"));
    ck_assert_uint_eq(size, strlen(status));
    cleanup_fd int fd = slow_pipe(10000, &writer);
    ck_assert_int_eq(fd_read_all(fd, 10000, &piped, &size), 0);
    ck_assert_uint_eq(size, 10000);
    waitpid(writer, NULL, 0);
}
END_TEST

START_TEST(read_all_tells_errors)
{
    cleanup_fd int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char *data;

    ck_assert_int_eq(fd_read_all(dir, 100, &data, NULL), -EISDIR);
    ck_assert_int_eq(fd_read_all(-1, 100, &data, NULL), -EBADF);
}
END_TEST

START_TEST(message_arrives_with_its_descriptor)
{
    cleanup_fd int file = file_with("x");
    cleanup_fd int passed = -1;
    char buf[4];

    ck_assert_int_eq(fd_send(sock[0], "ping", 4, file), 0);
    ck_assert_int_eq(fd_recv(sock[1], buf, 4, false, &passed), 0);
    ck_assert_mem_eq(buf, "ping", 4);
    ck_assert(is_same_file(file, passed));
    ck_assert_int_ne(fcntl(passed, F_GETFD) & FD_CLOEXEC, 0);
}
END_TEST

START_TEST(message_without_descriptor_gives_none)
{
    int passed = 77;
    char buf[4];

    ck_assert_int_eq(fd_send(sock[0], "ping", 4, -1), 0);
    ck_assert_int_eq(fd_recv(sock[1], buf, 4, false, &passed), 0);
    ck_assert_int_eq(passed, -1);
}
END_TEST

START_TEST(whoever_peeks_gets_a_descriptor_of_his_own)
{
    cleanup_fd int file = file_with("x");
    cleanup_fd int one = -1, two = -1, taken = -1;
    char buf[4];

    ck_assert_int_eq(fd_send(sock[0], "ping", 4, file), 0);
    ck_assert_int_eq(fd_recv(sock[1], buf, 4, true, &one), 0);
    memset(buf, 0, sizeof(buf));
    ck_assert_int_eq(fd_recv(sock[1], buf, 4, true, &two), 0);
    ck_assert_mem_eq(buf, "ping", 4);
    ck_assert_int_eq(fd_recv(sock[1], buf, 4, false, &taken), 0);
    ck_assert_int_ne(one, two);
    ck_assert_int_ne(two, taken);
    ck_assert(is_same_file(file, one) && is_same_file(file, two) &&
              is_same_file(file, taken));
    /* The message has gone with the one who did not peek. */
    ck_assert_int_eq(recv(sock[1], buf, 4, MSG_DONTWAIT), -1);
    ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

START_TEST(peekers_find_the_message_after_its_sender_has_gone)
{
    cleanup_fd int file = file_with("x");
    int passed;
    char buf[4];

    ck_assert_int_eq(fd_send(sock[0], "ping", 4, file), 0);
    close(sock[0]);
    sock[0] = -1;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(fd_recv(sock[1], buf, 4, true, &passed), 0);
        ck_assert(is_same_file(file, passed));
        close(passed);
    }
}
END_TEST

START_TEST(peer_that_has_gone_is_epipe)
{
    int passed = 77;
    char buf[4];

    close(sock[0]);
    sock[0] = -1;
    ck_assert_int_eq(fd_recv(sock[1], buf, 4, false, &passed), -EPIPE);
    ck_assert_int_eq(fd_recv(sock[1], buf, 4, true, &passed), -EPIPE);
    ck_assert_int_eq(passed, 77);
    /* And no SIGPIPE, which would end this test. */
    ck_assert_int_eq(fd_send(sock[1], "ping", 4, -1), -EPIPE);
}
END_TEST

START_TEST(message_of_another_size_is_eproto)
{
    cleanup_fd int file = file_with("x");
    int passed = 77, before = next_fd();
    char buf[8];

    ck_assert_int_eq(fd_send(sock[0], "pin", 3, file), 0);
    ck_assert_int_eq(fd_recv(sock[1], buf, 4, false, &passed), -EPROTO);
    ck_assert_int_eq(fd_send(sock[0], "pings", 5, file), 0);
    ck_assert_int_eq(fd_recv(sock[1], buf, 4, false, &passed), -EPROTO);
    ck_assert_int_eq(passed, 77);
    ck_assert_int_eq(next_fd(), before);
}
END_TEST

START_TEST(second_descriptor_of_a_message_is_not_kept)
{
    char byte = 0;
    int pair[2], got = -1, two[2] = {0, 1};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(two))];
    } control = {0};
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof(control.space)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(two));
    memcpy(CMSG_DATA(c), two, sizeof(two));
    ck_assert_int_eq(sendmsg(pair[0], &msg, 0), 1);
    int lowest = dup(0);
    close(lowest);
    ck_assert_int_eq(fd_recv(pair[1], &byte, 1, false, &got), -EPROTO);
    ck_assert_int_eq(got, -1);
    int still = dup(0);
    ck_assert_int_eq(still, lowest);
    close(still);
    close(pair[0]);
    close(pair[1]);
}
END_TEST

START_TEST(sockets_errors_come_through)
{
    int passed;
    char buf[4];

    ck_assert_int_eq(fd_send(-1, "ping", 4, -1), -EBADF);
    ck_assert_int_eq(fd_send(sock[0], "ping", 4, 9999), -EBADF);
    ck_assert_int_eq(fd_recv(0x7fff, buf, 4, false, &passed), -EBADF);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("fd");
    TCase *files = tcase_create("files"), *messages = tcase_create("messages");

    tcase_add_test(files, pread_full_wants_every_byte);
    tcase_add_test(files, write_full_goes_on_after_short_writes);
    tcase_add_test(files, read_all_ends_with_nul);
    tcase_add_test(files, read_all_keeps_to_its_limit);
    tcase_add_test(files, read_all_ends_on_a_file_without_end);
    tcase_add_test(files, read_all_takes_files_that_tell_no_size);
    tcase_add_test(files, read_all_tells_errors);
    suite_add_tcase(suite, files);

    tcase_add_checked_fixture(messages, make_pair, close_pair);
    tcase_add_test(messages, message_arrives_with_its_descriptor);
    tcase_add_test(messages, message_without_descriptor_gives_none);
    tcase_add_test(messages, whoever_peeks_gets_a_descriptor_of_his_own);
    tcase_add_test(messages, peekers_find_the_message_after_its_sender_has_gone);
    tcase_add_test(messages, peer_that_has_gone_is_epipe);
    tcase_add_test(messages, message_of_another_size_is_eproto);
    tcase_add_test(messages, second_descriptor_of_a_message_is_not_kept);
    tcase_add_test(messages, sockets_errors_come_through);
    suite_add_tcase(suite, messages);
    return suite;
}

UNIT_MAIN(make_suite)
