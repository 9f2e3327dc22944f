/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_USERMOUNTS_H
#define VITRINE_ROOTFS_USERMOUNTS_H

/*
 * The mounts that a user asks for. They are made in the order in which he gave them,
 * after those that every container has: of two at one place the later one is seen.
 */
#include "rootfs/plan.h"
#include "rootfs/skeleton.h"
#include "spec/mountspec.h"

/* All borrowed, and for as long as the usermounts live. */
struct usermounts_wish {
    const struct mountspec *list;
    size_t count;
    const char *cwd, *home; /* where relative sources start; home may be NULL */
    const int *trees;       /* for each entry that is a MOUNTSPEC_SQUASHFS its detached
                               mount, or -1 where there is none and it may be missing
                               (nofail); NULL if there is no such entry */
};

struct usermount {
    const struct mountspec *spec;
    char *target;
    int tree;    /* detached mount, or -1: of an umount, or passed over */
    mode_t type; /* of the tree's root: S_IFDIR, or S_IFREG for all else */
    bool passed_over;
};

struct usermounts {
    struct usermount *entries;
    size_t count;
    char remark[1024]; /* why an entry with nofail was passed over, the first one that is
                          not silent; "" without */
};

/*
 * While the host is in sight: opens all sources as the user, who has CAP_SYS_ADMIN in the
 * namespace and no other capability, and gives them the flags. Free *ret also on failure.
 */
int usermounts_open(const struct usermounts_wish *wish, struct usermounts *ret,
                    struct vitrine_error *err);
void usermounts_free(struct usermounts *mounts);

/*
 * Makes the mount points that the image lacks in the layer, with the rights that
 * skeleton_point() takes. Not those that will lie in what the plan or an earlier mount
 * shows: they are made by usermounts_attach(), with the user's own rights.
 */
int usermounts_points(struct usermounts *mounts, const struct skeleton *skeleton,
                      const struct plan *plan, struct vitrine_error *err);

/*
 * Mounts them below `root`, the container's root before it is pivoted to, in which the
 * plan's trees are attached; the host's /proc is still in sight. As the user with
 * CAP_SYS_ADMIN and no other capability.
 */
int usermounts_attach(struct usermounts *mounts, int root, struct vitrine_error *err);

/*
 * Whether `path` (absolute, normalised) lies in a bind or a SquashFS that no later entry
 * covers or takes away: there the user's PATH may lead. By the text of the targets alone.
 */
bool usermounts_shows(const struct usermounts *mounts, const char *path);

#endif
