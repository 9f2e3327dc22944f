/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONTAINER_IMAGEMOUNT_H
#define VITRINE_CONTAINER_IMAGEMOUNT_H

/* From an open image to a mount of it: by the kernel, by FUSE, or of a directory. */
#include "config/config.h"
#include "image/fuse.h"
#include "image/probe.h"

/* All borrowed. */
struct imagemount_wish {
    const struct config *config;
    const char *name;             /* for messages */
    int server_log, server_alive; /* as fuse_serve() takes them, or -1 */
    /* Whose the files in the image are; NULL: as the image says. */
    const struct fuse_owners *owners;
    int user_ns;     /* with owners: a namespace that maps ids the same way */
    bool has_ranges; /* and more than id 0 */
    bool in_place;   /* a directory can be changed */
    bool imported;   /* it comes from a cache */
};

struct imagemount {
    int mount; /* detached */
    bool by_fuse;
    struct image_info info;
};

/* `image` is what lookup_image() opened. */
int imagemount_open(const struct imagemount_wish *wish, int image, struct imagemount *ret,
                    struct vitrine_error *err);

/* How an image looks that may have been replaced meanwhile: one line of text. */
int imagemount_print(int image, const struct image_info *info, char *buf, size_t size,
                     struct vitrine_error *err);

#define IMAGEMOUNT_PRINT 256

#endif
