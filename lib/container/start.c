/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what is chosen to a container: a new one, one beside another, or one that runs. */
#include "container/start.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/path.h"
#include "container/datamounts.h"
#include "container/entrypoint.h"
#include "container/lookup.h"
#include "image/warmup.h"
#include "namespace/ns.h"
#include "privileged/kmount.h"
#include "privileged/mountlock.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

/* --- the image --- */

/* What is imported has a digest, whatever it is called. */
static bool is_same_image(const struct job *job)
{
    if (job->digest[0] || job->named.digest[0])
        return strcmp(job->digest, job->named.digest) == 0;
    return strcmp(job->path, job->named.image) == 0;
}

/* A named container is made of one image, and of no other with its name. */
static int check_image(const struct job *job, struct vitrine_error *err)
{
    char print[IMAGEMOUNT_PRINT];

    if (!job->named.exists)
        return 0;
    if (!is_same_image(job))
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "container %s is made from image %s, not from %s: leave "
                            "--container-image out, or choose another name",
                            job->spec->container, job->named.image, job->name);
    if (imagemount_print(job->image_fd, &job->image.info, print, sizeof(print), err) < 0)
        return -1;
    if (strcmp(print, job->named.print) != 0)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "container %s is made from image %s, which has been replaced "
                            "by another since: choose another name",
                            job->spec->container, job->name);
    return 0;
}

/* One file has one name, however it was found: for what outlives this step. What is in
 * the cache is called as the user calls it. */
static int find_path(struct job *job, struct vitrine_error *err)
{
    char link[64], path[PATH_MAX];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", job->image_fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    path[n < 0 ? 0 : n] = '\0';
    job->path = strdup(path[0] == '/' && !job->digest[0] ? path : job->name);
    return job->path ? 0 : vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
}

static int find_image(struct job *job, struct vitrine_error *err)
{
    struct vitrine_spec spec = *job->spec;
    struct lookup found;

    if (!spec.image)
        spec.image = job->named.image;
    /* A container keeps the image that it was made from, wherever its tag has moved. */
    if (job->named.digest[0] && strcmp(spec.image, job->named.image) == 0)
        spec.image_digest = job->named.digest;
    if (lookup_image(job->config, &spec, &found, err) < 0)
        return -1;
    job->image_fd = found.fd;
    job->name = found.name;
    memcpy(job->digest, found.digest, sizeof(job->digest));
    if (image_probe(job->image_fd, job->name, &job->image.info, err) < 0 ||
        find_path(job, err) < 0)
        return -1;
    return check_image(job, err);
}

/* Only for who says so: a default changes no directory of his. */
static bool is_in_place(const struct job *job)
{
    return job->image.info.kind == IMAGE_DIRECTORY &&
           job->spec->root == VITRINE_ROOT_WRITABLE && !job->spec->container;
}

/* Nobody would know what he has edited where only some of the files are his. */
static int check_in_place(const struct job *job, struct vitrine_error *err)
{
    if (!is_in_place(job) || faccessat(job->image_fd, ".", W_OK, AT_EACCESS) == 0)
        return 0;
    return vitrine_fail(err, VITRINE_EPERM,
                        "you may not write to directory %s: use a copy, or leave "
                        "--container-writable out",
                        job->name);
}

static int mount_image(struct job *job, struct vitrine_error *err)
{
    bool is_directory = job->image.info.kind == IMAGE_DIRECTORY;

    if (check_in_place(job, err) < 0)
        return -1;
    job->in_place = is_in_place(job);
    job->has_upper = !job->in_place && (!job->read_only || job->named.exists);
    job->owned = !is_directory && (job->has_upper || job->is_root);
    if ((job->owned || job->is_root || job->spec->save) &&
        fakeroot_open(&job->spec->identity, job->is_root, &job->fakeroot, err) < 0)
        return -1;
    const struct imagemount_wish wish = {
        .config = job->config,
        .name = job->name,
        .server_log = job->spec->server_log,
        .server_alive = job->spec->server_log,
        .owners = job->owned ? &job->fakeroot.owners : NULL,
        .user_ns = job->fakeroot.user_ns,
        .has_ranges = job->fakeroot.has_ranges,
        .in_place = job->in_place,
        .imported = job->digest[0],
    };
    return imagemount_open(&wish, job->image_fd, &job->image, err);
}

/* --- the root --- */

/* The directory where the user is, unless that would show the home that he does not want;
 * with pyxis nobody expects to be there. */
static const char *shown_cwd(const struct job *job)
{
    const char *cwd = job->spec->cwd, *home = job->spec->identity.home;

    if (job->compat || (!job->show_home && cwd && path_is_normal(cwd) && home &&
                        path_is_below(home, cwd)))
        return NULL;
    return cwd;
}

