/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_ARCH_H
#define VITRINE_IMAGE_ARCH_H

/* Processor architectures: which an image is built for, and which this node runs. */
#include "vitrine.h"

#include <stdint.h>

struct arch {
    const char *name; /* as uname(2) says it; also behind "qemu-" in binfmt_misc */
    const char *sif;  /* code in a SIF file */
    uint16_t machine; /* e_machine */
    uint8_t class;    /* EI_CLASS */
    uint8_t data;     /* EI_DATA */
};

/* The architecture with a SIF code, or NULL. */
const struct arch *arch_by_sif(const char *code);

/* The architecture of an ELF file's first bytes, or NULL: no ELF, or one we do not know.
 */
const struct arch *arch_by_elf(const uint8_t *data, size_t size);

/* The architecture that this library is built for, as uname(2) says it. */
const char *arch_here(void);

/* Whether this node runs such programs, by itself or through binfmt_misc. */
bool arch_runs_here(const struct arch *arch);

/*
 * Looks at well-known programs in the root directory `root` of an image and fails with
 * VITRINE_EUNSUPPORTED if they are for another architecture. An image without any of them
 * passes. `name` serves the message only. Runs as the user.
 */
int image_check_arch(int root, const char *name, struct vitrine_error *err);

#endif
