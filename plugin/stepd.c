/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What slurmstepd does for a step. Nothing fails before stepd_task(): an error of an
 * earlier callback drains the node or lets srun exit with 0, depending on the release,
 * and its text does not reach the user. So errors are kept until a task can tell them.
 */
#include "stepd.h"
#include "job.h"
#include "leader.h"
#include "options.h"
#include "report.h"
#include "submit.h"
#include "told.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Within this time nodes of one step find out that they cannot use its image. */
#define OTHERS_FAIL_MS 200

static struct {
    bool active; /* the step is, or may have to be, in a container */
    bool failed; /* with `err` */
    bool told_of_server;
    uint32_t ended; /* tasks */
    struct options chosen;
    struct vitrine_config *config;
    struct leader *leader;
    struct job_identity identity;
    struct vitrine_error err;
} step;

/* Slurm's name for this node; it knows it once the tasks run. */
static const char *node(spank_t sp)
{
    static char name[256];

    job_getenv(sp, "SLURMD_NODENAME", name, sizeof(name), NULL);
    if (!name[0] && gethostname(name, sizeof(name) - 1) < 0)
        name[0] = '\0';
    return name;
}

/* Whether the tasks shall stay on the host, where the administrator has this image (NULL:
 * none) for them. */
static bool stays_on_host(const char *image)
{
    return options_want_host(&step.chosen) ||
           (!options_want_container(&step.chosen) && !image);
}

static int decide(spank_t sp, const char *config_path, struct vitrine_error *err)
{
    char partition[256];
    bool required = false;

    if (vitrine_config_load(config_path ? config_path : "/etc/slurm/vitrine.conf",
                            config_path != NULL, &step.config, err) < 0 ||
        told_resolve(sp, &step.chosen, err) < 0)
        return -1;
    job_getenv(sp, "SLURM_JOB_PARTITION", partition, sizeof(partition), NULL);
    const char *image = vitrine_config_image(step.config, partition, &required);
    step.active = !stays_on_host(image) || vitrine_config_has_required(step.config);
    if (!step.active)
        return 0;
    step.leader = leader_new(err);
    return step.leader ? job_identity(sp, &step.identity, err) : -1;
}

void stepd_decide(spank_t sp, const char *config_path)
{
    if (job_is_extern(sp))
        return;
    if (decide(sp, config_path, &step.err) < 0) {
        step.active = step.failed = true;
        report_admin(step.err.text);
    }
}

void stepd_task_privileged(spank_t sp)
{
    if (!step.active || step.failed)
        return;
    /* proctrack/linuxproc spares what is called slurmstepd, which a task is until its
     * exec: scancel, or the end of the step on another node, must not miss a task that
     * still prepares its container. */
    (void)prctl(PR_SET_NAME, "vitrine-task", 0L, 0L, 0L);
    if (vitrine_keep_privilege(&step.err) < 0)
        step.failed = true;
}

/* Whether this step has a container, and its image, by the user's choice and the
 * administrator's rules; NULL: the one of the container that the user named. The leader's
 * work, since it may have to ask slurmctld. */
static int settle_image(spank_t sp, bool *ret_host, const char **ret,
                        struct vitrine_error *err)
{
    const struct option_value *asked = &step.chosen.values[OPTION_IMAGE];
    char partition[256];
    bool required = false;

    job_getenv(sp, "SLURM_JOB_PARTITION", partition, sizeof(partition), NULL);
    if (vitrine_config_has_required(step.config) &&
        job_partition(sp, partition, sizeof(partition), err) < 0)
        return -1;
    const char *image = vitrine_config_image(step.config, partition, &required);
    if (required && asked->text && strcmp(asked->text, image) != 0)
        return vitrine_fail(
            err, VITRINE_EPOLICY,
            "%s asks for %s, but partition %s requires image %s: remove it",
            asked->said_by, asked->text, partition, image);
    *ret_host = stays_on_host(image);
    if (asked->text)
        *ret = asked->text;
    else
        *ret = required || !options_want_container(&step.chosen) ? image : NULL;
    return 0;
}

/* One line for a user whose options have no effect, from one task of the step. */
static void tell_of_useless(spank_t sp)
{
    char text[1024];

    if (job_item(sp, S_TASK_GLOBAL_ID) == 0 &&
        options_useless(&step.chosen, text, sizeof(text)))
        report_task(node(sp), text);
}

/* Host paths of this very step. */
#define STEP_BINDS 8

struct paths {
    char text[STEP_BINDS][PATH_MAX];
    const char *list[STEP_BINDS + 1];
    size_t count;
};

