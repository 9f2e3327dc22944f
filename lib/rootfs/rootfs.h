/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_ROOTFS_H
#define VITRINE_ROOTFS_ROOTFS_H

#include "base/error.h"
#include "rootfs/inside.h"
#include "rootfs/shown.h"
#include "rootfs/usermounts.h"
#include "vitrine.h"

#include <limits.h>
#include <stdint.h>

/* Of what the root is made. */
enum rootfs_base {
    ROOTFS_IMAGE,    /* an image, under an overlay */
    ROOTFS_IN_PLACE, /* a directory, as it is: changes go into it */
    ROOTFS_SHARED,   /* the root of a container that runs already */
};

/* All borrowed but `mount` and `writable`, which are consumed. */
struct rootfs_spec {
    enum rootfs_base base;
    int mount;              /* detached: of the image, or of the root */
    bool is_directory;      /* the image, so others may change it meanwhile */
    const char *image_name; /* for messages */
    const char *image_path; /* the same without links and dots */
    const char *tag;        /* of the overlay in mountinfo */
    bool has_upper;         /* the overlay gets a writable layer: */
    int writable;           /* this detached mount, or a new tmpfs for -1, */
    const char *size;       /* of at most so many bytes, "" for half of the memory */
    bool read_only;         /* and even so nothing can be written */
    bool owned;             /* what the layer adds is the user's, not root's */
    uint32_t root_gids;     /* not 0: the builder is in the user's own namespace, as its
                               root, with so many group ids */
    bool private_tmp, private_ipc;
    struct shown_wish shown;
    struct usermounts_wish mounts;
    bool pyxis; /* for inside.h */
    int environ;
    const char *entrypoint_command;  /* where VITRINE_ENVIRON_COMMAND is shown, if the
                                        image's entry point shall be run */
    const struct vitrine_spec *wish; /* commands, environment, identity */
};

/*
 * Makes the image, with what the host puts into it, the root of the calling process's
 * mount namespace. Runs in the builder. *ret_upper is a descriptor of the upper layer if
 * there is one that is new.
 */
int rootfs_build(const struct rootfs_spec *spec, struct inside *ret, int *ret_upper,
                 struct vitrine_error *err);

#endif
