/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/imagemount.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "image/squashfs.h"
#include "image/trust.h"
#include "privileged/kmount.h"
#include "rootfs/hostmounts.h"

#include <limits.h>
#include <string.h>

/* Who writes the shared cache makes each image himself, of whatever came from a registry;
 * of his other files nothing is known. */
static bool is_trusted_import(const struct imagemount_wish *wish, int image)
{
    uid_t owner;

    return wish->imported && wish->config->cache_owner &&
           config_cache_owner(wish->config, &owner, NULL) == 0 &&
           image_is_trusted_below(image, wish->config->cache_dir, owner, NULL);
}

static bool kernel_may_mount(const struct imagemount_wish *wish, int image,
                             const struct image_info *info)
{
    const struct config *config = wish->config;

    if (config->kernel_mount == CONFIG_KERNEL_MOUNT_NEVER || !info->mountable)
        return false;
    return config->kernel_mount == CONFIG_KERNEL_MOUNT_ALWAYS ||
           image_is_trusted(image, config->trusted_owners, config->ntrusted_owners,
                            NULL) ||
           is_trusted_import(wish, image);
}

/*
 * Whether an idmapped mount can give every file to the user: it can map each id to one
 * other, so there must be ids enough for all that the image has.
 */
static bool kernel_may_own(const struct imagemount_wish *wish, int image,
                           const struct image_info *info)
{
    uint8_t data[SQUASHFS_SUPER_SIZE];
    struct squashfs_super super;
    uint32_t id;

    if (wish->user_ns < 0 || wish->has_ranges)
        return wish->user_ns >= 0;
    return fd_pread_full(image, data, sizeof(data), (off_t)info->offset) == 0 &&
           squashfs_parse(data, sizeof(data), info->offset, info->offset + info->size,
                          &super, NULL) == 0 &&
           squashfs_only_id(image, &super, info->offset, &id) && id == 0;
}

static neg_errno mount_by_kernel(const struct imagemount_wish *wish, int image,
                                 const struct image_info *info)
{
    cleanup_fd int mount = kmount_squashfs(image, info->offset);
    int rc = mount < 0 ? mount : 0;

    if (rc == 0 && wish->owners)
        rc = kmount_idmap(mount, wish->user_ns);
    return rc < 0 ? rc : steal_fd(&mount);
}

static int mount_file(const struct imagemount_wish *wish, int image,
                      struct imagemount *ret, struct vitrine_error *err)
{
    if (kernel_may_mount(wish, image, &ret->info) &&
        (!wish->owners || kernel_may_own(wish, image, &ret->info))) {
        int mount = mount_by_kernel(wish, image, &ret->info);

        /* A kernel without squashfs, or without this compressor, or without loop devices:
         * the FUSE server may still do, and has the better words if it is the image. */
        if (mount >= 0) {
            ret->mount = mount;
            ret->by_fuse = false;
            return 0;
        }
        if (wish->config->kernel_mount == CONFIG_KERNEL_MOUNT_ALWAYS && !wish->owners)
            return error_from(err, VITRINE_EMOUNT, mount,
                              "cannot mount image %s with the kernel's squashfs",
                              wish->name);
    }
    ret->by_fuse = true;
    if (fuse_serve(image, ret->info.offset, wish->owners, wish->server_log,
                   wish->server_alive, &ret->mount, err) < 0)
        return vitrine_wrap(err, "cannot mount image %s", wish->name);
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

static int mount_directory(const struct imagemount_wish *wish, int image,
                           struct imagemount *ret, struct vitrine_error *err)
{
    if (check_whole(image, wish->name, err) < 0)
        return -1;
    int mount = kmount_directory(image, wish->in_place);
    if (mount < 0)
        return error_from(err, VITRINE_EMOUNT, mount,
                          "cannot use directory %s as an image", wish->name);
    ret->mount = mount;
    ret->by_fuse = false;
    return 0;
}

int imagemount_open(const struct imagemount_wish *wish, int image, struct imagemount *ret,
                    struct vitrine_error *err)
{
    if (image_probe(image, wish->name, &ret->info, err) < 0)
        return -1;
    return ret->info.kind == IMAGE_DIRECTORY ? mount_directory(wish, image, ret, err)
                                             : mount_file(wish, image, ret, err);
}

int imagemount_print(int image, const struct image_info *info, char *buf, size_t size,
                     struct vitrine_error *err)
{
    uint8_t super[SQUASHFS_SUPER_SIZE];

    (void)snprintf(buf, size, "directory");
    if (info->kind == IMAGE_DIRECTORY)
        return 0;
    int rc = fd_pread_full(image, super, sizeof(super), (off_t)info->offset);
    if (rc < 0)
        return error_from(err, VITRINE_EFORMAT, rc, "cannot read the image");
    for (size_t i = 0; i < sizeof(super) && 2 * i + 2 < size; i++)
        (void)snprintf(buf + 2 * i, size - 2 * i, "%02x", super[i]);
    return 0;
}
