/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_INSIDE_H
#define VITRINE_ROOTFS_INSIDE_H

/* What tasks find inside, apart from files: environment, working directory, entry point.
 * Works for a root that is being built and for one that runs. */
#include "environ/searchpath.h"
#include "image/meta.h"
#include "vitrine.h"

#include <limits.h>

/* All borrowed. */
struct inside_spec {
    int root;               /* of the container, or of its image */
    const char *image_name; /* absolute path */
    bool pyxis;             /* Compat=pyxis */
    bool fake_root;
    bool show_home;
    const char *last; /* a directory that PATH has in any case, or NULL */
    searchpath_visible_f visible;
    void *arg;
    int environ; /* where the changes to the environment are written */
    const struct vitrine_spec *wish;
};

/* Holds no pointer. */
struct inside {
    bool pytorch;           /* Compat=pyxis, and the image is for PyTorch */
    char workdir[PATH_MAX]; /* where tasks start; "": where they are */
    char entrypoint[16384]; /* its arguments, each ended by a NUL, the last by two */
    char remark[1024];      /* what the user should know, or "" */
};

/* `meta` is what meta_read() said of the image. Adds to *ret, which begins as zeros. */
int inside_describe(const struct inside_spec *spec, const struct image_meta *meta,
                    struct inside *ret, struct vitrine_error *err);

/*
 * Notes in *ret if one of wish->scripts cannot run in the finished root, because its
 * interpreter is not there.
 */
void inside_check_scripts(int root, const struct inside_spec *spec, struct inside *ret);

#endif
