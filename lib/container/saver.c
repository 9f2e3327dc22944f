/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/saver.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/path.h"
#include "container/lookup.h"
#include "save/save.h"

#include <fcntl.h>
#include <string.h>

/* What this step has only joined, and who its files belong to. */
static int check_joined(struct job *job, struct vitrine_error *err)
{
    if (!job->named.image)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "cannot save container %s: it belongs to another step, which "
                            "can save it with its own --container-save",
                            job->spec->container);
    return job->is_root ? 0
                        : fakeroot_open(&job->spec->identity, false, &job->fakeroot, err);
}

static int open_upper(struct job *job, struct vitrine_error *err)
{
    if (job->upper >= 0 || job->named.dir < 0)
        return 0;
    job->upper =
        openat(job->named.dir, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return job->upper < 0
               ? vitrine_fail_sys(err, VITRINE_EMOUNT, "cannot read container %s",
                                  job->spec->container)
               : 0;
}

int saver_start(struct job *job, struct vitrine_error *err)
{
    const char *file = job->spec->save;
    int user_ns = job->container.fd[VITRINE_FD_USER];

    if (!file)
        return 0;
    if ((job->named.runs && check_joined(job, err) < 0) || open_upper(job, err) < 0)
        return -1;
    const char *home = job->spec->identity.home;
    bool at_home = file[0] == '~' && file[1] == '/' && home;
    cleanup_free char *path =
        path_join(at_home ? home : job->spec->cwd, at_home ? file + 2 : file);
    if (!path)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    char *name = strrchr(path, '/');
    *name++ = '\0';
    cleanup_fd int directory = lookup_open(path[0] ? path : "/");
    if (directory < 0)
        return error_from(err, VITRINE_EUSAGE, directory,
                          "cannot save the container to %s: cannot open directory %s",
                          file, path[0] ? path : "/");
    const struct save_spec spec = {
        .base = job->image_fd,
        .offset = job->image.info.offset,
        .is_directory = job->image.info.kind == IMAGE_DIRECTORY,
        .upper = job->upper,
        .directory = directory,
        .name = name,
        .user_ns = user_ns >= 0              ? user_ns
                   : job->config->remap_root ? job->fakeroot.user_ns
                                             : -1,
    };
    struct save_process process;
    if (save_start(&spec, &process, err) < 0)
        return -1;
    job->container.fd[VITRINE_FD_SAVE] = process.control;
    job->container.fd[VITRINE_FD_SAVE_ANSWERS] = process.answers;
    job->container.fd[VITRINE_FD_SAVE_PID] = process.pid;
    return 0;
}

int vitrine_save(const struct vitrine_container *container, int until,
                 struct vitrine_error *err)
{
    const struct save_process process = {
        .control = container->fd[VITRINE_FD_SAVE],
        .answers = container->fd[VITRINE_FD_SAVE_ANSWERS],
        .pid = container->fd[VITRINE_FD_SAVE_PID],
    };

    return save_finish(&process, until, err);
}
