/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGEFILE_IMAGEFILE_H
#define VITRINE_IMAGEFILE_IMAGEFILE_H

/* An image file that is open for our own reader: SquashFS, or SIF with it inside. */
#include "image/probe.h"
#include "image/sqfs.h"

struct imagefile {
    int fd;
    struct image_info info;
    struct sqfs fs;
};

/* `what` is what shall be done with it, for messages: "unpack". Must not be moved. */
int imagefile_open(struct imagefile *image, const char *path, const char *what,
                   struct vitrine_error *err);
void imagefile_close(struct imagefile *image);

#endif
