/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_LAYERS_BUILD_H
#define VITRINE_LAYERS_BUILD_H

/*
 * Layers to a SquashFS file, without unpacking them to a disk: decompressed (inflate.c),
 * read by libarchive (layer.c), merged from the topmost down (merge.c), so that the data
 * of what an upper layer hides is passed over, and handed to libsquashfs while they still
 * arrive. Each stage has a thread of its own; memory is bounded. The same layers and
 * configuration give the same bytes, whatever the number of threads.
 */
#include "source/source.h"

#include <stdint.h>

struct build {
    struct source *source;
    const struct manifest *manifest;
    const char *config; /* becomes /.vitrine/config; layers cannot replace it */
    size_t config_size;
    const char *config_json; /* becomes /.vitrine/config.json */
    size_t config_json_size;
    unsigned threads; /* 0: as many as this process may use */
    const struct vitrine_watch *watch;
};

/* Writes to `fd`, an empty file open for reading and writing, in the calling thread;
 * does not sync it. */
int build_image(const struct build *build, int fd, struct vitrine_error *err);

#endif
