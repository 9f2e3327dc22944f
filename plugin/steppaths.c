/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "steppaths.h"
#include "job.h"
#include "taskprolog.h"

#include <libgen.h>
#include <slurm/slurm.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Without needless slashes and dots: as Slurm writes PMIX_SERVER_TMPDIR, with a slash at
 * the end, with two in the middle if SlurmdSpoolDir ends with one. The library takes no
 * such path.
 */
static void squeeze(char *path)
{
    char *to = path;

    for (const char *from = path; *from;) {
        const char *name = from + strspn(from, "/");
        size_t n = strcspn(name, "/");

        if (n > 0 && !(n == 1 && name[0] == '.')) {
            *to++ = '/';
            memmove(to, name, n);
            to += n;
        }
        from = name + n;
    }
    *to = '\0';
}

static void add_path(struct steppaths *paths, const char *text, bool parent)
{
    if (!text || text[0] != '/' || strlen(text) >= PATH_MAX ||
        paths->count == STEPPATHS_MAX)
        return;
    char *copy = paths->text[paths->count];
    memcpy(copy, text, strlen(text) + 1);
    if (parent)
        (void)dirname(copy);
    squeeze(copy);
    paths->list[paths->count++] = copy;
    paths->list[paths->count] = NULL;
}

/* Not in Slurm's headers, but what its own PMIx plugin calls, in 22.05 and in 26.05. The
 * result is not freed: the task soon becomes another program. */
__attribute__((weak)) extern char *slurm_get_tmp_fs(char *node_name);

/* Where PMIx lets clients have files: Open MPI's session directory is there. Slurm makes
 * it before the tasks, and no variable names it. Its job and step are those of the name
 * space: in a heterogeneous job not the component's own. */
static void find_pmix_files(spank_t sp, const char *node, uid_t uid,
                            struct steppaths *ret)
{
    static const char prefix[] = "slurm.pmix.";
    char base[PATH_MAX], path[PATH_MAX], space[256];

    job_getenv(sp, "PMIX_NAMESPACE", space, sizeof(space), NULL);
    if (strncmp(space, prefix, strlen(prefix)) != 0)
        return;
    job_getenv(sp, "SLURM_PMIX_TMPDIR", base, sizeof(base), NULL);
    const char *tmp = base;
    if (!tmp[0] && &slurm_get_tmp_fs)
        tmp = slurm_get_tmp_fs((char *)node);
    if (!tmp)
        return;
    int len = snprintf(path, sizeof(path), "%s/spmix_appdir_%u_%s", tmp, (unsigned)uid,
                       space + strlen(prefix));
    if (len < (int)sizeof(path))
        add_path(ret, path, false);
}

void steppaths_binds(spank_t sp, const char *node, uid_t uid, struct steppaths *ret)
{
    static const char *const names[] = {"PMIX_SERVER_TMPDIR", "XAUTHORITY", "TMPDIR"};
    char value[PATH_MAX];

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        job_getenv(sp, names[i], value, sizeof(value), NULL);
        add_path(ret, value, false);
    }
    /* The last one; slurmstepd's own mode. If it cannot be, slurmstepd will say so. */
    if (value[0] == '/')
        (void)mkdir(value, 0700);
    find_pmix_files(sp, node, uid, ret);
}

void steppaths_files(spank_t sp, struct steppaths *ret)
{
    int argc = 0;
    char **argv = NULL;

    if (job_is_batch(sp) &&
        spank_get_item(sp, S_JOB_ARGV, &argc, &argv) == ESPANK_SUCCESS && argc > 0)
        add_path(ret, argv[0], true);
    /* slurmd tells its slurmstepd's so; the job's own variable may say anything. */
    add_path(ret, getenv("SLURM_CONF"), true);
    add_path(ret, "/etc/slurm", false);
}

/* The configuration that slurmstepd has read, of this release's own form. */
__attribute__((weak)) extern slurm_conf_t slurm_conf;

void steppaths_scripts(spank_t sp, struct steppaths *ret)
{
    char value[PATH_MAX];

    if (&slurm_conf)
        add_path(ret, slurm_conf.task_prolog, false);
    job_getenv(sp, TASKPROLOG_VARIABLE, value, sizeof(value), NULL);
    add_path(ret, value, false);
}
