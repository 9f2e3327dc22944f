/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_EPILOG_H
#define VITRINE_PLUGIN_EPILOG_H

/* The plugin at the end of a job, on each of its nodes, as root. */
#include <slurm/spank.h>

/* Removes the job's named containers, and those of jobs from before the last boot. Never
 * fails: that would drain the node. */
void epilog_run(spank_t sp, const char *config_path);

#endif
