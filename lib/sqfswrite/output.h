/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SQFSWRITE_OUTPUT_H
#define VITRINE_SQFSWRITE_OUTPUT_H

/* The file that is written, and the parts of libsquashfs that fill it. */
#include "base/error.h"
#include "sqfswrite/tree.h"

#include <sqfs/block_processor.h>
#include <sqfs/block_writer.h>
#include <sqfs/compressor.h>
#include <sqfs/frag_table.h>
#include <sqfs/id_table.h>
#include <sqfs/io.h>
#include <sqfs/xattr_writer.h>

#define OUTPUT_BUFFER ((size_t)1024 * 1024)

/* Compressor options take 8 bytes; what is far larger is damaged. */
#define OUTPUT_OPTIONS_MAX 64U

struct output_format {
    unsigned compressor; /* enum squashfs_compressor */
    uint32_t block_size;
    /* The base's options of its compressor, with their header; a reader needs them to
     * unpack the blocks that are copied from it. */
    uint8_t options[OUTPUT_OPTIONS_MAX];
    size_t options_size; /* 0: none */
};

/* First, so that libsquashfs' pointer is ours. */
struct output_file {
    sqfs_file_t base;
    int fd;
    uint64_t size;
    int error; /* errno of what failed */
};

struct output {
    struct output_file file;
    struct output_format format;
    bool has_options;
    sqfs_compressor_t *pack, *unpack;
    sqfs_block_writer_t *writer;
    sqfs_block_processor_t *processor;
    sqfs_frag_table_t *fragments;
    sqfs_id_table_t *ids;
    sqfs_xattr_writer_t *xattrs;
    uint8_t *buf; /* OUTPUT_BUFFER bytes */
    bool flushed;
    /* Asked by output_pack() after so many bytes whether to go on (-1: no); NULL: yes.
     * Set it after output_open(). */
    int (*look)(void *arg, size_t bytes, struct vitrine_error *err);
    void *look_arg;
};

/* Begins to write to `fd`, an empty file open for reading and writing; the caller closes
 * both, also after a failure, when what was packed must still be there. `output` need not
 * be zeroed. */
int output_open(struct output *output, int fd, const struct output_format *format,
                unsigned threads, struct vitrine_error *err);
void output_close(struct output *output);

/* What a function of libsquashfs returned, as an error. */
int output_fail(const struct output *output, int rc, struct vitrine_error *err);

/*
 * Reads `size` bytes of the regular file `fd`, but for its holes, and has them
 * compressed: by other threads, and *packed is used by them until output_flush(). Texts
 * do not name the file.
 */
int output_pack(struct output *output, int fd, uint64_t size, struct tree_packed *packed,
                struct vitrine_error *err);

/* The same for content that arrives in pieces, one file at a time; begun with
 * output_begin(), and ended when pieces and holes make up its size. */
struct output_stream {
    struct output *output;
    struct tree_packed *packed;
    uint64_t size;
    uint64_t position; /* of what was given to libsquashfs or is among packed->holes */
    uint64_t hole;     /* bytes behind it that were skipped */
};

void output_begin(struct output_stream *stream, struct output *output, uint64_t size,
                  struct tree_packed *packed);
int output_add(struct output_stream *stream, const void *data, size_t size,
               struct vitrine_error *err);
/* A hole: costs nothing, however large. */
int output_skip(struct output_stream *stream, uint64_t size, struct vitrine_error *err);
int output_end(struct output_stream *stream, struct vitrine_error *err);

/* Whether SquashFS has a place for it, and it is not one of overlayfs' own, which nobody
 * in a container sees. */
bool output_has_xattr(const char *name);
/* A set of attributes; *ret is for tree_node.xattr, and the same for equal sets. */
int output_begin_xattrs(struct output *output, struct vitrine_error *err);
int output_add_xattr(struct output *output, const char *name, const void *value,
                     size_t size, struct vitrine_error *err);
int output_end_xattrs(struct output *output, uint32_t *ret, struct vitrine_error *err);

/* As many threads as this process may run at a time, within reason. */
unsigned output_threads(void);

/* Waits until all that was packed is written. */
int output_flush(struct output *output, struct vitrine_error *err);

/* Writes at the file's end. */
int output_append(struct output *output, const void *data, size_t size,
                  struct vitrine_error *err);
/* Copies a range of another file to the end. */
int output_copy(struct output *output, int fd, uint64_t position, uint64_t size,
                struct vitrine_error *err);

#endif
