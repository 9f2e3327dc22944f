/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_PROBE_H
#define VITRINE_IMAGE_PROBE_H

/* What kind of image a descriptor refers to, by its content alone. */
#include "vitrine.h"

#include <stdint.h>

enum image_kind {
    IMAGE_DIRECTORY,
    IMAGE_SQUASHFS, /* a file that is a SquashFS file system */
    IMAGE_SIF,      /* a file that contains one */
};

/* Holds no pointer but to constants; all but `kind` is zero for a directory. */
struct image_info {
    enum image_kind kind;
    uint64_t offset; /* of the SquashFS file system in the file */
    uint64_t size;   /* its bytes; offset + size is within the file */
    uint32_t block_size;
    uint16_t compressor; /* enum squashfs_compressor */
    const char *compressor_name;
    /* Whether Linux can mount it from a loop device, apart from any question of trust:
     * the device ends at a multiple of 512 bytes, where mksquashfs -nopad does not, and
     * the kernel refuses blocks smaller than its pages. FUSE serves these too. */
    bool mountable;
};

/*
 * Examines `fd`, which the user opened O_RDONLY; `name` serves messages only. The image
 * itself is not checked further than needed to know that all of it is there. Runs as the
 * user; changes neither the descriptor's position nor anything else.
 */
int image_probe(int fd, const char *name, struct image_info *ret,
                struct vitrine_error *err);

#endif
