/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_TASKPROLOG_H
#define VITRINE_PLUGIN_TASKPROLOG_H

#include <stddef.h>

/*
 * The value of the last --task-prolog in srun's command line, of which `words` are `size`
 * bytes as /proc/PID/cmdline has them: only before its word number `command`, where the
 * program begins that it runs, unless several programs are separated by ":". NULL: none.
 */
const char *taskprolog_find(const char *words, size_t size, int command);

/* In srun, when its options are known: tells slurmstepd, which has no way to ask for it,
 * by STEPPATHS_TASK_PROLOG in the environment. In sbatch and salloc there is nothing to
 * tell.
 */
void taskprolog_tell(void);

#endif
