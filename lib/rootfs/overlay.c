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
#include "rootfs/fsmount.h"

#include <fcntl.h>
#include <string.h>

#define IMAGE    OVERLAY_BASE "/image"
#define LAYER    OVERLAY_BASE "/layer"
#define ROOT     OVERLAY_BASE "/root"
#define WRITABLE OVERLAY_BASE "/writable"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The mode of an upper directory that no overlay has used yet. */
#define FRESH 0700

static neg_errno mount_base(void)
{
    static const struct fsmount_option options[] = {
        {"source", "vitrine"}, {"mode", "0755"}, {"size", "64m"}, {"nr_inodes", "64k"}};
    static const char *const dirs[] = {"image", "layer", "root", "writable"};
    cleanup_fd int base = fsmount_new("tmpfs", options, COUNT(options), 0);

    if (base < 0)
        return base;
    int rc = fsmount_attach(base, OVERLAY_BASE);
    for (size_t i = 0; i < COUNT(dirs) && rc == 0; i++)
        if (mkdirat(base, dirs[i], 0755) < 0)
            rc = -errno;
    return rc;
}

static int prepare(struct vitrine_error *err)
{
    int rc = mount_base();

    return rc < 0 ? error_from(err, VITRINE_EMOUNT, rc, "cannot mount a tmpfs") : 0;
}

int overlay_open(int image, struct skeleton *ret, struct vitrine_error *err)
{
    struct stat st;
    int rc;

    if (prepare(err) < 0)
        return -1;
    if ((rc = fsmount_attach(image, IMAGE)) < 0)
        return error_from(err, VITRINE_EMOUNT, rc, "cannot place the image");
    cleanup_fd int image_root = open(IMAGE, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd int layer_root = open(LAYER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* "/" of an overlay has the uppermost layer's attributes: they must be the image's.
     * EINVAL: an owner that the builder's namespace does not know, who has a directory
     * which the user gets a writable layer over; there "/" is the user's. */
    if (image_root < 0 || layer_root < 0 || fstat(image_root, &st) < 0 ||
        (fchown(layer_root, st.st_uid, st.st_gid) < 0 && errno != EINVAL) ||
        fchmod(layer_root, skeleton_mode(ret, st.st_mode)) < 0)
        return vitrine_fail_sys(err, VITRINE_EMOUNT, "cannot read the image");
    ret->image = steal_fd(&image_root);
    ret->image_path = IMAGE;
    ret->layer = steal_fd(&layer_root);
    return 0;
}

static neg_errno new_writable(const char *size)
{
    const struct fsmount_option options[] = {
        {"source", "vitrine"}, {"mode", "0700"}, {"size", size}};
    cleanup_fd int mount = fsmount_new(
        "tmpfs", options, size && size[0] ? COUNT(options) : COUNT(options) - 1, 0);

    if (mount < 0)
        return mount;
    if (mkdirat(mount, "upper", FRESH) < 0 || mkdirat(mount, "work", FRESH) < 0)
        return -errno;
    return steal_fd(&mount);
}

int overlay_add_upper(const struct skeleton *skeleton, int writable, const char *size,
                      int *ret_upper, struct vitrine_error *err)
{
    struct stat st, image;
    cleanup_fd int made = writable < 0 ? new_writable(size) : -1;
    int rc = writable < 0 && made < 0 ? made : 0;

    if (rc == 0)
        rc = fsmount_attach(writable < 0 ? made : writable, WRITABLE);
    if (rc < 0)
        return error_from(err, VITRINE_EMOUNT, rc, "cannot mount a writable layer");
    cleanup_fd int upper =
        open(WRITABLE "/upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (upper < 0 || fstat(upper, &st) < 0 || fstat(skeleton->image, &image) < 0 ||
        ((st.st_mode & 07777) == FRESH && fchmod(upper, image.st_mode & 07777) < 0))
        return vitrine_fail_sys(err, VITRINE_EMOUNT, "cannot use the writable layer");
    *ret_upper = steal_fd(&upper);
    return 0;
}

int overlay_mount(const char *tag, bool has_upper, bool read_only,
                  struct vitrine_error *err)
{
    const struct fsmount_option options[] = {
        {"source", tag},
        {"lowerdir", LAYER ":" IMAGE},
        {"userxattr", NULL},
        {"upperdir", WRITABLE "/upper"},
        {"workdir", WRITABLE "/work"},
    };
    cleanup_fd int root =
        fsmount_new("overlay", options, has_upper ? COUNT(options) : COUNT(options) - 2,
                    read_only ? MOUNT_ATTR_RDONLY : 0);
    int rc = root < 0 ? root : fsmount_attach(root, ROOT);

    if (rc < 0)
        return error_from(err, VITRINE_EMOUNT, rc, "cannot mount an overlay");
    return steal_fd(&root);
}

int overlay_adopt(int mount, struct skeleton *ret, struct vitrine_error *err)
{
    if (prepare(err) < 0)
        return -1;
    int rc = fsmount_attach(mount, ROOT);
    if (rc < 0)
        return error_from(err, VITRINE_EMOUNT, rc, "cannot place the root");
    cleanup_fd int root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd int image = fcntl(root, F_DUPFD_CLOEXEC, 0);
    cleanup_fd int layer = open(LAYER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || image < 0 || layer < 0)
        return vitrine_fail_sys(err, VITRINE_EMOUNT, "cannot read the root");
    ret->image = steal_fd(&image);
    ret->image_path = ROOT;
    ret->layer = steal_fd(&layer);
    return steal_fd(&root);
}
