/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From an image to a root directory. Runs in the builder, as the user, who has
 * CAP_SYS_ADMIN in the builder's namespace: what the container shows of the host is
 * opened with the user's own rights, so it shows nothing that the user could not reach.
 *
 * Only between own_root() and the next change of capabilities can the builder read and
 * write where the user cannot. There it makes the layer and mounts the overlay; it opens
 * no file of the image, so nothing is shown that the user could not read anyway.
 */
#include "rootfs/rootfs.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/syscalls.h"
#include "build-config.h"
#include "image/arch.h"
#include "image/meta.h"
#include "privileged/caps.h"
#include "rootfs/etcfiles.h"
#include "rootfs/fsmount.h"
#include "rootfs/hosttools.h"
#include "rootfs/overlay.h"
#include "rootfs/target.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

struct builder {
    const struct rootfs_spec *spec;
    struct shown shown;
    struct usermounts mounts;
    struct hosttools tools;
    struct etcfiles etc;
    struct skeleton skeleton;
    struct image_meta meta;
    int upper;
};

static int change_caps(neg_errno (*change)(void), struct vitrine_error *err)
{
    int rc = change();

    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "cannot change capabilities")
                  : 0;
}

static int plan_failed(neg_errno cause, struct vitrine_error *err)
{
    return error_from(err, VITRINE_EMOUNT, cause, "cannot list the host's mounts");
}

/* What belongs under OVERLAY_BASE, which is out of sight afterwards. */
static int open_base(struct builder *b, struct vitrine_error *err)
{
    int rc = b->spec->private_tmp
                 ? shown_plan_tmp(&b->shown)
                 : plan_add(&b->shown.plan, OVERLAY_BASE, PLAN_REQUIRED | PLAN_COVERS);

    if (rc < 0)
        return plan_failed(rc, err);
    return shown_open(&b->shown, err) < 0
               ? -1
               : usermounts_open(&b->spec->mounts, &b->mounts, err);
}

static int make_plan(struct builder *b, struct vitrine_error *err)
{
    int rc;

    b->shown.image = b->skeleton.image;
    rc = shown_plan(&b->shown);
    if (rc == 0 && b->spec->base == ROOTFS_IMAGE)
        rc = hosttools_plan(&b->tools, b->spec->wish->host_commands, &b->shown.plan);
    if (rc == 0 && b->spec->wish->entrypoint == VITRINE_YES && b->meta.entrypoint)
        rc = plan_add_at(&b->shown.plan, VITRINE_ENVIRON_COMMAND,
                         b->spec->entrypoint_command, PLAN_COVERS);
    if (rc == 0)
        rc = shown_plan_cwd(&b->shown);
    return rc < 0 ? plan_failed(rc, err) : shown_open(&b->shown, err);
}

/* --- a root made of an image --- */

static int open_layers(struct builder *b, struct vitrine_error *err)
{
    if (change_caps(caps_builder_own_root, err) < 0 ||
        overlay_open(b->spec->mount, &b->skeleton, err) < 0)
        return -1;
    if (b->spec->has_upper && overlay_add_upper(&b->skeleton, b->spec->writable,
                                                b->spec->size, &b->upper, err) < 0)
        return -1;
    return change_caps(caps_builder_disown, err);
}

/* An image may want directories of its own to be writable. Where it has nothing in them
 * they are a tmpfs of the user's; in a container that can be written there is no need. */
static bool is_volume(const struct builder *b, const char *path)
{
    return b->spec->base == ROOTFS_IMAGE && b->spec->read_only && path_is_normal(path) &&
           path[1] && !plan_shows(&b->shown.plan, path) &&
           shown_image_is_empty(&b->shown, path);
}

static int make_volume_points(const struct builder *b, struct vitrine_error *err)
{
    char *const *volumes = b->meta.volumes;

    for (size_t i = 0; volumes && volumes[i]; i++) {
        int rc = is_volume(b, volumes[i])
                     ? skeleton_point(&b->skeleton, volumes[i], S_IFDIR)
                     : 0;

        if (rc < 0)
            return error_from(err, VITRINE_EMOUNT, rc, "cannot make the volume %s",
                              volumes[i]);
    }
    return 0;
}

/* HOME is set, and often where the user is, so it must be there, if only to be empty; an
 * image may have something else in its place. */
static void make_home(const struct builder *b)
{
    if (b->spec->shown.show_home)
        return;
    if (b->spec->shown.home)
        (void)skeleton_point(&b->skeleton, b->spec->shown.home, S_IFDIR);
    if (b->spec->root_gids)
        (void)skeleton_point(&b->skeleton, "/root", S_IFDIR);
}

