/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Content on its way into the output. Runs as the user. */
#include "base/fd.h"
#include "sqfswrite/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqfs/block.h>
#include <sqfs/error.h>
#include <stdlib.h>
#include <unistd.h>

/* A clone of extents, where a file system can do it, goes by blocks of this size. */
#define CLONE_ALIGN 4096U
#define CLONE_MIN   (UINT64_C(1024) * 1024)

/* Reads at `position` what is there of `size` bytes; 0 at the file's end. */
static ssize_t read_some(int fd, void *buf, uint64_t size, uint64_t position)
{
    size_t most = size < OUTPUT_BUFFER ? (size_t)size : OUTPUT_BUFFER;
    ssize_t n;

    do {
        n = pread(fd, buf, most, (off_t)position);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* From `position` to `end`, which are no holes as a whole. */
static int pack_range(struct output *output, int fd, uint64_t position, uint64_t end,
                      struct vitrine_error *err)
{
    while (position < end) {
        ssize_t n = read_some(fd, output->buf, end - position, position);
        int rc;

        if (n < 0)
            return vitrine_fail_sys(err, VITRINE_EINTERNAL, "it cannot be read");
        if (n == 0)
            return vitrine_fail(err, VITRINE_EINTERNAL,
                                "it became shorter while it was being saved");
        rc = sqfs_block_processor_append(output->processor, output->buf, (size_t)n);
        if (rc != 0)
            return output_fail(output, rc, err);
        position += (uint64_t)n;
        if (output->look && output->look(output->look_arg, (size_t)n, err) < 0)
            return -1;
    }
    return 0;
}

/* Where the next data of the file begins, and ends, in whole blocks. */
static void find_data(int fd, uint64_t position, uint64_t size, uint32_t block_size,
                      uint64_t *ret_begin, uint64_t *ret_end)
{
    off_t begin, end;

    *ret_begin = position;
    *ret_end = size;
    if (size <= block_size)
        return;
    begin = lseek(fd, (off_t)position, SEEK_DATA);
    if (begin < 0 && errno == ENXIO) {
        *ret_begin = size;
        return;
    }
    /* A file system that does not know: all of it is data. */
    if (begin < (off_t)position)
        return;
    end = lseek(fd, begin, SEEK_HOLE);
    if ((uint64_t)begin >= size) {
        *ret_begin = size;
        return;
    }
    *ret_begin = (uint64_t)begin / block_size * block_size;
    if (end <= begin || (uint64_t)end >= size)
        return;
    uint64_t blocks = ((uint64_t)end + block_size - 1) / block_size;
    *ret_end = blocks * block_size < size ? blocks * block_size : size;
}

/* What is left out is told in packed->holes: libsquashfs sees a shorter file. */
static int pack_sparse(struct output *output, int fd, uint64_t size,
                       struct tree_packed *packed, struct vitrine_error *err)
{
    uint32_t block_size = output->format.block_size;
    uint64_t position = 0;

    while (position < size) {
        uint64_t begin, end;
        int rc = 0;

        find_data(fd, position, size, block_size, &begin, &end);
        if (begin > position) {
            uint64_t blocks = (begin - position + block_size - 1) / block_size;

            if (tree_add_hole(packed, position / block_size, blocks) < 0)
                return output_fail(output, SQFS_ERROR_ALLOC, err);
        }
        if (begin >= size)
            break;
        if (!packed->inode)
            rc = sqfs_block_processor_begin_file(
                output->processor, &packed->inode, NULL,
                size > block_size ? SQFS_BLK_DONT_FRAGMENT : 0);
        if (rc != 0)
            return output_fail(output, rc, err);
        if (pack_range(output, fd, begin, end, err) < 0)
            return -1;
        position = end;
    }
    return 0;
}

int output_pack(struct output *output, int fd, uint64_t size, struct tree_packed *packed,
                struct vitrine_error *err)
{
    int rc = 0;

    packed->size = size;
    if (size > INT64_MAX)
        return error_from(err, VITRINE_EINTERNAL, EFBIG, "it cannot be read");
    if (pack_sparse(output, fd, size, packed, err) < 0)
        return -1;
    if (packed->inode)
        rc = sqfs_block_processor_end_file(output->processor);
    return rc == 0 ? 0 : output_fail(output, rc, err);
}

/* By the kernel, which on some file systems only shares the extents; returns how much was
 * copied, 0 if it cannot. */
static uint64_t copy_in_kernel(struct output *output, int fd, uint64_t position,
                               uint64_t size)
{
    off_t from = (off_t)position, to = (off_t)output->file.size;
    uint64_t done = 0;

    while (done < size) {
        size_t most = size - done < INT32_MAX ? (size_t)(size - done) : 1U << 30;
        ssize_t n = copy_file_range(fd, &from, output->file.fd, &to, most, 0);

        /* Whatever it is, reading and writing tells it better. */
        if (n <= 0)
            break;
        done += (uint64_t)n;
    }
    output->file.size += done;
    return done;
}

static int copy_piece(struct output *output, int fd, uint64_t position, uint64_t size,
                      struct vitrine_error *err)
{
    uint64_t done = copy_in_kernel(output, fd, position, size);

    while (done < size) {
        ssize_t n = read_some(fd, output->buf, size - done, position + done);

        if (n < 0)
            return vitrine_fail_sys(err, VITRINE_EINTERNAL, "the image cannot be read");
        if (n == 0)
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "the image became shorter while it was being read");
        if (output_append(output, output->buf, (size_t)n, err) < 0)
            return -1;
        done += (uint64_t)n;
    }
    return 0;
}

int output_copy(struct output *output, int fd, uint64_t position, uint64_t size,
                struct vitrine_error *err)
{
    uint64_t head = 0, tail = 0;

    /* Extents are shared by whole blocks: the caller has put the copy where the original
     * is, modulo their size. */
    if (size >= CLONE_MIN && position % CLONE_ALIGN == output->file.size % CLONE_ALIGN) {
        head = (CLONE_ALIGN - position % CLONE_ALIGN) % CLONE_ALIGN;
        tail = (position + size) % CLONE_ALIGN;
    }
    if (copy_piece(output, fd, position, head, err) < 0 ||
        copy_piece(output, fd, position + head, size - head - tail, err) < 0)
        return -1;
    return copy_piece(output, fd, position + size - tail, tail, err);
}
