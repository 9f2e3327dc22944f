/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <slurm/slurm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One entry of passwd or group: a group of thousands of members needs more than sysconf's
 * hint; what does not fit has no name inside. */
#define NSS_BUFFER (256UL * 1024)

static const char *find_group_name(gid_t gid, char *buf, size_t size)
{
    struct group entry, *found = NULL;

    return getgrgid_r(gid, &entry, buf, size, &found) == 0 && found ? found->gr_name
                                                                    : NULL;
}

static int fill_groups(struct job_identity *ret, const gid_t *gids, size_t count,
                       FILE *names, long *offsets)
{
    char *buf = malloc(NSS_BUFFER);

    if (!buf)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const char *name = find_group_name(gids[i], buf, NSS_BUFFER);

        ret->groups[i].gid = gids[i];
        offsets[i] = name ? ftell(names) : -1;
        if (name)
            (void)fwrite(name, 1, strlen(name) + 1, names);
    }
    free(buf);
    return 0;
}

static long put(FILE *names, const char *text)
{
    long at = ftell(names);

    (void)fwrite(text, 1, strlen(text) + 1, names);
    return at;
}

/* Texts first go to one growing buffer, by offset; pointers are made when it stands
 * still. */
static int fill(struct job_identity *ret, const gid_t *gids, size_t count)
{
    struct passwd entry, *found = NULL;
    size_t size;
    long user = -1, gecos = -1, home = -1, shell = -1;
    long *offsets = calloc(count + 1, sizeof(*offsets));
    char *buf = malloc(NSS_BUFFER);
    FILE *names = open_memstream(&ret->names, &size);
    int rc = -1;

    if (!offsets || !buf || !names)
        goto out;
    if (getpwuid_r(ret->who.uid, &entry, buf, NSS_BUFFER, &found) == 0 && found) {
        user = put(names, found->pw_name);
        gecos = put(names, found->pw_gecos ? found->pw_gecos : "");
        home = put(names, found->pw_dir);
        shell = put(names, found->pw_shell);
    }
    rc = fill_groups(ret, gids, count, names, offsets);
out:
    free(buf);
    if (names && fclose(names) != 0)
        rc = -1;
    if (rc == 0) {
        ret->who.user = user < 0 ? NULL : ret->names + user;
        ret->who.gecos = gecos < 0 ? NULL : ret->names + gecos;
        ret->who.home = home < 0 ? NULL : ret->names + home;
        ret->who.shell = shell < 0 ? NULL : ret->names + shell;
        for (size_t i = 0; i < count; i++)
            ret->groups[i].name = offsets[i] < 0 ? NULL : ret->names + offsets[i];
    }
    free(offsets);
    return rc;
}

int job_identity(spank_t sp, struct job_identity *ret, struct vitrine_error *err)
{
    gid_t *supplementary = NULL;
    int nsupplementary = 0;

    *ret = (struct job_identity){0};
    if (spank_get_item(sp, S_JOB_UID, &ret->who.uid) != ESPANK_SUCCESS ||
        spank_get_item(sp, S_JOB_GID, &ret->who.gid) != ESPANK_SUCCESS)
        return vitrine_fail(err, VITRINE_EINTERNAL, "Slurm does not tell the job's user");
    (void)spank_get_item(sp, S_JOB_SUPPLEMENTARY_GIDS, &supplementary, &nsupplementary);

    size_t count = 1;
    gid_t *gids = calloc((size_t)nsupplementary + 1, sizeof(*gids));
    ret->groups = calloc((size_t)nsupplementary + 1, sizeof(*ret->groups));
    if (gids && ret->groups) {
        gids[0] = ret->who.gid;
        for (int i = 0; i < nsupplementary; i++)
            if (supplementary[i] != ret->who.gid)
                gids[count++] = supplementary[i];
    }
    int rc = gids && ret->groups ? fill(ret, gids, count) : -1;
    free(gids);
    if (rc < 0) {
        job_identity_free(ret);
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    }
    ret->who.groups = ret->groups;
    ret->who.ngroups = count;
    return 0;
}

void job_identity_free(struct job_identity *identity)
{
    free(identity->groups);
    free(identity->names);
    *identity = (struct job_identity){0};
}

void job_getenv(spank_t sp, const char *name, char *buf, size_t size, bool *ret_too_long)
{
    spank_err_t rc = spank_getenv(sp, name, buf, (int)size);

    if (ret_too_long)
        *ret_too_long = rc == ESPANK_NOSPACE;
    if (rc != ESPANK_SUCCESS)
        buf[0] = '\0';
}

uint32_t job_item(spank_t sp, spank_item_t item)
{
    uint32_t value = 0;

    return spank_get_item(sp, item, &value) == ESPANK_SUCCESS ? value : 0;
}

