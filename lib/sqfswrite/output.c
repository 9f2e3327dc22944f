/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user. */
#include "sqfswrite/output.h"
#include "base/fd.h"
#include "image/bytes.h"
#include "image/squashfs.h"
#include "sqfswrite/blocks.h"
#include "sqfswrite/compressor.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <sqfs/error.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* For speed, as somebody waits for the file. On two cores a Debian system of 235
 * MB takes 0.5 s with zstd's 3, 1 s with 6, and more than 10 with 15, which is the
 * default of libsquashfs and mksquashfs; the result is 8 % larger. Likewise gzip's 6
 * takes a fifth of the time of 9, and xz's 2 a third of that of 6. */
#define LEVEL_ZSTD 3
#define LEVEL_GZIP 6
#define LEVEL_XZ   2

/* Blocks that are on their way, for each thread, but not more memory than this, as it is
 * the job's. */
#define BACKLOG        8U
#define BACKLOG_MEMORY (64U * 1024 * 1024)

/* Compressing more at a time would take memory that nobody expects. */
#define THREADS_MAX 64U

static int file_read(sqfs_file_t *base, sqfs_u64 offset, void *buf, size_t size)
{
    struct output_file *file = (struct output_file *)base;
    int rc = fd_pread_full(file->fd, buf, size, (off_t)offset);

    if (rc < 0)
        file->error = -rc;
    return rc < 0 ? SQFS_ERROR_IO : 0;
}

static int file_write(sqfs_file_t *base, sqfs_u64 offset, const void *buf, size_t size)
{
    struct output_file *file = (struct output_file *)base;
    const uint8_t *data = buf;

    while (size > 0) {
        ssize_t n = pwrite(file->fd, data, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            file->error = n < 0 ? errno : ENOSPC;
            return SQFS_ERROR_IO;
        }
        data += n;
        offset += (sqfs_u64)n;
        size -= (size_t)n;
    }
    if (offset > file->size)
        file->size = offset;
    return 0;
}

static sqfs_u64 file_size(const sqfs_file_t *base)
{
    return ((const struct output_file *)base)->size;
}

static int file_truncate(sqfs_file_t *base, sqfs_u64 size)
{
    struct output_file *file = (struct output_file *)base;

    if (ftruncate(file->fd, (off_t)size) < 0) {
        file->error = errno;
        return SQFS_ERROR_IO;
    }
    file->size = size;
    return 0;
}

int output_fail(const struct output *output, int rc, struct vitrine_error *err)
{
    switch (rc) {
    case SQFS_ERROR_IO:
        return error_from(err, VITRINE_EINTERNAL, output->file.error,
                          "the new file cannot be written");
    case SQFS_ERROR_ALLOC:
        return error_from(err, VITRINE_EINTERNAL, ENOMEM, "there are too many files");
    case SQFS_ERROR_OVERFLOW:
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "it has more owners (or attributes) than SquashFS can hold");
    default:
        return vitrine_fail(err, VITRINE_EINTERNAL, "libsquashfs failed (%d)", rc);
    }
}

/* xz is told the largest dictionary when it unpacks, so ours must not be larger. */
static uint32_t xz_dictionary(const struct output_format *format)
{
    uint32_t size = format->block_size;

    if (format->options_size >= 2 + 4 && le32(format->options + 2) < size)
        size = le32(format->options + 2);
    return size < SQUASHFS_METADATA ? SQUASHFS_METADATA : size;
}

static int make_compressor(struct output *output, bool unpack, sqfs_compressor_t **ret)
{
    const struct output_format *format = &output->format;
    sqfs_compressor_config_t config;
    int rc;

    if (format->compressor == SQUASHFS_LZO || format->compressor == SQUASHFS_LZ4) {
        *ret = format->compressor == SQUASHFS_LZO
                   ? compressor_lzo(format->block_size, unpack)
                   : compressor_lz4(format->block_size, unpack);
        return *ret ? 0 : SQFS_ERROR_ALLOC;
    }
    rc = sqfs_compressor_config_init(&config, format->compressor, format->block_size,
                                     unpack ? SQFS_COMP_FLAG_UNCOMPRESS : 0);
    if (rc != 0)
        return rc;
    if (format->compressor == SQUASHFS_ZSTD)
        config.level = LEVEL_ZSTD;
    if (format->compressor == SQUASHFS_GZIP)
        config.level = LEVEL_GZIP;
    if (format->compressor == SQUASHFS_XZ) {
        config.level = LEVEL_XZ;
        config.opt.xz.dict_size = xz_dictionary(format);
    }
    return sqfs_compressor_create(&config, ret);
}

