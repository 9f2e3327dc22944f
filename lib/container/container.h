/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONTAINER_CONTAINER_H
#define VITRINE_CONTAINER_CONTAINER_H

/* One preparation, from the wish to what is ready; for this folder alone. */
#include "config/config.h"
#include "container/fakeroot.h"
#include "container/imagemount.h"
#include "container/named.h"
#include "rootfs/rootfs.h"
#include "spec/mountspec.h"
#include "vitrine.h"

struct job {
    const struct config *config;
    const struct vitrine_spec *spec;
    /* What is chosen. */
    bool compat;       /* defaults as pyxis has them */
    bool read_only;    /* nothing can be written */
    bool private_root; /* by each task for itself */
    bool is_root;      /* tasks are a fake root */
    bool show_home;
    /* What follows from the image. */
    bool in_place;    /* the root is the directory itself */
    bool has_upper;   /* the overlay has a writable layer */
    bool owned;       /* all of the image belongs to the user */
    bool shares_root; /* with a container that runs */
    char *name;       /* absolute path of the image, for messages, */
    char *path; /* and without links and dots; of what is imported the user's text */
    char digest[VITRINE_DIGEST_MAX]; /* of what is imported; "" */
    int image_fd;
    struct imagemount image;
    struct fakeroot fakeroot;
    struct named named;
    struct mountspec *mounts;
    size_t nmounts;
    int *data; /* for each mount a detached one of its SquashFS, or -1: passed over, */
    bool data_by_fuse; /* one of them is served by FUSE */
    char remark[1024]; /* and why, the first one that is not silent */
    int writable;      /* detached mount with the upper layer, or -1: tmpfs */
    int upper;         /* the upper layer, when it is there */
    char tag[384];     /* of the overlay */
    struct inside inside;
    struct vitrine_container container;
};

#endif
