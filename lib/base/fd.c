/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/cleanup.h"

#include <fcntl.h>
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

neg_errno fd_pwrite_full(int fd, const void *buf, size_t size, off_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t n =
            pwrite(fd, (const char *)buf + done, size - done, offset + (off_t)done);

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

bool fd_is_empty_dir(int dir)
{
    cleanup_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *stream = fd < 0 ? NULL : fdopendir(fd);

    if (!stream)
        return false;
    (void)steal_fd(&fd);
    for (struct dirent *entry; (entry = readdir(stream));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return false;
    return true;
}

/* What goes over the socket: which of the descriptors are there, then the message. */
struct parts {
    uint32_t present;
    struct iovec iov[2];
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
    } control;
    struct msghdr msg;
};

static void parts_init(struct parts *parts, const void *buf, size_t size)
{
    *parts = (struct parts){0};
    parts->iov[0] = (struct iovec){&parts->present, sizeof(parts->present)};
    parts->iov[1] = (struct iovec){(void *)buf, size};
    parts->msg.msg_iov = parts->iov;
    parts->msg.msg_iovlen = 2;
}

neg_errno fd_send_all(int sock, const void *buf, size_t size, const int *fds,
                      size_t count)
{
    struct parts parts;
    int passed[FD_PASS_MAX];
    size_t n = 0;

    parts_init(&parts, buf, size);
    for (size_t i = 0; i < count && i < FD_PASS_MAX; i++) {
        if (fds[i] < 0)
            continue;
        parts.present |= 1U << i;
        passed[n++] = fds[i];
    }
    if (n > 0) {
        parts.msg.msg_control = parts.control.space;
        parts.msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&parts.msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(c), passed, n * sizeof(int));
    }
    for (;;) {
        ssize_t sent = sendmsg(sock, &parts.msg, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -errno;
        return (size_t)sent == size + sizeof(parts.present) ? 0 : -EPROTO;
    }
}

/* The descriptors that came; those beyond `max` are not there: the kernel has dropped and
 * marked them. */
static size_t take_passed(struct msghdr *msg, int *passed)
{
    size_t n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(passed, CMSG_DATA(c), n * sizeof(int));
    }
    return n;
}

static neg_errno close_all(const int *fds, size_t count, neg_errno rc)
{
    for (size_t i = 0; i < count; i++)
        (void)close(fds[i]);
    return rc;
}

neg_errno fd_recv_all(int sock, void *buf, size_t size, bool peek, int *fds, size_t count)
{
    struct parts parts;
    int passed[FD_PASS_MAX] = {0};
    ssize_t n;

    parts_init(&parts, buf, size);
    parts.msg.msg_control = parts.control.space;
    parts.msg.msg_controllen = CMSG_LEN(count * sizeof(int));
    do {
        n = recvmsg(sock, &parts.msg, MSG_CMSG_CLOEXEC | (peek ? MSG_PEEK : 0));
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    size_t npassed = take_passed(&parts.msg, passed);
    if (n == 0)
        return close_all(passed, npassed, -EPIPE);
    if ((size_t)n != size + sizeof(parts.present) ||
        (parts.msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
        (uint64_t)parts.present >> count ||
        (size_t)__builtin_popcount(parts.present) != npassed)
        return close_all(passed, npassed, -EPROTO);
    for (size_t i = 0, next = 0; i < count; i++)
        fds[i] = parts.present & 1U << i ? passed[next++] : -1;
    return 0;
}

neg_errno fd_send(int sock, const void *buf, size_t size, int passed)
{
    return fd_send_all(sock, buf, size, &passed, 1);
}

neg_errno fd_recv(int sock, void *buf, size_t size, bool peek, int *ret_passed)
{
    return fd_recv_all(sock, buf, size, peek, ret_passed, 1);
}