/* Behind the superblock, which is written last. */
static int write_options(struct output *output)
{
    const struct output_format *format = &output->format;
    int rc;

    output->file.size = SQUASHFS_SUPER_SIZE;
    if (format->options_size > 0) {
        output->has_options = true;
        return file_write(&output->file.base, SQUASHFS_SUPER_SIZE, format->options,
                          format->options_size);
    }
    /* An image without them may have blocks of any dictionary up to the block size. */
    if (format->compressor == SQUASHFS_XZ)
        return 0;
    rc = output->pack->write_options(output->pack, &output->file.base);
    output->has_options = rc > 0;
    return rc < 0 ? rc : 0;
}

unsigned output_threads(void)
{
    cpu_set_t cpus;
    unsigned n = 1;

    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
        n = (unsigned)CPU_COUNT(&cpus);
    return n < THREADS_MAX ? n : THREADS_MAX;
}

static int make_processor(struct output *output, unsigned threads)
{
    unsigned most = BACKLOG_MEMORY / output->format.block_size;
    sqfs_block_processor_desc_t desc = {
        .size = sizeof(desc),
        .max_block_size = output->format.block_size,
        .num_workers = threads,
        .max_backlog = threads * BACKLOG < most ? threads * BACKLOG : most,
        .cmp = output->pack,
        .wr = output->writer,
        .tbl = output->fragments,
        /* Without these two equal hashes of 32 bits were enough to be the same tail. */
        .file = &output->file.base,
        .uncmp = output->unpack,
    };

    return sqfs_block_processor_create_ex(&desc, &output->processor);
}

int output_open(struct output *output, int fd, const struct output_format *format,
                unsigned threads, struct vitrine_error *err)
{
    int rc;

    memset(output, 0, sizeof(*output));
    output->file = (struct output_file){
        .base = {.read_at = file_read,
                 .write_at = file_write,
                 .get_size = file_size,
                 .truncate = file_truncate},
        .fd = fd,
    };
    output->format = *format;
    rc = make_compressor(output, false, &output->pack);
    if (rc == 0)
        rc = make_compressor(output, true, &output->unpack);
    if (rc == SQFS_ERROR_UNSUPPORTED || rc == SQFS_ERROR_ARG_INVALID)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "this node's libsquashfs cannot compress with %s as the "
                            "image does",
                            squashfs_compressor_name(format->compressor));
    if (rc != 0)
        return output_fail(output, rc, err);
    rc = write_options(output);
    if (rc != 0)
        return output_fail(output, rc, err);
    output->writer = blocks_new(&output->file.base);
    output->fragments = sqfs_frag_table_create(0);
    output->ids = sqfs_id_table_create(0);
    output->xattrs = sqfs_xattr_writer_create(0);
    output->buf = malloc(OUTPUT_BUFFER);
    if (!output->writer || !output->fragments || !output->ids || !output->xattrs ||
        !output->buf)
        return output_fail(output, SQFS_ERROR_ALLOC, err);
    rc = make_processor(output, threads);
    /* The user's limits may not allow so many. */
    while (rc == SQFS_ERROR_INTERNAL && threads > 1) {
        threads /= 2;
        rc = make_processor(output, threads);
    }
    if (rc == SQFS_ERROR_INTERNAL)
        return vitrine_fail(err, VITRINE_EINTERNAL,
                            "no thread can be started (too many processes?)");
    return rc == 0 ? 0 : output_fail(output, rc, err);
}

void output_close(struct output *output)
{
    /* libsquashfs loses the memory of blocks that are on their way. */
    if (output->processor && !output->flushed) {
        (void)sqfs_block_processor_end_file(output->processor);
        (void)sqfs_block_processor_finish(output->processor);
    }
    sqfs_destroy(output->processor);
    sqfs_destroy(output->writer);
    sqfs_destroy(output->fragments);
    sqfs_destroy(output->ids);
    sqfs_destroy(output->xattrs);
    sqfs_destroy(output->pack);
    sqfs_destroy(output->unpack);
    free(output->buf);
    memset(output, 0, sizeof(*output));
}

int output_flush(struct output *output, struct vitrine_error *err)
{
    int rc = sqfs_block_processor_finish(output->processor);

    output->flushed = rc == 0;
    return rc == 0 ? 0 : output_fail(output, rc, err);
}

int output_append(struct output *output, const void *data, size_t size,
                  struct vitrine_error *err)
{
    int rc = file_write(&output->file.base, output->file.size, data, size);

    return rc == 0 ? 0 : output_fail(output, rc, err);
}
