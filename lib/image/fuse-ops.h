/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_FUSE_OPS_H
#define VITRINE_IMAGE_FUSE_OPS_H

/* The FUSE server's answers. Thread-safe. */
#define FUSE_USE_VERSION 32
#include <fuse_lowlevel.h>

#include "image/fuse-owners.h"
#include "image/sqfs.h"

struct fuse_served {
    struct sqfs fs;
    const struct fuse_owners *owners; /* NULL: as in the image */
};

/* For a session whose user data is a struct fuse_served. */
extern const struct fuse_lowlevel_ops fuse_ops;

#endif
