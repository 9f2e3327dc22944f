/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_TASKENV_H
#define VITRINE_PLUGIN_TASKENV_H

/* The environment of a step's tasks. */
#include "vitrine.h"

#include <slurm/spank.h>

/* Where Slurm keeps it, which is where spank_setenv() changes it. */
const char *const *taskenv_list(spank_t sp);

bool taskenv_has_pmix(spank_t sp);

/* The digest that was pinned for an image (or NULL) when the job was submitted; NULL:
 * none. Lives until the next call. */
const char *taskenv_pinned(spank_t sp, const char *image);

/* Makes the changes that the library has written to `changes`. */
int taskenv_change(spank_t sp, int changes, struct vitrine_error *err);

/* As pyxis does for images of PyTorch, whose launcher is then not needed. */
void taskenv_set_ranks(spank_t sp);

#endif
