/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_ROOTFS_H
#define VITRINE_ROOTFS_ROOTFS_H

#include "base/error.h"
#include "vitrine.h"

/* All borrowed but `image`, which is consumed. */
struct rootfs_spec {
    int image;              /* the image as a detached mount */
    bool is_directory;      /* the image, so others may change it meanwhile */
    const char *image_name; /* for messages */
    bool host_mounts;       /* MountHost=auto */
    char *const *include, *const *exclude;
    size_t ninclude, nexclude;
    const struct vitrine_spec *wish; /* home, cwd, binds, PATH, identity */
};

/*
 * Makes the image, with what the host puts into it, the root of the calling process's
 * mount namespace, and tells the PATH that its tasks shall have. Runs in the builder.
 */
int rootfs_build(const struct rootfs_spec *spec, char *ret_path, size_t path_size,
                 struct vitrine_error *err);

#endif
