/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_TOLD_H
#define VITRINE_PLUGIN_TOLD_H

/* The options of a step, as slurmstepd is told them and as it tells them to steps within.
 */
#include "options.h"

#include <slurm/spank.h>

/* One of options_spellings; comes twice from 22.05. */
void told_option(int spelling, const char *value);

/* What counts of that and of the job's environment. Free it with options_free(). */
int told_resolve(spank_t sp, struct options *options, struct vitrine_error *err);

/*
 * In a task in a container: steps that it starts inherit its options, as those of a batch
 * script or of salloc do by Slurm itself. They join a named container, whatever had to be
 * done to start it, and are not saved: that is for the step which the user meant.
 */
void told_pass_on(spank_t sp, const struct options *options);

void told_free(void);

#endif
