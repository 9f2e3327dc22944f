/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_LAYERS_PLANT_H
#define VITRINE_LAYERS_PLANT_H

/* From what was merged to the tree whose metadata is written. */
#include "layers/merge.h"

int plant(struct entries *entries, const struct spot *root, struct merge_result *ret,
          struct vitrine_error *err);

#endif
