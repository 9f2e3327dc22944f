/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The conductor: from what the user wants to namespaces that tasks can join. Runs as the
 * user, in a process that holds capabilities in reserve (privileged/caps.h).
 */
#include "container/container.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "container/config-api.h"
#include "container/entrypoint.h"
#include "container/saver.h"
#include "container/start.h"
#include "namespace/seccomp.h"
#include "privileged/caps.h"
#include "privileged/userns.h"

#include <string.h>
#include <sys/utsname.h>

/* What nobody has said is as the administrator wants it. */
static void choose(struct job *job)
{
    const struct vitrine_spec *spec = job->spec;
    bool compat = job->config->compat == CONFIG_COMPAT_PYXIS;
    enum vitrine_root root = spec->root;

    if (root == VITRINE_ROOT_UNSET)
        root = compat || spec->container ? VITRINE_ROOT_WRITABLE : VITRINE_ROOT_READONLY;
    job->compat = compat;
    job->read_only = root == VITRINE_ROOT_READONLY;
    job->private_root = root == VITRINE_ROOT_PRIVATE;
    job->is_root =
        spec->identity.uid != 0 &&
        (spec->remap_root == VITRINE_YES ||
         (spec->remap_root == VITRINE_UNSET && compat && job->config->remap_root));
    job->show_home =
        spec->mount_home == VITRINE_YES || (spec->mount_home == VITRINE_UNSET && !compat);
}

static int check_together(const struct job *job, struct vitrine_error *err)
{
    if (job->is_root && !job->config->remap_root)
        return vitrine_fail(err, VITRINE_EPOLICY,
                            "--container-remap-root is not allowed on this node "
                            "(RemapRoot=no in vitrine.conf)");
    if (job->private_root && job->spec->container)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "a named container is the same for all tasks: "
                            "--container-writable=task cannot be had with it");
    if (job->private_root && job->spec->save)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "with --container-writable=task there is a container for "
                            "each task: none of them can be saved");
    return 0;
}

/* Linux 5.14 is the floor: what is missing on an older one is named by its version. */
static int check_kernel(struct vitrine_error *err)
{
    struct utsname uts;
    char *end;

    if (uname(&uts) < 0)
        return 0;
    long major_nr = strtol(uts.release, &end, 10);
    long minor_nr = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    if (major_nr > 5 || (major_nr == 5 && minor_nr >= 14))
        return 0;
    return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                        "this node's kernel %s is too old: containers need Linux 5.14",
                        uts.release);
}

static int run_entrypoint(struct job *job, const struct vitrine_ready *ready,
                          struct vitrine_error *err)
{
    const struct entrypoint entrypoint = {
        .container = &job->container,
        .ready = ready,
        .args = job->inside.entrypoint,
        .environ = job->spec->environ,
        .cwd = job->spec->cwd,
        .log = job->spec->entrypoint_log,
    };

    if (job->named.runs || !job->inside.entrypoint[0])
        return 0;
    return entrypoint_run(&entrypoint, err);
}

static void tell(const struct job *job, struct vitrine_ready *ret)
{
    *ret = (struct vitrine_ready){
        .by_fuse = job->image.by_fuse,
        .mounts_by_fuse = job->data_by_fuse,
        .fake_root = job->is_root,
        .fake_ids = job->is_root && !job->fakeroot.has_ranges,
        .pytorch = job->inside.pytorch,
    };
    memcpy(ret->remark, job->inside.remark, sizeof(ret->remark));
    (void)snprintf(ret->image, sizeof(ret->image), "%s", job->name);
    memcpy(ret->workdir, job->inside.workdir, sizeof(ret->workdir));
}

static void job_close(struct job *job)
{
    int *const fds[] = {&job->image_fd, &job->image.mount, &job->writable, &job->upper,
                        &job->fakeroot.user_ns};

    for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
        if (*fds[i] >= 0)
            (void)close(*fds[i]);
    for (size_t i = 0; job->data && i < job->nmounts; i++)
        if (job->data[i] >= 0)
            (void)close(job->data[i]);
    free(job->data);
    mountspec_free(job->mounts, job->nmounts);
    vitrine_close(&job->container);
    named_close(&job->named);
    free(job->name);
    free(job->path);
}

int vitrine_prepare(const struct vitrine_config *config, const struct vitrine_spec *spec,
                    struct vitrine_container *ret, struct vitrine_ready *ret_ready,
                    struct vitrine_error *err)
{
    cleanup_free struct job *job = calloc(1, sizeof(*job));
    int rc = caps_lower();

    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot drop capabilities");
    if (!job)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    *job = (struct job){.config = config_of(config),
                        .spec = spec,
                        .image_fd = -1,
                        .image.mount = -1,
                        .writable = -1,
                        .upper = -1,
                        .fakeroot.user_ns = -1,
                        .named = NAMED_NONE};
    for (int i = 0; i < VITRINE_FDS; i++)
        job->container.fd[i] = -1;
    choose(job);
    if (check_kernel(err) < 0 || check_together(job, err) < 0 ||
        start_container(job, err) < 0)
        rc = -1;
    else
        tell(job, ret_ready);
    if (rc == 0 && run_entrypoint(job, ret_ready, err) == 0 &&
        saver_start(job, err) == 0 && start_record(job, err) == 0 &&
        named_started(&job->named, err) == 0) {
        job->container.fd[VITRINE_FD_LOCK] = steal_fd(&job->named.lock);
        *ret = job->container;
        for (int i = 0; i < VITRINE_FDS; i++)
            job->container.fd[i] = -1;
    } else {
        rc = -1;
    }
    job_close(job);
    return rc;
}

/* --- */

void vitrine_close(struct vitrine_container *container)
{
    for (int i = 0; i < VITRINE_FDS; i++) {
        if (container->fd[i] >= 0)
            (void)close(container->fd[i]);
        container->fd[i] = -1;
    }
}

int vitrine_keep_privilege(struct vitrine_error *err)
{
    int rc = caps_keep();

    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "cannot keep capabilities")
                  : 0;
}

int vitrine_join(const struct vitrine_container *container,
                 const struct vitrine_ready *ready, struct vitrine_error *err)
{
    const struct userns_set set = {
        .mnt = container->fd[VITRINE_FD_MNT],
        .user = container->fd[VITRINE_FD_USER],
        .net = container->fd[VITRINE_FD_NET],
        .ipc = container->fd[VITRINE_FD_IPC],
        .uts = container->fd[VITRINE_FD_UTS],
    };
    int rc = userns_join(&set);

    if (rc == 0 && ready->fake_ids)
        rc = seccomp_fake_ids();
    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "cannot enter the container")
                  : 0;
}

int vitrine_drop_privilege(struct vitrine_error *err)
{
    int rc = caps_forget();

    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "cannot drop capabilities")
                  : 0;
}
