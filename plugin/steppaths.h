/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_STEPPATHS_H
#define VITRINE_PLUGIN_STEPPATHS_H

/* The host paths of this very step that its container must show. */
#include <limits.h>
#include <slurm/spank.h>
#include <stddef.h>
#include <sys/types.h>

#define STEPPATHS_MAX 8

struct steppaths {
    char text[STEPPATHS_MAX][PATH_MAX];
    const char *list[STEPPATHS_MAX + 1]; /* NULL-terminated */
    size_t count;
};

/*
 * What the job's environment names: its PMI server, its TMPDIR, its X11 cookie, which the
 * user may have set to anything. Makes the TMPDIR, as slurmstepd would later and could
 * not inside. Runs as the user.
 */
void steppaths_binds(spank_t sp, const char *node, uid_t uid, struct steppaths *ret);

/* What Slurm itself names: the batch script, and its configuration for its commands. */
void steppaths_files(spank_t sp, struct steppaths *ret);

/* Scripts that Slurm runs as the task, before it: TaskProlog, and srun's. */
void steppaths_scripts(spank_t sp, struct steppaths *ret);

#endif