static int build(void *arg, void *reply, int *ret_upper, struct vitrine_error *err)
{
    const struct job *job = arg;
    const struct config *config = job->config;
    const struct vitrine_spec *wish = job->spec;
    struct rootfs_spec spec = {
        .base = job->shares_root ? ROOTFS_SHARED
                : job->in_place  ? ROOTFS_IN_PLACE
                                 : ROOTFS_IMAGE,
        .mount = job->image.mount,
        .is_directory = job->image.info.kind == IMAGE_DIRECTORY,
        .image_name = job->name,
        .image_path = job->path,
        .tag = job->tag,
        .has_upper = job->has_upper,
        .writable = job->writable,
        .size = config->writable_size,
        .read_only = job->read_only,
        .owned = job->owned || job->in_place || job->has_upper,
        .root_gids = job->is_root ? fakeroot_gids(&job->fakeroot) : 0,
        .private_tmp = job->compat,
        .private_ipc = wish->unshare & VITRINE_UNSHARE_IPC,
        .shown =
            {
                .uid = wish->identity.uid,
                .home = wish->identity.home,
                .show_home = job->show_home,
                .home_at = job->compat && job->is_root ? "/root" : NULL,
                .cwd = shown_cwd(job),
                .host_mounts = config->mount_host,
                .include = config->mount_include,
                .ninclude = config->nmount_include,
                .exclude = config->mount_exclude,
                .nexclude = config->nmount_exclude,
                .files = wish->host_files,
                .scripts = wish->scripts,
                .binds = wish->binds,
            },
        .mounts = {.list = job->mounts,
                   .count = job->nmounts,
                   .cwd = wish->cwd,
                   .home = wish->identity.home,
                   .trees = job->data},
        .pyxis = job->compat,
        .environ = job->container.fd[VITRINE_FD_ENVIRON],
        .entrypoint_command = ENTRYPOINT_COMMAND,
        .wish = wish,
    };

    return rootfs_build(&spec, reply, ret_upper, err);
}

static void meanwhile(void *arg, int until)
{
    const struct job *job = arg;

    if (!job->shares_root)
        image_warm_up(job->image.mount, until);
}

static int unshare_flags(unsigned unshare)
{
    return (unshare & VITRINE_UNSHARE_NET ? CLONE_NEWNET : 0) |
           (unshare & VITRINE_UNSHARE_IPC ? CLONE_NEWIPC : 0) |
           (unshare & VITRINE_UNSHARE_UTS ? CLONE_NEWUTS : 0);
}

/* Those which a fake root will find in his namespace as they are, and not below an
 * overlay that is mounted there. */
static int lock_mounts(struct job *job, struct vitrine_error *err)
{
    cleanup_free int *mounts = calloc(job->nmounts + 1, sizeof(*mounts));
    size_t n = 0, used = 0;

    if (!mounts)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    if (job->in_place)
        mounts[n++] = job->image.mount;
    for (size_t i = 0; i < job->nmounts; i++)
        if (job->data[i] >= 0)
            mounts[n++] = job->data[i];
    int rc = mountlock(job->fakeroot.user_ns, mounts, n);
    if (job->in_place)
        job->image.mount = mounts[used++];
    for (size_t i = 0; i < job->nmounts; i++)
        if (job->data[i] >= 0)
            job->data[i] = mounts[used++];
    return rc < 0 ? error_from(err, VITRINE_EMOUNT, rc, "cannot lock the mounts") : 0;
}

static int build_root(struct job *job, struct vitrine_error *err)
{
    if (job->is_root && lock_mounts(job, err) < 0)
        return -1;
    const struct ns_wish wish = {
        .build = build,
        .meanwhile = meanwhile,
        .arg = job,
        .user_ns = job->is_root ? job->fakeroot.user_ns : -1,
        .own_ids = job->has_upper || job->in_place || job->shares_root,
        .more = unshare_flags(job->spec->unshare),
    };
    int left[NS_LEFT];

    if (ns_build(&wish, &job->inside, sizeof(job->inside), left, err) < 0)
        return err && strstr(err->text, job->name)
                   ? -1
                   : vitrine_wrap(err, "cannot run image %s", job->name);
    if (job->remark[0])
        memcpy(job->inside.remark, job->remark, sizeof(job->remark));
    job->container.fd[VITRINE_FD_MNT] = left[NS_MNT];
    job->container.fd[VITRINE_FD_NET] = left[NS_NET];
    job->container.fd[VITRINE_FD_IPC] = left[NS_IPC];
    job->container.fd[VITRINE_FD_UTS] = left[NS_UTS];
    job->upper = left[NS_EXTRA];
    if (job->is_root)
        job->container.fd[VITRINE_FD_USER] = steal_fd(&job->fakeroot.user_ns);
    return 0;
}

/* --- named containers --- */

/* The directory with the upper layer, as a mount. */
static int open_writable(struct job *job, struct vitrine_error *err)
{
    if (!job->spec->container || !job->has_upper)
        return 0;
    if (named_prepare(&job->named, err) < 0)
        return -1;
    job->writable = kmount_directory(job->named.dir, true);
    return job->writable < 0 ? error_from(err, VITRINE_EMOUNT, job->writable,
                                          "cannot use container %s", job->spec->container)
                             : 0;
}

