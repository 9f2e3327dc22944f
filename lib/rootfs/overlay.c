/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs in the builder. The overlay is there so that the container can have what the image
 * lacks; its layer is a tmpfs that the kernel frees with the namespace.
 *
 * The layers are attached under a path first, because Linux before 6.15 takes no detached
 * mounts as layers. `userxattr` is what an overlay in a user namespace needs
 * (Linux 5.11).
 */
#include "rootfs/overlay.h"
#include "base/cleanup.h"
#include "base/syscalls.h"

#define IMAGE OVERLAY_BASE "/image"
#define LAYER OVERLAY_BASE "/layer"
#define ROOT  OVERLAY_BASE "/root"

#define MOUNT_FLAGS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

struct option {
    const char *key, *value;
};

static neg_errno new_mount(const char *fstype, const struct option *options, size_t count,
                           unsigned attr)
{
    int rc = 0;
    cleanup_fd int fs = sys_fsopen(fstype);

    if (fs < 0)
        return fs;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = options[i].value ? sys_fsconfig_string(fs, options[i].key, options[i].value)
                              : sys_fsconfig_flag(fs, options[i].key);
    if (rc == 0)
        rc = sys_fsconfig_create(fs);
    return rc < 0 ? rc : sys_fsmount(fs, attr);
}

static neg_errno attach(int mount, const char *path)
{
    cleanup_fd int target = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return target < 0 ? -errno : sys_move_mount(mount, target);
}

static neg_errno mount_base(void)
{
    static const struct option options[] = {
        {"source", "vitrine"}, {"mode", "0755"}, {"size", "64m"}, {"nr_inodes", "64k"}};
    cleanup_fd int base =
        new_mount("tmpfs", options, sizeof(options) / sizeof(*options), MOUNT_FLAGS);

    if (base < 0)
        return base;
    int rc = attach(base, OVERLAY_BASE);
    if (rc < 0)
        return rc;
    return mkdirat(base, "image", 0755) < 0 || mkdirat(base, "layer", 0755) < 0 ||
                   mkdirat(base, "root", 0755) < 0
               ? -errno
               : 0;
}

int overlay_open(int image, struct skeleton *ret, struct vitrine_error *err)
{
    struct stat st;
    int rc = mount_base();

    if (rc < 0)
        return error_from(err, VITRINE_EMOUNT, rc, "cannot mount a tmpfs");
    if ((rc = attach(image, IMAGE)) < 0)
        return error_from(err, VITRINE_EMOUNT, rc, "cannot place the image");
    cleanup_fd int image_root = open(IMAGE, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd int layer_root = open(LAYER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* "/" of an overlay has the uppermost layer's attributes: they must be the image's.
     */
    if (image_root < 0 || layer_root < 0 || fstat(image_root, &st) < 0 ||
        fchown(layer_root, st.st_uid, st.st_gid) < 0 ||
        fchmod(layer_root, skeleton_mode(ret, st.st_mode)) < 0)
        return vitrine_fail_sys(err, VITRINE_EMOUNT, "cannot read the image");
    ret->image = steal_fd(&image_root);
    ret->image_path = IMAGE;
    ret->layer = steal_fd(&layer_root);
    return 0;
}

int overlay_mount(struct vitrine_error *err)
{
    static const struct option options[] = {
        {"source", "vitrine"},
        {"lowerdir", LAYER ":" IMAGE},
        {"userxattr", NULL},
    };
    cleanup_fd int root =
        new_mount("overlay", options, sizeof(options) / sizeof(*options),
                  MOUNT_FLAGS | MOUNT_ATTR_RDONLY);
    int rc = root < 0 ? root : attach(root, ROOT);

    if (rc < 0)
        return error_from(err, VITRINE_EMOUNT, rc, "cannot mount an overlay");
    return steal_fd(&root);
}
