/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The conductor: from what the user wants to a namespace that tasks can join. Runs as the
 * user, in a process that holds capabilities in reserve (privileged/caps.h).
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "config/config.h"
#include "container/config-api.h"
#include "container/lookup.h"
#include "image/fuse.h"
#include "image/probe.h"
#include "image/trust.h"
#include "image/warmup.h"
#include "namespace/ns.h"
#include "privileged/caps.h"
#include "privileged/kmount.h"
#include "privileged/userns.h"
#include "rootfs/hostmounts.h"
#include "rootfs/rootfs.h"
#include "spec/imageref.h"
#include "vitrine.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

struct job {
    const struct config *config;
    const struct vitrine_spec *spec;
    const char *name; /* of the image */
    int mount;        /* of the image, detached */
    bool is_directory;
};

static bool kernel_may_mount(const struct config *config, int image,
                             const struct image_info *info)
{
    if (config->kernel_mount == CONFIG_KERNEL_MOUNT_NEVER || !info->mountable)
        return false;
    return config->kernel_mount == CONFIG_KERNEL_MOUNT_ALWAYS ||
           image_is_trusted(image, config->trusted_owners, config->ntrusted_owners, NULL);
}

static int mount_file(const struct job *job, int image, const struct image_info *info,
                      bool *ret_by_fuse, int *ret_mount, struct vitrine_error *err)
{
    if (kernel_may_mount(job->config, image, info)) {
        int mount = kmount_squashfs(image, info->offset);

        /* A kernel without squashfs, or without this compressor, or without loop devices:
         * the FUSE server may still do, and has the better words if it is the image. */
        if (mount >= 0) {
            *ret_mount = mount;
            *ret_by_fuse = false;
            return 0;
        }
        if (job->config->kernel_mount == CONFIG_KERNEL_MOUNT_ALWAYS)
            return error_from(err, VITRINE_EMOUNT, mount,
                              "cannot mount image %s with the kernel's squashfs",
                              job->name);
    }
    *ret_by_fuse = true;
    if (fuse_serve(image, info->offset, NULL, job->spec->server_log, ret_mount, err) < 0)
        return vitrine_wrap(err, "cannot mount image %s", job->name);
    return 0;
}

/*
 * A mount hides what lies under it, perhaps on purpose. The image is one mount without
 * those below it, so it would show that again: the kernel, too, refuses such a view to
 * whoever is privileged in a user namespace only.
 */
static int check_whole(int dir, const char *name, struct vitrine_error *err)
{
    char link[64], path[PATH_MAX], below[PATH_MAX];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n < 0)
        return vitrine_fail_sys(err, VITRINE_EMOUNT,
                                "cannot use directory %s as an image", name);
    path[n] = '\0';
    int rc = hostmounts_below(path, below, sizeof(below));
    if (rc < 0)
        return error_from(err, VITRINE_EMOUNT, rc, "cannot list the host's mounts");
    if (rc > 0)
        return vitrine_fail(
            err, VITRINE_EFORMAT,
            "cannot use directory %s as an image: something is mounted in "
            "it, at %s; name a directory without mounts",
            name, below);
    return 0;
}

static int mount_image(struct job *job, int image, bool *ret_by_fuse, int *ret_mount,
                       struct vitrine_error *err)
{
    struct image_info info;

    if (image_probe(image, job->name, &info, err) < 0)
        return -1;
    if (info.kind != IMAGE_DIRECTORY)
        return mount_file(job, image, &info, ret_by_fuse, ret_mount, err);
    if (check_whole(image, job->name, err) < 0)
        return -1;
    int mount = kmount_directory(image);
    if (mount < 0)
        return error_from(err, VITRINE_EMOUNT, mount,
                          "cannot use directory %s as an image", job->name);
    *ret_mount = mount;
    *ret_by_fuse = false;
    job->is_directory = true;
    return 0;
}

static int build(void *arg, void *reply, struct vitrine_error *err)
{
    const struct job *job = arg;
    struct rootfs_spec spec = {
        .image = job->mount,
        .is_directory = job->is_directory,
        .image_name = job->name,
        .host_mounts = job->config->mount_host,
        .include = job->config->mount_include,
        .ninclude = job->config->nmount_include,
        .exclude = job->config->mount_exclude,
        .nexclude = job->config->nmount_exclude,
        .wish = job->spec,
    };

    return rootfs_build(&spec, reply, VITRINE_PATH_ENV_MAX, err);
}

static void meanwhile(void *arg, int until)
{
    const struct job *job = arg;

    image_warm_up(job->mount, until);
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

int vitrine_prepare(const struct vitrine_config *config, const struct vitrine_spec *spec,
                    int *ret_ns, struct vitrine_ready *ret, struct vitrine_error *err)
{
    cleanup_fd int image = -1, mount = -1;
    cleanup_free char *name = NULL;
    const struct config *conf = config_of(config);
    bool by_fuse = false;
    int rc = caps_lower();

    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot drop capabilities");
    if (check_kernel(err) < 0 || lookup_image(conf, spec, &image, &name, err) < 0)
        return -1;
    struct job job = {.config = conf, .spec = spec, .name = name};
    if (mount_image(&job, image, &by_fuse, &mount, err) < 0)
        return -1;
    job.mount = mount;
    if (ns_build(build, meanwhile, &job, ret->path, sizeof(ret->path), ret_ns, err) < 0)
        return err && strstr(err->text, name)
                   ? -1
                   : vitrine_wrap(err, "cannot run image %s", name);
    ret->by_fuse = by_fuse;
    (void)snprintf(ret->image, sizeof(ret->image), "%s", name);
    return 0;
}

int vitrine_keep_privilege(struct vitrine_error *err)
{
    int rc = caps_keep();

    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "cannot keep capabilities")
                  : 0;
}

int vitrine_join(int ns, struct vitrine_error *err)
{
    int rc = userns_join(ns);

    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "cannot enter the container")
                  : 0;
}

int vitrine_drop_privilege(struct vitrine_error *err)
{
    int rc = caps_forget();

    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "cannot drop capabilities")
                  : 0;
}
