/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SENTINEL_H
#define VITRINE_SENTINEL_H

/*
 * A process that dies when Slurm kills the step. What slurmstepd waits for when all tasks
 * have ended may be no child of its own, so proctrack/linuxproc never kills it: scancel
 * would have no effect, and the node be drained as one that cannot end its jobs.
 */
#include <sys/types.h>

struct sentinel {
    pid_t pid;
    int fd; /* its other end is closed when the process dies; -1: there is none */
};

void sentinel_start(struct sentinel *ret);
void sentinel_end(struct sentinel *sentinel);

#endif
