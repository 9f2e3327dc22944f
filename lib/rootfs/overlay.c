/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs in the builder. The overlay is there so that mount points which the image lacks
 * can be made; its upper layer is a tmpfs that the kernel frees with the namespace.
 *
 * The layers are attached under a path first, because Linux before 6.15 takes no detached
 * mounts as layers. `userxattr` is what an overlay in a user namespace needs
 * (Linux 5.11).
 */
#include "rootfs/overlay.h"
#include "base/cleanup.h"
#include "base/syscalls.h"

#include <sys/stat.h>

#define MOUNT_FLAGS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

struct option {
    const char *key, *value;
};

static neg_errno new_mount(const char *fstype, const struct option *options, size_t count)
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
    return rc < 0 ? rc : sys_fsmount(fs, MOUNT_FLAGS);
}

static neg_errno attach(int mount, const char *path)
{
    cleanup_fd int target = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return target < 0 ? -errno : sys_move_mount(mount, target);
}

static neg_errno mount_base(void)
{
    static const struct option options[] = {
        {"source", "vitrine"}, {"mode", "0755"}, {"size", "16m"}, {"nr_inodes", "16k"}};
    static const char *const dirs[] = {"image", "upper", "work", "root"};
    cleanup_fd int base = new_mount("tmpfs", options, sizeof(options) / sizeof(*options));
    int rc;

    if (base < 0)
        return base;
    if ((rc = attach(base, OVERLAY_BASE)) < 0)
        return rc;
    for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
        if (mkdirat(base, dirs[i], 0755) < 0)
            return -errno;
    return 0;
}

/* The root directory of an overlay has the upper layer's attributes: they must be the
 * image's. */
static neg_errno copy_root_attributes(int image)
{
    struct stat st;

    if (fstat(image, &st) < 0 || chown(OVERLAY_BASE "/upper", st.st_uid, st.st_gid) < 0 ||
        chmod(OVERLAY_BASE "/upper", st.st_mode & 07777) < 0)
        return -errno;
    return 0;
}

int overlay_mount(int image, struct vitrine_error *err)
{
    static const struct option options[] = {
        {"source", "vitrine"},
        {"lowerdir", OVERLAY_BASE "/image"},
        {"upperdir", OVERLAY_BASE "/upper"},
        {"workdir", OVERLAY_BASE "/work"},
        {"userxattr", NULL},
    };
    int rc = mount_base();

    if (rc < 0)
        return error_from(err, VITRINE_EMOUNT, rc, "cannot mount a tmpfs");
    if ((rc = attach(image, OVERLAY_BASE "/image")) < 0 ||
        (rc = copy_root_attributes(image)) < 0)
        return error_from(err, VITRINE_EMOUNT, rc, "cannot place the image");
    cleanup_fd int root =
        new_mount("overlay", options, sizeof(options) / sizeof(*options));
    if (root < 0)
        return error_from(err, VITRINE_EMOUNT, root, "cannot mount an overlay");
    if ((rc = attach(root, OVERLAY_BASE "/root")) < 0)
        return error_from(err, VITRINE_EMOUNT, rc, "cannot place the overlay");
    return steal_fd(&root);
}