/* Everything that is written; from here on the builder can only mount. */
static int fill_layer(struct builder *b, struct vitrine_error *err)
{
    if (change_caps(caps_builder_own_root, err) < 0 ||
        etcfiles_write(&b->etc, &b->skeleton, err) < 0 ||
        hosttools_write(&b->tools, &b->skeleton, err) < 0 ||
        (b->spec->root_gids == 1 && etcfiles_write_apt(&b->skeleton, err) < 0))
        return -1;
    if (shown_make_points(&b->shown, &b->skeleton, b->spec->image_name, err) < 0)
        return -1;
    if (make_volume_points(b, err) < 0)
        return -1;
    make_home(b);
    return usermounts_points(&b->mounts, &b->skeleton, &b->shown.plan, err);
}

/*
 * The overlay acts with its mounter's rights, after it has asked its own copies of the
 * modes. For a file that is enough, and a program that may be executed but not read needs
 * more than the user has. In a directory others may meanwhile have closed what was open:
 * there nothing but the user's own rights will do. An overlay that can be written keeps
 * its capabilities (it needs them for its work directory, which has no mode at all): the
 * namespace that they hold in knows no ids but the user's own.
 */
static bool acts_as_user(const struct rootfs_spec *spec)
{
    return spec->is_directory && !spec->has_upper && spec->root_gids == 0 &&
           spec->wish->identity.uid != 0;
}

static int make_overlay(struct builder *b, struct vitrine_error *err)
{
    if (open_layers(b, err) < 0 ||
        image_check_arch(b->skeleton.image, b->spec->image_name, err) < 0 ||
        etcfiles_read(b->skeleton.image, &b->spec->wish->identity, b->spec->root_gids,
                      &b->etc, err) < 0 ||
        meta_read(b->skeleton.image, b->spec->wish->environ, &b->meta, err) < 0 ||
        make_plan(b, err) < 0 || fill_layer(b, err) < 0)
        return -1;
    if (acts_as_user(b->spec) && change_caps(caps_builder_disown, err) < 0)
        return -1;
    cleanup_fd int root =
        overlay_mount(b->spec->tag, b->spec->has_upper, b->spec->read_only, err);
    if (root < 0 || change_caps(caps_builder_only_mount, err) < 0 ||
        shown_open_points(&b->shown, root, err) < 0)
        return -1;
    return steal_fd(&root);
}

/* --- a root that is there --- */

static int bind_etc(struct builder *b, int root, struct vitrine_error *err)
{
    uint32_t root_gids = b->spec->root_gids;

    if (etcfiles_read(root, &b->spec->wish->identity, root_gids, &b->etc, err) < 0 ||
        etcfiles_bind(&b->etc, &b->skeleton, root, root_gids == 0, err) < 0)
        return -1;
    return root_gids == 1 ? etcfiles_bind_apt(&b->skeleton, root, err) : 0;
}

static int adopt_root(struct builder *b, struct vitrine_error *err)
{
    cleanup_fd int root = overlay_adopt(b->spec->mount, &b->skeleton, err);

    if (root < 0)
        return -1;
    b->shown.has_late = true;
    if (b->spec->base == ROOTFS_IN_PLACE &&
        (image_check_arch(root, b->spec->image_name, err) < 0 ||
         bind_etc(b, root, err) < 0))
        return -1;
    if (meta_read(root, b->spec->wish->environ, &b->meta, err) < 0 ||
        make_plan(b, err) < 0 || change_caps(caps_builder_only_mount, err) < 0)
        return -1;
    return steal_fd(&root);
}

/* --- both --- */

static const struct own_mount {
    const char *fstype, *path, *mode;
    bool where_it_is; /* not if there is no such directory */
} own_tmp = {"tmpfs", "/tmp", "1777", false},
  own_ipc[] = {{"tmpfs", "/dev/shm", "1777", true},
               {"mqueue", "/dev/mqueue", NULL, true}};

static int mount_own(int root, const struct own_mount *own, struct vitrine_error *err)
{
    const struct fsmount_option options[] = {{"source", "vitrine"}, {"mode", own->mode}};
    cleanup_fd int mount = fsmount_new(own->fstype, options, own->mode ? 2 : 1, 0);
    cleanup_fd int point = own->where_it_is ? path_open_in_root(root, own->path, O_PATH)
                                            : target_make(root, own->path, S_IFDIR);
    int rc = mount < 0 ? mount : point < 0 ? point : sys_move_mount(mount, point);

    if (rc == -ENOENT && own->where_it_is)
        return 0;
    return rc < 0 ? error_from(err, VITRINE_EMOUNT, rc, "cannot mount the container's %s",
                               own->path)
                  : 0;
}

