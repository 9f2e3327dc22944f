/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_JOB_H
#define VITRINE_PLUGIN_JOB_H

/* What Slurm says of the job, as plain values. */
#include "vitrine.h"

#include <slurm/spank.h>
#include <stdint.h>

struct job_identity {
    struct vitrine_identity who;
    struct vitrine_group *groups;
    char *names; /* the memory of all texts */
};

/* Who the job runs as, with the host's names. Asks NSS: in slurmstepd, not in a task. */
int job_identity(spank_t sp, struct job_identity *ret, struct vitrine_error *err);
void job_identity_free(struct job_identity *identity);

/* A variable of the job's environment; "" if unset. At most `size` - 1 bytes. A longer
 * one is as good as unset, unless ret_too_long is given and set. */
void job_getenv(spank_t sp, const char *name, char *buf, size_t size, bool *ret_too_long);

uint32_t job_item(spank_t sp, spank_item_t item);
/* The step that holds a job's node open (PrologFlags=Contain): it runs no task. */
bool job_is_extern(spank_t sp);
bool job_is_batch(spank_t sp);

/* "JOB.STEP" as Slurm's commands write it: 12.0, 12.batch, 12.interactive. */
void job_step_name(spank_t sp, char *buf, size_t size);

/*
 * The partition as slurmctld knows it, which no user can forge: SLURM_JOB_PARTITION comes
 * from srun's environment. In task_init only (elsewhere it hangs or crashes on some
 * releases). Takes a few milliseconds.
 */
int job_partition(spank_t sp, char *buf, size_t size, struct vitrine_error *err);

/* When the job has to end, in seconds since 1970; 0: nobody says so. May ask slurmctld:
 * in a task only. */
int64_t job_end(spank_t sp);

/* Absolute paths of Slurm's commands, where this slurmstepd's release has them;
 * NULL-terminated. Not thread-safe. */
const char *const *job_commands(void);

/* Ends the step's tasks on all nodes: this one cannot take part. */
void job_kill_step(spank_t sp);

#endif
