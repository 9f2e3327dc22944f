/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_STEPD_H
#define VITRINE_PLUGIN_STEPD_H

/* The plugin in slurmstepd and in the tasks that it forks, in the order of the calls. */
#include <slurm/spank.h>

/* What is read where plugstack.conf says nothing. */
#define STEPD_CONFIG "/etc/slurm/vitrine.conf"

/* Root, once per node and step. Cannot fail: what is wrong is kept for stepd_task(). */
void stepd_decide(spank_t sp, const char *config_path);
/* Root, in each task: keeps the privilege that stepd_task() takes. */
void stepd_task_privileged(spank_t sp);
/* The user, in each task: prepares or joins the container. Ends the task if it cannot. */
void stepd_task(spank_t sp);
/* Root, in slurmstepd, for each task that has ended, and at last. */
void stepd_task_ended(spank_t sp);
void stepd_end(spank_t sp);

#endif