/* As Slurm writes PMIX_SERVER_TMPDIR: with a slash at the end, with two in the middle if
 * SlurmdSpoolDir ends with one. The library takes no such path. */
static void squeeze_slashes(char *path)
{
    char *to = path;

    for (const char *from = path; *from; from++)
        if (*from != '/' || (from[1] && from[1] != '/'))
            *to++ = *from;
    *to = '\0';
}

static void add_path(struct paths *paths, const char *text, bool parent)
{
    if (!text || text[0] != '/' || strlen(text) >= PATH_MAX || paths->count == STEP_BINDS)
        return;
    char *copy = paths->text[paths->count];
    memcpy(copy, text, strlen(text) + 1);
    if (parent)
        (void)dirname(copy);
    squeeze_slashes(copy);
    paths->list[paths->count++] = copy;
    paths->list[paths->count] = NULL;
}

/* Not in Slurm's headers, but what its own PMIx plugin calls, in 22.05 and in 26.05. The
 * result is not freed: the task soon becomes another program. */
__attribute__((weak)) extern char *slurm_get_tmp_fs(char *node_name);

/* Where PMIx lets clients have files: Open MPI's session directory is there. Slurm makes
 * it before the tasks, and no variable names it. Its job and step are those of the name
 * space: in a heterogeneous job not the component's own. */
static void find_pmix_files(spank_t sp, struct paths *ret)
{
    static const char prefix[] = "slurm.pmix.";
    char base[PATH_MAX], path[PATH_MAX], space[256];

    job_getenv(sp, "PMIX_NAMESPACE", space, sizeof(space), NULL);
    if (strncmp(space, prefix, strlen(prefix)) != 0)
        return;
    job_getenv(sp, "SLURM_PMIX_TMPDIR", base, sizeof(base), NULL);
    const char *tmp = base;
    if (!tmp[0] && &slurm_get_tmp_fs)
        tmp = slurm_get_tmp_fs((char *)node(sp));
    if (!tmp)
        return;
    int len = snprintf(path, sizeof(path), "%s/spmix_appdir_%u_%s", tmp,
                       (unsigned)step.identity.who.uid, space + strlen(prefix));
    if (len < (int)sizeof(path))
        add_path(ret, path, false);
}

/* What the job's environment names: its PMI server, its TMPDIR, its X11 cookie. The user
 * may have set these to anything. */
static void find_binds(spank_t sp, struct paths *ret)
{
    static const char *const names[] = {"PMIX_SERVER_TMPDIR", "TMPDIR", "XAUTHORITY"};
    char value[PATH_MAX];

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        job_getenv(sp, names[i], value, sizeof(value), NULL);
        add_path(ret, value, false);
    }
    find_pmix_files(sp, ret);
}

/* What Slurm itself names: the batch script, and its configuration for its commands. */
static void find_files(spank_t sp, struct paths *ret)
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

static int prepare(spank_t sp, const char *image, const char *cwd,
                   struct vitrine_error *err)
{
    static char path[VITRINE_PATH_ENV_MAX];
    static struct paths binds, files;
    char venv[PATH_MAX], typed[PATH_MAX], submitted[PATH_MAX];
    const char *search[4] = {NULL};
    bool too_long;
    size_t n = 0;

    job_getenv(sp, "PATH", path, sizeof(path), &too_long);
    if (too_long)
        return vitrine_fail(err, VITRINE_EUSAGE, "PATH is longer than %zu bytes",
                            sizeof(path) - 1);
    job_getenv(sp, "VIRTUAL_ENV", venv, sizeof(venv), NULL);
    job_getenv(sp, SUBMIT_DIRECTORY, typed, sizeof(typed), NULL);
    job_getenv(sp, "SLURM_SUBMIT_DIR", submitted, sizeof(submitted), NULL);
    find_binds(sp, &binds);
    find_files(sp, &files);
    if (typed[0])
        search[n++] = typed;
    if (cwd[0])
        search[n++] = cwd;
    if (submitted[0])
        search[n++] = submitted;

    struct vitrine_spec spec = {
        .search = search,
        .cwd = cwd,
        .binds = binds.list,
        .host_files = files.list,
        .host_commands = job_commands(),
        .path = path,
        .venv = venv[0] ? venv : NULL,
        .server_log = leader_server_log(step.leader),
        .identity = step.identity.who,
    };
    options_fill(&step.chosen, &spec);
    spec.image = image;
    int ns;
    if (vitrine_prepare(step.config, &spec, &ns, leader_ready(step.leader), err) < 0)
        return -1;
    int rc = leader_publish(step.leader, ns, err);
    (void)close(ns);
    return rc;
}