int start_record(struct job *job, struct vitrine_error *err)
{
    char print[IMAGEMOUNT_PRINT];

    if (job->named.dir < 0 || job->named.exists)
        return 0;
    if (imagemount_print(job->image_fd, &job->image.info, print, sizeof(print), err) < 0)
        return -1;
    return named_create(&job->named, job->path, job->digest, print, err);
}

static int start_new(struct job *job, struct vitrine_error *err)
{
    return find_image(job, err) < 0 || mount_image(job, err) < 0 ||
                   datamounts_open(job, err) < 0 || open_writable(job, err) < 0
               ? -1
               : build_root(job, err);
}

/* The image of a container that runs: if one is given, it must be that, and if it is
 * needed again it must not be another meanwhile. */
static int name_running(struct job *job, struct vitrine_error *err)
{
    if (job->spec->image && !job->named.image)
        return vitrine_fail(
            err, VITRINE_EUSAGE,
            "container %s has the image that its step chose, and cannot be "
            "joined where another is asked for",
            job->spec->container);
    if (job->spec->image || (job->spec->save && job->named.image))
        return find_image(job, err);
    job->name = strdup(job->named.image ? job->named.image : job->spec->container);
    job->path = job->name ? strdup(job->name) : NULL;
    return job->path ? 0 : vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
}

/* With a root that others use already, but other mounts. */
static int start_beside(struct job *job, struct vitrine_error *err)
{
    const struct running *running = &job->named.running;

    job->shares_root = true;
    job->image.mount = kmount_root_of(running->set.mnt);
    if (job->image.mount < 0)
        return error_from(err, VITRINE_EMOUNT, job->image.mount,
                          "cannot share container %s", job->spec->container);
    job->is_root = running->set.user >= 0;
    if (job->is_root && fakeroot_adopt(&job->spec->identity, running->set.user,
                                       running->has_ranges, &job->fakeroot, err) < 0)
        return -1;
    return datamounts_open(job, err) < 0 ? -1 : build_root(job, err);
}

/* What of the host is to be seen in a container that runs: what is there, but for where
 * its own operating system is. */
static bool is_inside(void *arg, const char *dir)
{
    const struct job *job = arg;

    if (plan_os_owned(dir))
        return false;
    cleanup_fd int there = path_open_in_root(job->named.running.root, dir, O_PATH);
    return there >= 0;
}

static int describe_running(struct job *job, struct vitrine_error *err)
{
    const struct inside_spec spec = {
        .root = job->named.running.root,
        .image_name = job->path,
        .pyxis = job->compat,
        .fake_root = job->is_root,
        .show_home = job->show_home,
        .visible = is_inside,
        .arg = job,
        .environ = job->container.fd[VITRINE_FD_ENVIRON],
        .wish = job->spec,
    };
    struct image_meta meta;

    if (meta_read(spec.root, job->spec->environ, &meta, err) < 0)
        return -1;
    inside_check_scripts(spec.root, &spec, &job->inside);
    int rc = inside_describe(&spec, &meta, &job->inside, err);
    meta_free(&meta);
    return rc;
}

static int join_running(struct job *job, struct vitrine_error *err)
{
    struct userns_set *set = &job->named.running.set;

    job->is_root = set->user >= 0;
    job->fakeroot.has_ranges = job->named.running.has_ranges;
    job->container.fd[VITRINE_FD_MNT] = steal_fd(&set->mnt);
    job->container.fd[VITRINE_FD_USER] = steal_fd(&set->user);
    job->container.fd[VITRINE_FD_NET] = steal_fd(&set->net);
    job->container.fd[VITRINE_FD_IPC] = steal_fd(&set->ipc);
    job->container.fd[VITRINE_FD_UTS] = steal_fd(&set->uts);
    if (job->spec->mounts || job->spec->unshare)
        (void)snprintf(job->inside.remark, sizeof(job->inside.remark),
                       "container %s runs already, so --container-mounts and "
                       "--container-unshare have no effect; with "
                       "--container-name=%s:no_exec it gets these mounts",
                       job->spec->container, job->spec->container);
    return describe_running(job, err);
}

int start_container(struct job *job, struct vitrine_error *err)
{
    const struct vitrine_spec *spec = job->spec;

    if (spec->container && named_open(job->config, spec, &job->named, err) < 0)
        return -1;
    (void)snprintf(job->tag, sizeof(job->tag), "%s%s%s",
                   spec->container ? job->named.tag : "vitrine:step/",
                   !spec->container && spec->step ? spec->step : "",
                   job->is_root ? RUNNING_FAKE_ROOT : "");
    job->container.fd[VITRINE_FD_ENVIRON] = memfd_create("environ", MFD_CLOEXEC);
    if (job->container.fd[VITRINE_FD_ENVIRON] < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot keep the environment");
    if (!job->named.runs)
        return start_new(job, err);
    if (name_running(job, err) < 0)
        return -1;
    return spec->start == VITRINE_START_NO_EXEC ? start_beside(job, err)
                                                : join_running(job, err);
}
