/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_SUBMIT_H
#define VITRINE_PLUGIN_SUBMIT_H

/* The plugin in srun, sbatch and salloc: runs as the user, before anything is allocated.
 */

/* The name of the environment variable that says where relative images are looked up. */
#define SUBMIT_DIRECTORY "SLURM_VITRINE_DIR"

/* What the steps of a job inherit, set by Slurm from the job's own --container-image. In
 * slurmstepd of 22.05 it is all that is left of the option after --export=NONE. */
#define SUBMIT_INHERITED "SLURM_SPANK__SLURM_SPANK_OPTION_vitrine_container_image"

void submit_init(void);
/* --container-image, once for each time that it is given or inherited. */
int submit_option(const char *value);
int submit_ready(void);

#endif