/* The leader's whole work, under the lock; leaves the state decided. */
static enum leader_state lead(spank_t sp, const char *cwd)
{
    struct vitrine_error err = {0};
    const char *image = NULL;
    bool host = false;
    int rc = settle_image(sp, &host, &image, &err);

    if (rc == 0 && host) {
        leader_decide_host(step.leader);
        return LEADER_HOST;
    }
    if (rc == 0 && prepare(sp, image, cwd, &err) == 0)
        return LEADER_READY;
    char words[256];
    leader_server_words(step.leader, words, sizeof(words));
    if (words[0])
        (void)vitrine_fail(&err, err.code, "cannot use image %s: %s",
                           image ? image : step.chosen.container, words);
    report_task(node(sp), err.text);
    leader_fail(step.leader, &err);
    return LEADER_FAILED;
}

/* Never returns. The exit code is 1, whatever the plugin stack says of errors. */
static void give_up(void)
{
    _exit(1);
}

/* The same for a task that failed alone: tasks that have not entered yet fail with it. */
static void fail_alone(spank_t sp, const struct vitrine_error *err)
{
    report_task(node(sp), err->text);
    (void)leader_enter(step.leader);
    leader_fail(step.leader, err);
    leader_leave(step.leader);
    give_up();
}

static void enter(spank_t sp, const char *cwd)
{
    struct vitrine_error err;
    const struct vitrine_ready *ready = leader_ready(step.leader);
    int ns = leader_take_ns(step.leader, &err);

    if (ns < 0 || vitrine_join(ns, &err) < 0)
        fail_alone(sp, &err);
    (void)close(ns);
    if (chdir(cwd) < 0) {
        (void)vitrine_fail(
            &err, VITRINE_OK,
            "the working directory %s is not in the container (%s); using /", cwd,
            strerror(errno));
        report_task(node(sp), err.text);
    }
    if (spank_setenv(sp, "PATH", ready->path, 1) != ESPANK_SUCCESS) {
        (void)vitrine_fail(&err, VITRINE_EINTERNAL, "cannot set PATH");
        fail_alone(sp, &err);
    }
    told_pass_on(sp, &step.chosen);
}

void stepd_task(spank_t sp)
{
    char cwd[PATH_MAX];
    struct vitrine_error err;

    if (!step.active) {
        tell_of_useless(sp);
        return;
    }
    if (step.failed) {
        if (job_item(sp, S_TASK_ID) == 0)
            report_task(node(sp), step.err.text);
        give_up();
    }
    if (!getcwd(cwd, sizeof(cwd)))
        cwd[0] = '\0';
    enum leader_state state = leader_enter(step.leader);
    if (state == LEADER_NONE)
        state = lead(sp, cwd);
    leader_leave(step.leader);
    if (state == LEADER_READY) {
        enter(sp, cwd[0] ? cwd : "/");
    } else if (state == LEADER_FAILED) {
        give_up();
    } else {
        if (vitrine_drop_privilege(&err) < 0)
            fail_alone(sp, &err);
        tell_of_useless(sp);
    }
}

static void tell_of_dead_server(spank_t sp)
{
    char words[256];
    struct vitrine_error err;

    if (step.told_of_server || !leader_server_died(step.leader))
        return;
    step.told_of_server = true;
    leader_server_words(step.leader, words, sizeof(words));
    (void)vitrine_fail(
        &err, VITRINE_OK,
        "the server of image %s ended before the step did (killed, or out of "
        "memory?); tasks could no longer read the image%s%s",
        leader_ready(step.leader)->image, words[0] ? ": " : "", words);
    report_step(node(sp), err.text);
}

void stepd_task_ended(spank_t sp)
{
    if (!step.leader || step.failed)
        return;
    tell_of_dead_server(sp);
    if (++step.ended == job_item(sp, S_JOB_LOCAL_TASK_COUNT))
        leader_release(step.leader);
}

static bool has_failed(void)
{
    return step.failed || (step.leader && leader_outcome(step.leader) == LEADER_FAILED);
}

void stepd_end(spank_t sp)
{
    /* The tasks of other nodes must not wait for those of this one. Only now, and not at
     * once: srun has the exit code of this node's tasks, which the signal would replace,
     * and nodes that fail for the same reason have told so. */
    if (has_failed() && job_item(sp, S_JOB_NNODES) > 1) {
        (void)poll(NULL, 0, OTHERS_FAIL_MS);
        job_kill_step(sp);
    }
    leader_free(step.leader);
    step.leader = NULL;
    job_identity_free(&step.identity);
    vitrine_config_free(step.config);
    step.config = NULL;
    options_free(&step.chosen);
    told_free();
}
