/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Content that arrives in pieces on its way into the output. Runs as the user. */
#include "sqfswrite/output.h"

#include <errno.h>
#include <sqfs/block.h>
#include <sqfs/error.h>

void output_begin(struct output_stream *stream, struct output *output, uint64_t size,
                  struct tree_packed *packed)
{
    *stream = (struct output_stream){.output = output, .packed = packed, .size = size};
    packed->size = size;
}

/* More bytes would make a file whose inode says less than there is. */
static int check_room(const struct output_stream *stream, uint64_t size,
                      struct vitrine_error *err)
{
    if (size <= stream->size - stream->position - stream->hole)
        return 0;
    return vitrine_fail(err, VITRINE_EINTERNAL, "it is larger than it should be");
}

static int give(struct output_stream *stream, const void *data, size_t size)
{
    struct output *output = stream->output;
    struct tree_packed *packed = stream->packed;
    int rc = 0;

    if (!packed->inode)
        rc = sqfs_block_processor_begin_file(
            output->processor, &packed->inode, NULL,
            stream->size > output->format.block_size ? SQFS_BLK_DONT_FRAGMENT : 0);
    if (rc == 0)
        rc = sqfs_block_processor_append(output->processor, data, size);
    stream->position += size;
    return rc;
}

static int give_zeros(struct output_stream *stream, uint64_t size)
{
    static const uint8_t zeros[4096];
    int rc = 0;

    stream->hole -= size;
    while (rc == 0 && size > 0) {
        size_t n = size < sizeof(zeros) ? (size_t)size : sizeof(zeros);

        rc = give(stream, zeros, n);
        size -= n;
    }
    return rc;
}

/* What was skipped, of which libsquashfs sees only what is no whole block. */
static int settle_hole(struct output_stream *stream)
{
    uint32_t block_size = stream->output->format.block_size;
    uint64_t rest = (block_size - stream->position % block_size) % block_size, blocks;
    bool is_last = stream->position + stream->hole == stream->size;
    int rc;

    if (stream->hole < rest || stream->size <= block_size)
        return give_zeros(stream, stream->hole);
    rc = give_zeros(stream, rest);
    /* A hole at the end of the file has all of the last block. */
    blocks = (stream->hole + (is_last ? block_size - 1 : 0)) / block_size;
    if (rc != 0 || blocks == 0)
        return rc == 0 ? give_zeros(stream, stream->hole) : rc;
    if (tree_add_hole(stream->packed, stream->position / block_size, blocks) < 0)
        return SQFS_ERROR_ALLOC;
    uint64_t skipped = is_last ? stream->hole : blocks * block_size;
    stream->position += skipped;
    stream->hole -= skipped;
    return give_zeros(stream, stream->hole);
}

int output_add(struct output_stream *stream, const void *data, size_t size,
               struct vitrine_error *err)
{
    int rc = 0;

    if (check_room(stream, size, err) < 0)
        return -1;
    if (stream->hole > 0 && size > 0)
        rc = settle_hole(stream);
    if (rc == 0 && size > 0)
        rc = give(stream, data, size);
    return rc == 0 ? 0 : output_fail(stream->output, rc, err);
}

int output_skip(struct output_stream *stream, uint64_t size, struct vitrine_error *err)
{
    if (check_room(stream, size, err) < 0)
        return -1;
    stream->hole += size;
    return 0;
}

int output_end(struct output_stream *stream, struct vitrine_error *err)
{
    int rc = 0;

    if (stream->position + stream->hole != stream->size)
        return vitrine_fail(err, VITRINE_EINTERNAL, "it is shorter than it should be");
    if (stream->hole > 0)
        rc = settle_hole(stream);
    if (rc == 0 && stream->packed->inode)
        rc = sqfs_block_processor_end_file(stream->output->processor);
    return rc == 0 ? 0 : output_fail(stream->output, rc, err);
}
