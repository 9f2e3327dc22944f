/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What slurmstepd does for a step. Nothing fails before stepd_task(): an error of an
 * earlier callback drains the node or lets srun exit with 0, depending on the release,
 * and its text does not reach the user. So errors are kept until a task can tell them.
 */
#include "stepd.h"
#include "import.h"
#include "job.h"
#include "leader.h"
#include "options.h"
#include "report.h"
#include "sentinel.h"
#include "steppaths.h"
#include "submit.h"
#include "taskenv.h"
#include "told.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Within this time nodes of one step find out that they cannot use its image. */
#define OTHERS_FAIL_MS 200

static struct {
    bool active; /* the step is, or may have to be, in a container */
    bool failed; /* with `err` */
    bool told_of_server;
    uint32_t ended;         /* tasks */
    bool interrupted;       /* one of them was killed */
    char job[16], name[32]; /* its number, and with the step's */
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

    if (vitrine_config_load(config_path ? config_path : STEPD_CONFIG, config_path != NULL,
                            &step.config, err) < 0 ||
        told_resolve(sp, &step.chosen, err) < 0)
        return -1;
    job_getenv(sp, "SLURM_JOB_PARTITION", partition, sizeof(partition), NULL);
    const char *image = vitrine_config_image(step.config, partition, &required);
    step.active = !stays_on_host(image) || vitrine_config_has_required(step.config);
    if (!step.active)
        return 0;
    step.leader = leader_new(err);
    if (!step.leader || job_identity(sp, &step.identity, err) < 0)
        return -1;
    (void)snprintf(step.job, sizeof(step.job), "%u", job_item(sp, S_JOB_ID));
    job_step_name(sp, step.name, sizeof(step.name));
    return step.chosen.container ? vitrine_make_room(step.config, step.identity.who.uid,
                                                     step.identity.who.gid, step.job, err)
                                 : 0;
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

/* Whether the image may be one of a cache, which has to know how long it is needed. */
static bool is_imported(const char *image)
{
    enum vitrine_image_kind kind;

    return image && vitrine_image_check(image, &kind, NULL) == 0 &&
           (kind == VITRINE_IMAGE_IMPORTED || kind == VITRINE_IMAGE_NAME);
}

static int prepare(spank_t sp, const char *image, const char *cwd,
                   struct vitrine_container *ret, struct vitrine_error *err)
{
    static struct steppaths binds, files, scripts;
    char typed[PATH_MAX], submitted[PATH_MAX], quiet[8];
    const char *search[4] = {NULL};
    size_t n = 0;

    job_getenv(sp, SUBMIT_DIRECTORY, typed, sizeof(typed), NULL);
    job_getenv(sp, "SLURM_SUBMIT_DIR", submitted, sizeof(submitted), NULL);
    steppaths_binds(sp, node(sp), step.identity.who.uid, &binds);
    steppaths_files(sp, &files);
    steppaths_scripts(sp, &scripts);
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
        .scripts = scripts.list,
        .environ = taskenv_list(sp),
        .job = step.job,
        .step = step.name,
        .server_log = leader_server_log(step.leader),
        .identity = step.identity.who,
    };
    options_fill(&step.chosen, &spec);
    spec.image = image;
    spec.image_digest = taskenv_pinned(sp, image);
    if (is_imported(image))
        spec.until = job_end(sp);
    job_getenv(sp, IMPORT_QUIET, quiet, sizeof(quiet), NULL);
    spec.talk = quiet[0] ? VITRINE_TALK_NOT : VITRINE_TALK_LINES;
    /* PMIx compares user ids and refuses a fake root: by default nobody is one there. */
    if (spec.remap_root == VITRINE_UNSET && taskenv_has_pmix(sp))
        spec.remap_root = VITRINE_NO;
    /* Once per step, and not once per node. */
    if (job_item(sp, S_JOB_NODEID) != 0)
        spec.save = NULL;
    return vitrine_prepare(step.config, &spec, ret, leader_ready(step.leader), err);
}

/* Each task has a container of its own. */
static bool is_private(void)
{
    struct vitrine_spec spec = {0};

    options_fill(&step.chosen, &spec);
    return spec.root == VITRINE_ROOT_PRIVATE;
}

/* The leader's whole work, under the lock; leaves the state decided. With containers for
 * each task everyone is a leader, and the state is decided only by a failure. */
static enum leader_state lead(spank_t sp, const char *cwd, struct vitrine_container *ret)
{
    struct vitrine_error err = {0};
    const char *image = NULL;
    bool host = false;
    int rc = settle_image(sp, &host, &image, &err);

