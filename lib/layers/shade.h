/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_LAYERS_SHADE_H
#define VITRINE_LAYERS_SHADE_H

/*
 * What upper layers hide, so that the data of it is passed over when lower ones are read.
 * Goes by names alone, and not where symbolic links lead: what it says is almost always
 * true, and merge.c, which knows, asks again for what it is wrong about.
 */
#include "layers/spots.h"

struct shade {
    struct spots spots;
};

neg_errno shade_open(struct shade *shade);
void shade_close(struct shade *shade);

/* Paths are as entry.h has them: without empty components. Layers are numbered from 0,
 * the lowest, and told from the topmost down. */

/* Something at `path` in `layer`. */
neg_errno shade_add(struct shade *shade, unsigned layer, const char *path, bool is_dir);
/* Nothing of lower layers shows below the directory. */
neg_errno shade_add_opaque(struct shade *shade, unsigned layer, const char *path);
/* Whether a file at `path` in `layer` does not show in the end. */
bool shade_hides(const struct shade *shade, unsigned layer, const char *path);

#endif
