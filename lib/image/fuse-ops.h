/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_FUSE_OPS_H
#define VITRINE_IMAGE_FUSE_OPS_H

/* The FUSE server's answers. Thread-safe. */
#define FUSE_USE_VERSION 32
#include <fuse_lowlevel.h>

/* For a session whose user data is a struct sqfs. */
extern const struct fuse_lowlevel_ops fuse_ops;

#endif
