/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_SIF_H
#define VITRINE_IMAGE_SIF_H

/* SIF, the file format of Singularity and Apptainer: where its system partition lies. */
#include "vitrine.h"

#include <stdint.h>

#define SIF_HEADER_SIZE     128
#define SIF_DESCRIPTOR_SIZE 585

struct sif_header {
    uint64_t table;       /* where the descriptors are in the file */
    uint32_t descriptors; /* how many of them: at most LIMIT_SIF_DESCRIPTORS */
};

struct sif_partition {
    uint64_t offset, size; /* inside of the file; size > 0 */
};

/* Whether the bytes begin like a SIF file. */
bool sif_has_magic(const uint8_t *data, size_t size);

/*
 * The following three leave in err a reason that goes behind "cannot use image X: ".
 *
 * sif_parse_header() checks the first SIF_HEADER_SIZE bytes of a file of file_size bytes.
 */
int sif_parse_header(const uint8_t *data, size_t size, uint64_t file_size,
                     struct sif_header *ret, struct vitrine_error *err);

/*
 * Finds the SquashFS primary system partition in the descriptor table, which holds
 * `descriptors` entries. Refuses one for an architecture that this node does not run.
 */
int sif_find_system(const uint8_t *table, uint32_t descriptors, uint64_t file_size,
                    struct sif_partition *ret, struct vitrine_error *err);

/* Both of them on an open file. */
int sif_read(int fd, uint64_t file_size, struct sif_partition *ret,
             struct vitrine_error *err);

#endif