bool job_is_extern(spank_t sp)
{
    return job_item(sp, S_JOB_STEPID) == SLURM_EXTERN_CONT;
}

bool job_is_batch(spank_t sp)
{
    return job_item(sp, S_JOB_STEPID) == SLURM_BATCH_SCRIPT;
}

/* The shell that salloc starts on a node (LaunchParameters=use_interactive_step). */
static bool is_interactive(spank_t sp)
{
    return job_item(sp, S_JOB_STEPID) == SLURM_INTERACTIVE_STEP;
}

void job_step_name(spank_t sp, char *buf, size_t size)
{
    uint32_t job = job_item(sp, S_JOB_ID), step = job_item(sp, S_JOB_STEPID);

    if (job_is_batch(sp) || is_interactive(sp))
        (void)snprintf(buf, size, "%u.%s", job,
                       job_is_batch(sp) ? "batch" : "interactive");
    else
        (void)snprintf(buf, size, "%u.%u", job, step);
}

/* Both calls take a slurm_step_id_t in place of numbers on newer releases. */
static int kill_step(uint32_t job, uint32_t step)
{
#if SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(25, 11, 0)
    slurm_step_id_t id = SLURM_STEP_ID_INITIALIZER;

    id.job_id = job;
    id.step_id = step;
    return slurm_signal_job_step(&id, SIGKILL);
#else
    return slurm_signal_job_step(job, step, SIGKILL);
#endif
}

static int load_job(uint32_t job, job_info_msg_t **ret)
{
#if SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(26, 5, 0)
    slurm_step_id_t id = SLURM_STEP_ID_INITIALIZER;

    id.job_id = job;
    return slurm_load_job(ret, id, SHOW_ALL);
#else
    return slurm_load_job(ret, job, SHOW_ALL);
#endif
}

int job_partition(spank_t sp, char *buf, size_t size, struct vitrine_error *err)
{
    job_info_msg_t *reply = NULL;
    uint32_t id = job_item(sp, S_JOB_ID);
    int rc = -1;

    if (load_job(id, &reply) != SLURM_SUCCESS || !reply)
        return vitrine_fail(err, VITRINE_EPOLICY,
                            "cannot ask slurmctld for the job's partition, which decides "
                            "whether an image is required: %s",
                            slurm_strerror(errno));
    for (uint32_t i = 0; i < reply->record_count && rc < 0; i++) {
        const char *name = reply->job_array[i].partition;

        if (reply->job_array[i].job_id == id && name && strlen(name) < size) {
            memcpy(buf, name, strlen(name) + 1);
            rc = 0;
        }
    }
    slurm_free_job_info_msg(reply);
    if (rc < 0)
        return vitrine_fail(err, VITRINE_EPOLICY, "slurmctld does not know job %u", id);
    return 0;
}

int64_t job_end(spank_t sp)
{
    job_info_msg_t *reply = NULL;
    uint32_t id = job_item(sp, S_JOB_ID);
    int64_t end = 0;
    char text[32];

    /* In the environment of 23.02 and later. */
    job_getenv(sp, "SLURM_JOB_END_TIME", text, sizeof(text), NULL);
    end = strtoll(text, NULL, 10);
    if (end > 0 || load_job(id, &reply) != SLURM_SUCCESS || !reply)
        return end;
    for (uint32_t i = 0; i < reply->record_count; i++)
        if (reply->job_array[i].job_id == id)
            end = reply->job_array[i].end_time;
    slurm_free_job_info_msg(reply);
    return end;
}

const char *const *job_commands(void)
{
    static const char *const names[] = {
        "sacct",   "sacctmgr", "salloc",   "sattach", "sbatch", "sbcast",
        "scancel", "scontrol", "scrontab", "sdiag",   "sinfo",  "sprio",
        "squeue",  "sreport",  "srun",     "sshare",  "sstat",  "strigger",
    };
    enum { COUNT = sizeof(names) / sizeof(*names) };
    static char paths[COUNT][PATH_MAX];
    static const char *list[COUNT + 1];
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    /* PREFIX/sbin/slurmstepd, PREFIX/bin/srun */
    if (n <= 0)
        return NULL;
    self[n] = '\0';
    const char *prefix = dirname(dirname(self));
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(paths[i], sizeof(paths[i]), "%s/bin/%s", prefix, names[i]);
        list[i] = paths[i];
    }
    return list;
}

void job_kill_step(spank_t sp)
{
    /* A batch script has no other node; an error leaves the other nodes' tasks alone, as
     * they are when a task fails. */
    if (!job_is_batch(sp))
        (void)kill_step(job_item(sp, S_JOB_ID), job_item(sp, S_JOB_STEPID));
}
