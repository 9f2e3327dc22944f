/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_LAYERS_INFLATE_H
#define VITRINE_LAYERS_INFLATE_H

/*
 * Layers as they are stored to the archives that they are: gzip (with ISA-L if that was
 * there when Vitrine was built, which is three times as fast as zlib), zstd, or plain.
 * Runs as the user; the bytes are hostile. Memory is bounded: 128 MiB for a zstd frame
 * that wants such a window, a few hundred KiB otherwise.
 */
#include "registry/manifest.h"

/* The stored bytes: as source_ops.read (source.h). */
struct inflate_input {
    int (*read)(void *arg, const void **ret_data, size_t *ret_size,
                struct vitrine_error *err);
    void *arg;
};

struct inflate;

/* The first bytes count where they contradict `compression`, but for MANIFEST_PLAIN. */
struct inflate *inflate_open(enum manifest_compression compression,
                             const struct inflate_input *input,
                             struct vitrine_error *err);
/*
 * Fills `buf`; less than `space` only at the end. What comes behind the last member or
 * frame (padding) is read and passed over, so at the end the input has been read to its
 * own end, and its digest is known.
 */
int inflate_read(struct inflate *inflate, void *buf, size_t space, size_t *ret_size,
                 struct vitrine_error *err);
void inflate_close(struct inflate *inflate);

#endif