    if (rc == 0 && host) {
        leader_decide_host(step.leader);
        return LEADER_HOST;
    }
    if (rc == 0)
        rc = prepare(sp, image, cwd, ret, &err);
    if (rc == 0 && !is_private())
        rc = leader_publish(step.leader, ret, &err);
    if (rc == 0) {
        if (leader_ready(step.leader)->remark[0])
            report_task(node(sp), leader_ready(step.leader)->remark);
        return LEADER_READY;
    }
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

/* The same for a task that failed alone: tasks that have not entered yet fail with it,
 * and of those that have, and fail as well, one tells why. */
static void fail_alone(spank_t sp, const struct vitrine_error *err)
{
    if (leader_enter(step.leader) != LEADER_FAILED) {
        report_task(node(sp), err->text);
        leader_fail(step.leader, err);
    }
    leader_leave(step.leader);
    give_up();
}

/* Where the user wants to be he must be; where he was he may be missed. */
static void change_directory(spank_t sp, const char *wanted, const char *cwd)
{
    struct vitrine_error err = {0};

    if (wanted[0] && chdir(wanted) < 0) {
        (void)vitrine_fail_sys(&err, VITRINE_EUSAGE,
                               "cannot change to the working directory %s in the "
                               "container",
                               wanted);
        fail_alone(sp, &err);
    }
    if (wanted[0] || chdir(cwd) == 0)
        return;
    (void)vitrine_fail(&err, VITRINE_OK,
                       "the working directory %s is not in the container (%s); using /",
                       cwd, strerror(errno));
    report_task(node(sp), err.text);
}

static void enter(spank_t sp, struct vitrine_container *container,
                  const struct vitrine_ready *ready, const char *cwd)
{
    struct vitrine_error err;

    if (vitrine_join(container, ready, &err) < 0 ||
        taskenv_change(sp, container->fd[VITRINE_FD_ENVIRON], &err) < 0)
        fail_alone(sp, &err);
    if (ready->pytorch)
        taskenv_set_ranks(sp);
    vitrine_close(container);
    change_directory(sp, ready->workdir, cwd);
    told_pass_on(sp, &step.chosen);
}

/* Waits for the container, or makes it. Of what is shared with other tasks the caller
 * gets a copy. */
static enum leader_state await(spank_t sp, const char *cwd, struct vitrine_container *ret,
                               struct vitrine_ready *ret_ready)
{
    struct vitrine_error err;
    enum leader_state state = leader_enter(step.leader);
    bool mine = state == LEADER_NONE;

    if (mine)
        state = lead(sp, cwd, ret);
    if (state == LEADER_READY)
        *ret_ready = *leader_ready(step.leader);
    leader_leave(step.leader);
    if (state == LEADER_READY && !mine && leader_take(step.leader, ret, &err) < 0)
        fail_alone(sp, &err);
    return state;
}

/* On the host, where a step of a contained script must find what belongs there. */
static void leave(spank_t sp)
{
    struct vitrine_error err = {0};
    char image[PATH_MAX];

    job_getenv(sp, "VITRINE_IMAGE", image, sizeof(image), NULL);
    if (image[0]) {
        int changes = memfd_create("environ", MFD_CLOEXEC);

        if (changes < 0 || vitrine_environ_restore(taskenv_list(sp), changes, &err) < 0 ||
            taskenv_change(sp, changes, &err) < 0)
            report_admin(err.text);
        (void)close(changes);
    }
    tell_of_useless(sp);
}

void stepd_task(spank_t sp)
{
    static struct vitrine_container container;
    static struct vitrine_ready ready;
    char cwd[PATH_MAX];
    struct vitrine_error err;

    if (!step.active) {
        leave(sp);
        return;
    }
    if (step.failed) {
        if (job_item(sp, S_TASK_ID) == 0)
            report_task(node(sp), step.err.text);
        give_up();
    }
    if (!getcwd(cwd, sizeof(cwd)))
        cwd[0] = '\0';
    switch (await(sp, cwd, &container, &ready)) {
    case LEADER_READY:
        enter(sp, &container, &ready, cwd[0] ? cwd : "/");
        break;
    case LEADER_FAILED:
        give_up();
        break;
    case LEADER_HOST:
    case LEADER_NONE:
        if (vitrine_drop_privilege(&err) < 0)
            fail_alone(sp, &err);
        leave(sp);
    }
}

static void tell_of_dead_server(spank_t sp)
{
    const struct vitrine_ready *ready = leader_ready(step.leader);
    char words[256];
    struct vitrine_error err;

    if (step.told_of_server || !leader_server_died(step.leader))
        return;
    step.told_of_server = true;
    leader_server_words(step.leader, words, sizeof(words));
    if (ready->by_fuse)
        (void)vitrine_fail(
            &err, VITRINE_OK,
            "the server of image %s ended before the step did (killed, or out of "
            "memory?); tasks could no longer read the image%s%s",
            ready->image, words[0] ? ": " : "", words);
    else
        (void)vitrine_fail(
            &err, VITRINE_OK,
            "the server of what --container-mounts has from SquashFS files ended before "
            "the step did (killed, or out of memory?); tasks could no longer read that");
    report_step(node(sp), err.text);
}

/* After the node's last task: its work is done, if it was not ended by others. */
static void save(spank_t sp)
{
    struct vitrine_container container;
    struct sentinel sentinel = {.fd = -1};
    struct vitrine_error err;

    if (!step.chosen.values[OPTION_SAVE].text ||
        leader_outcome(step.leader) != LEADER_READY ||
        leader_take(step.leader, &container, &err) < 0)
        return;
    if (container.fd[VITRINE_FD_SAVE] < 0) {
        vitrine_close(&container);
        return;
    }
    if (step.interrupted)
        (void)vitrine_fail(&err, VITRINE_OK,
                           "the container is not saved to %s, because a task was killed",
                           step.chosen.values[OPTION_SAVE].text);
    else
        sentinel_start(&sentinel);
    if (step.interrupted || vitrine_save(&container, sentinel.fd, &err) < 0)
        report_step(node(sp), err.text);
    sentinel_end(&sentinel);
    vitrine_close(&container);
}

static void note_end(spank_t sp)
{
    int status = 0;

    if (spank_get_item(sp, S_TASK_EXIT_STATUS, &status) == ESPANK_SUCCESS &&
        WIFSIGNALED(status) &&
        (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM))
        step.interrupted = true;
}

void stepd_task_ended(spank_t sp)
{
    if (!step.leader || step.failed)
        return;
    note_end(sp);
    tell_of_dead_server(sp);
    if (++step.ended < job_item(sp, S_JOB_LOCAL_TASK_COUNT))
        return;
    save(sp);
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
