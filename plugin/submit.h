/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_SUBMIT_H
#define VITRINE_PLUGIN_SUBMIT_H

/* The plugin in srun, sbatch and salloc: runs as the user, before anything is allocated.
 */
#include <stddef.h>

/* The name of the environment variable that says where relative images are looked up. */
#define SUBMIT_DIRECTORY "SLURM_VITRINE_DIR"

/*
 * The name of the variable that Slurm sets from a job's option, one of options_spellings,
 * and from which its steps inherit. In slurmstepd of 22.05 it is all that is left of the
 * option after --export=NONE.
 */
#define SUBMIT_INHERITED_MAX 96
void submit_inherited(int spelling, char name[SUBMIT_INHERITED_MAX]);

void submit_init(void);
/* An option, once for each time that it is given or inherited. */
int submit_option(int spelling, const char *value);
/* All options of the command, or of a component of it, are known; `config_path` is what
 * plugstack.conf says, or NULL. */
int submit_ready(const char *config_path);

#endif
