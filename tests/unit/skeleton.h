/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_SKELETON_H
#define VITRINE_TESTS_SKELETON_H

/* An image and a layer as two directories of the test's tree, for rootfs/skeleton.h. */
#include "child.h"
#include "rootfs/skeleton.h"
#include "tree.h"

static struct skeleton skeleton = {.image = -1, .layer = -1};

static inline void skeleton_make(void)
{
    static char image_path[128];

    tree_make();
    (void)snprintf(image_path, sizeof(image_path), "%s/image", tree_path);
    ck_assert_int_eq(mkdirat(tree, "image", 0755), 0);
    ck_assert_int_eq(mkdirat(tree, "layer", 0755), 0);
    skeleton.image = openat(tree, "image", O_PATH | O_DIRECTORY | O_CLOEXEC);
    skeleton.image_path = image_path;
    skeleton.layer = openat(tree, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert(skeleton.image >= 0 && skeleton.layer >= 0);
}

static inline void skeleton_remove(void)
{
    (void)close(skeleton.image);
    (void)close(skeleton.layer);
    tree_remove();
}

/* For the next row of a table. */
static inline void skeleton_renew(void)
{
    skeleton_remove();
    skeleton_make();
}

#endif