static int mount_volumes(const struct builder *b, int root, struct vitrine_error *err)
{
    char *const *volumes = b->meta.volumes;

    for (size_t i = 0; volumes && volumes[i]; i++) {
        const struct own_mount own = {"tmpfs", volumes[i], "0755", true};

        if (is_volume(b, volumes[i]) && mount_own(root, &own, err) < 0)
            return -1;
    }
    return 0;
}

/* Where the host has all homes in one mount, as most have. */
static int hide_home(const struct builder *b, int root, struct vitrine_error *err)
{
    const struct own_mount own = {"tmpfs", b->shown.plan.hidden, "0700", true};

    return plan_has_to_hide(&b->shown.plan) ? mount_own(root, &own, err) : 0;
}

static int attach(struct builder *b, int root, struct vitrine_error *err)
{
    const struct rootfs_spec *spec = b->spec;

    if (spec->private_tmp && mount_own(root, &own_tmp, err) < 0)
        return -1;
    if (shown_attach(&b->shown, root, err) < 0 || hide_home(b, root, err) < 0 ||
        shown_attach_hidden(&b->shown, root, err) < 0)
        return -1;
    for (size_t i = 0; spec->private_ipc && i < sizeof(own_ipc) / sizeof(*own_ipc); i++)
        if (mount_own(root, &own_ipc[i], err) < 0)
            return -1;
    return mount_volumes(b, root, err) < 0 ? -1
                                           : usermounts_attach(&b->mounts, root, err);
}

/* Makes the overlay "/" and lets go of the host's tree. */
static int pivot(int root, struct vitrine_error *err)
{
    int rc = fchdir(root) < 0 ? -errno : sys_pivot_root(".", ".");

    /* The old root now lies on top of the new one, at the same place. */
    if (rc == 0 && (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0))
        rc = -errno;
    return rc < 0 ? error_from(err, VITRINE_EMOUNT, rc, "cannot change the root") : 0;
}

static bool is_visible(void *arg, const char *dir)
{
    const struct builder *b = arg;

    return plan_shows(&b->shown.plan, dir) || usermounts_shows(&b->mounts, dir) ||
           (b->tools.bin && strcmp(dir, b->tools.bin) == 0);
}

static int describe(const struct builder *b, int root, struct inside *ret,
                    struct vitrine_error *err)
{
    const struct rootfs_spec *spec = b->spec;
    const struct inside_spec inside = {
        .root = b->skeleton.image,
        .image_name = spec->image_path,
        .pyxis = spec->pyxis,
        .fake_root = spec->root_gids != 0,
        .show_home = spec->shown.show_home,
        .last = b->tools.bin,
        .visible = is_visible,
        .arg = (void *)b,
        .environ = spec->environ,
        .wish = spec->wish,
    };

    (void)snprintf(ret->remark, sizeof(ret->remark), "%s", b->mounts.remark);
    inside_check_scripts(root, &inside, ret);
    return inside_describe(&inside, &b->meta, ret, err);
}

static int build(struct builder *b, struct inside *ret, struct vitrine_error *err)
{
    if (open_base(b, err) < 0)
        return -1;
    cleanup_fd int root =
        b->spec->base == ROOTFS_IMAGE ? make_overlay(b, err) : adopt_root(b, err);
    if (root < 0 || attach(b, root, err) < 0 || describe(b, root, ret, err) < 0)
        return -1;
    return pivot(root, err);
}

int rootfs_build(const struct rootfs_spec *spec, struct inside *ret, int *ret_upper,
                 struct vitrine_error *err)
{
    const struct vitrine_identity *who = &spec->wish->identity;
    bool is_users = (spec->owned || spec->has_upper) && spec->root_gids == 0;
    struct builder b = {
        .spec = spec,
        .shown = {.wish = &spec->shown, .private_tmp = spec->private_tmp},
        .skeleton = {.image = -1,
                     .layer = -1,
                     .uid = is_users ? who->uid : 0,
                     .gid = is_users ? who->gid : 0,
                     .searchable_is_readable = acts_as_user(spec)},
        .upper = -1,
    };

    plan_init(&b.shown.plan);
    if (!spec->shown.show_home && who->home && path_is_normal(who->home) && who->home[1])
        b.shown.plan.hidden = who->home;
    int rc = build(&b, ret, err);
    plan_free(&b.shown.plan);
    usermounts_free(&b.mounts);
    hosttools_free(&b.tools);
    etcfiles_free(&b.etc);
    meta_free(&b.meta);
    if (b.skeleton.image >= 0)
        (void)close(b.skeleton.image);
    if (b.skeleton.layer >= 0)
        (void)close(b.skeleton.layer);
    if (rc == 0)
        *ret_upper = b.upper;
    return rc;
}
