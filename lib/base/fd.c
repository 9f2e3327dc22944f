/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/cleanup.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

neg_errno fd_pread_full(int fd, void *buf, size_t size, off_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, (char *)buf + done, size - done, offset + (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -ENODATA;
        done += (size_t)n;
    }
    return 0;
}

neg_errno fd_write_full(int fd, const void *buf, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, (const char *)buf + done, size - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        done += (size_t)n;
    }
    return 0;
}

neg_errno fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_size)
{
    struct stat st;
    size_t cap = 4096, size = 0;

    if (fstat(fd, &st) < 0)
        return -errno;
    /* One byte more than its size shows the end in the same read; files of /proc say 0.
     */
    if (S_ISREG(st.st_mode) && st.st_size > 0 && (uintmax_t)st.st_size < max)
        cap = (size_t)st.st_size + 2;
    cleanup_free char *data = malloc(cap);
    if (!data)
        return -ENOMEM;
    for (;;) {
        ssize_t n = read(fd, data + size, cap - 1 - size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        size += (size_t)n;
        if (size > max)
            return -EFBIG;
        if (size < cap - 1)
            continue;
        char *more = realloc(data, cap * 2);
        if (!more)
            return -ENOMEM;
        data = more;
        cap *= 2;
    }
    data[size] = '\0';
    *ret_data = steal_ptr(&data);
    if (ret_size)
        *ret_size = size;
    return 0;
}

neg_errno fd_send(int sock, const void *buf, size_t size, int passed)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)buf, .iov_len = size};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (passed >= 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = sizeof(control.space);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &passed, sizeof(int));
    }
    for (;;) {
        ssize_t n = sendmsg(sock, &msg, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        return (size_t)n == size ? 0 : -EPROTO;
    }
}

neg_errno fd_recv(int sock, void *buf, size_t size, bool peek, int *ret_passed)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = buf, .iov_len = size};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         /* Room for one: the kernel drops and marks any more. */
                         .msg_controllen = CMSG_LEN(sizeof(int))};
    cleanup_fd int passed = -1;
    ssize_t n;

    do {
        n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | (peek ? MSG_PEEK : 0));
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            memcpy(&passed, CMSG_DATA(c), sizeof(int));
    if (n == 0 && size > 0)
        return -EPIPE;
    if ((size_t)n != size || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return -EPROTO;
    *ret_passed = steal_fd(&passed);
    return 0;
}
