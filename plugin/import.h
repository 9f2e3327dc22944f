/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_IMPORT_H
#define VITRINE_PLUGIN_IMPORT_H

/* In srun, sbatch and salloc, before anything is allocated: an image in a registry is
 * brought to the cache, and its digest pinned for the job. */
#include "options.h"

/* Set in the environment of a step that was asked for with -Q. */
#define IMPORT_QUIET "SLURM_VITRINE_QUIET"

/*
 * For the options that count; `config_path` as plugstack.conf says it, or NULL. On
 * failure there is no job. Adds to the environment, of which the job's is made.
 */
int import_early(const struct options *options, const char *config_path,
                 struct vitrine_error *err);

#endif
