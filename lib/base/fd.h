/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_BASE_FD_H
#define VITRINE_BASE_FD_H

/* Descriptors: whole reads and writes, and passing them between processes. */
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads exactly `size` bytes at `offset`; -ENODATA if the file ends before. */
neg_errno fd_pread_full(int fd, void *buf, size_t size, off_t offset);

/* Writes all of `size` bytes, going on after a short write or EINTR. */
neg_errno fd_write_full(int fd, const void *buf, size_t size);
/* The same at `offset`. */
neg_errno fd_pwrite_full(int fd, const void *buf, size_t size, off_t offset);

/*
 * Reads a whole file of at most `max` bytes into fresh memory, NUL-terminated behind
 * *ret_size bytes. -EFBIG if it is longer. The caller frees *ret_data.
 */
neg_errno fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_size);

/* Whether `dir`, which may be O_PATH, is a directory that can be read and has nothing in
 * it. */
bool fd_is_empty_dir(int dir);

/* So many descriptors go with one message. */
#define FD_PASS_MAX 16

/*
 * Sends one message with up to FD_PASS_MAX descriptors; those of -1 arrive as -1.
 * SOCK_SEQPACKET, and the receiver expects as many.
 */
neg_errno fd_send_all(int sock, const void *buf, size_t size, const int *fds,
                      size_t count);

/* The counterpart; for `peek` and errors see fd_recv(). */
neg_errno fd_recv_all(int sock, void *buf, size_t size, bool peek, int *fds,
                      size_t count);

/* Sends one message, with `passed` attached unless it is -1. SOCK_SEQPACKET. */
neg_errno fd_send(int sock, const void *buf, size_t size, int passed);

/*
 * Receives one message of exactly `size` bytes; *ret_passed is the descriptor that came
 * with it (close-on-exec) or -1. With `peek` the message stays, and whoever peeks gets a
 * descriptor of his own. -EPIPE when the peer has gone, -EPROTO on another size.
 */
neg_errno fd_recv(int sock, void *buf, size_t size, bool peek, int *ret_passed);

#endif
