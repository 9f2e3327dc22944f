/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_SKELETON_H
#define VITRINE_ROOTFS_SKELETON_H

/*
 * What the container has and the image lacks: mount points, files of /etc, links. They
 * are made in a layer that lies over the image, before the two become one overlay: no
 * copying up, no whiteouts, and the overlay can be read-only from the start.
 */
#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

struct skeleton {
    int image; /* root directory of the image, attached at `image_path` */
    const char *image_path;
    int layer; /* root directory of the layer, which nobody else writes */
    uid_t uid; /* owner of what the image lacks: root, or the user in a writable image */
    gid_t gid;
    /* Directories that may be searched may also be read in the layer, if not in the
     * image: an overlay that acts with the user's rights has to (it reads their
     * attributes). */
    bool searchable_is_readable;
};

/*
 * The directory that `path` will be in the container, symbolic links of the image
 * followed inside of it: made in the layer as far as missing, with the owner, mode and
 * time of the image's directories, or the owner's and 0755 where the image has none.
 * Returns a descriptor to create entries in; -ENOTDIR if the image has something else
 * there.
 */
neg_errno skeleton_dir(const struct skeleton *skeleton, const char *path);

/*
 * Where `path` leads in the container, also by links that lead to nothing in the image,
 * but perhaps to what will be mounted over it: by their text then.
 */
neg_errno skeleton_leads(const struct skeleton *skeleton, const char *path,
                         char buf[PATH_MAX]);

/* The mode of a directory in the layer over one with mode `image`. */
mode_t skeleton_mode(const struct skeleton *skeleton, mode_t image);

/*
 * Makes sure that a directory (S_IFDIR) or anything but one (S_IFREG) will be at `path`,
 * so that something can be mounted there. -ENOTDIR or -EISDIR if the image has the other.
 */
neg_errno skeleton_point(const struct skeleton *skeleton, const char *path, mode_t type);

/* Writes a file of the owner's, mode 0644, into a directory of the layer. */
neg_errno skeleton_file(const struct skeleton *skeleton, int dir, const char *name,
                        const char *text, size_t size);

#endif
