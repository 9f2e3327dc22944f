/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_REPORT_H
#define VITRINE_PLUGIN_REPORT_H

/* The one place that knows which of Slurm's channels reaches whom. */
#include "vitrine.h"

/* In a task: one line on the task's own stderr, "vitrine: NODE: TEXT". */
void report_task(const char *node, const char *text);

/* In slurmstepd, once the tasks run: the same to the user, through Slurm's I/O. */
void report_step(const char *node, const char *text);

/* In srun, sbatch and salloc: one line on the terminal. */
void report_submit(const char *text);

/* To slurmd's log alone. */
void report_admin(const char *text);

#endif
