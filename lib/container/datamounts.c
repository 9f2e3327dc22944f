/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SquashFS files beside the image. Runs as the user, in the task that prepares the
 * container: only there may the kernel mount one, and by the same rules as an image.
 */
#include "container/datamounts.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "container/lookup.h"

#include <fcntl.h>
#include <string.h>

/* What cannot be read is told now, and not by a task's first look. `words` is where the
 * server, if there is one, has told why. */
static int check_readable(const struct mountspec *spec, const char *path, int mount,
                          int words, struct vitrine_error *err)
{
    char reason[256];
    cleanup_fd int root = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int cause = root < 0 ? -errno : 0;

    if (cause == 0 || cause == -EACCES)
        return 0;
    ssize_t n = read(words, reason, sizeof(reason) - 1);
    reason[n > 0 ? n : 0] = '\0';
    reason[strcspn(reason, "\n")] = '\0';
    return mountspec_fail(spec, err, VITRINE_EFORMAT, reason[0] ? 0 : cause,
                          "cannot use %s%s%s", path, reason[0] ? ": " : "", reason);
}

static int mount_file(struct job *job, const struct mountspec *spec, const char *path,
                      int file, int *ret, struct vitrine_error *err)
{
    int words[2];
    struct imagemount data = {.mount = -1};
    struct vitrine_error why = {0};

    if (pipe2(words, O_CLOEXEC | O_NONBLOCK) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot make a pipe");
    const struct imagemount_wish wish = {
        .config = job->config,
        .name = path,
        .server_log = words[1],
        .server_alive = job->spec->server_log,
        .owners = job->is_root ? &job->fakeroot.owners : NULL,
        .user_ns = job->fakeroot.user_ns,
        .has_ranges = job->fakeroot.has_ranges,
    };
    int rc = imagemount_open(&wish, file, &data, &why);
    cleanup_fd int mount = data.mount;
    cleanup_fd int reader = words[0];
    (void)close(words[1]);
    if (rc < 0)
        return mountspec_fail(spec, err, why.code, 0, "%s", why.text);
    if (data.info.kind == IMAGE_DIRECTORY)
        return mountspec_fail(spec, err, VITRINE_EFORMAT, 0,
                              "%s is a directory, and not a SquashFS or SIF file", path);
    if (check_readable(spec, path, mount, reader, err) < 0)
        return -1;
    job->data_by_fuse |= data.by_fuse;
    *ret = steal_fd(&mount);
    return 0;
}

static int open_data(struct job *job, const struct mountspec *spec, int *ret,
                     struct vitrine_error *err)
{
    const char *cwd = job->spec->cwd ? job->spec->cwd : "/";
    cleanup_free char *path = mountspec_source(spec, cwd, job->spec->identity.home);

    if (!path)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    cleanup_fd int file = lookup_open(path);
    if (file == -ENOENT || file == -ENOTDIR)
        return mountspec_fail(spec, err, VITRINE_ENOIMAGE, 0,
                              "%s does not exist on this node", path);
    if (file < 0)
        return mountspec_fail(spec, err, VITRINE_ENOIMAGE, file, "cannot open %s", path);
    return mount_file(job, spec, path, file, ret, err);
}

/* One that may be missing has no tree then, and is passed over in the builder. */
static int open_all_data(struct job *job, struct vitrine_error *err)
{
    for (size_t i = 0; i < job->nmounts; i++) {
        const struct mountspec *spec = &job->mounts[i];
        struct vitrine_error why = {0};

        if (spec->kind != MOUNTSPEC_SQUASHFS ||
            open_data(job, spec, &job->data[i], &why) == 0)
            continue;
        if (!spec->nofail) {
            if (err)
                *err = why;
            return -1;
        }
        if (!spec->silent && !job->remark[0])
            memcpy(job->remark, why.text, sizeof(job->remark));
    }
    return 0;
}

int datamounts_open(struct job *job, struct vitrine_error *err)
{
    if (!job->spec->mounts)
        return 0;
    if (mountspec_parse(job->spec->mounts, &job->mounts, &job->nmounts, err) < 0)
        return vitrine_wrap(err, "--container-mounts");
    job->data = calloc(job->nmounts, sizeof(*job->data));
    if (!job->data)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    for (size_t i = 0; i < job->nmounts; i++)
        job->data[i] = -1;
    return open_all_data(job, err);
}
