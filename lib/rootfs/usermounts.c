/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs in the builder, as the user. Sources are opened with his own rights, so they show
 * nothing that he could not reach; targets are resolved inside the root, so an image full
 * of links can at most misplace its own user's mounts.
 *
 * Every mount is nosuid; a tmpfs and a SquashFS are nodev, too. A bind keeps what the
 * host says: nodev would only take from the user's GPUs and network cards in /dev what
 * they are at their own path.
 */
#include "rootfs/usermounts.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/syscalls.h"
#include "rootfs/target.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

static int fail(const struct usermount *mount, struct vitrine_error *err, neg_errno cause,
                const char *what)
{
    return mountspec_fail(mount->spec, err, VITRINE_EMOUNT, cause, "%s", what);
}

/* An entry could not be mounted: an error, unless it may be missing. */
static int settle(struct usermounts *mounts, struct usermount *mount,
                  const struct vitrine_error *why, struct vitrine_error *err)
{
    if (!mount->spec->nofail) {
        if (err)
            *err = *why;
        return -1;
    }
    mount->passed_over = true;
    if (!mount->spec->silent && mounts->remark[0] == '\0')
        (void)snprintf(mounts->remark, sizeof(mounts->remark), "%s", why->text);
    return 0;
}

static const char *name_of(mode_t type)
{
    return S_ISDIR(type) ? "a directory" : "a file";
}

/* --- sources --- */

static int fail_source(const struct usermount *mount, const char *source, neg_errno cause,
                       struct vitrine_error *err)
{
    if (cause == -ENOENT || cause == -ENOTDIR)
        return mountspec_fail(mount->spec, err, VITRINE_EMOUNT, 0,
                              "%s does not exist on this node", source);
    if (cause == -EINVAL && !mount->spec->recursive)
        return mountspec_fail(mount->spec, err, VITRINE_EMOUNT, 0,
                              "%s has mounts below it that a container cannot leave out: "
                              "use rbind in place of bind",
                              source);
    return mountspec_fail(mount->spec, err, VITRINE_EMOUNT, cause, "cannot open %s",
                          source);
}

/* A source that says where it shall appear, in place of a target. */
static int default_target(struct usermount *mount, const char *source,
                          struct vitrine_error *err)
{
    int rc = mountspec_normalise(source, &mount->target);

    if (rc == -ENOMEM)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    if (rc < 0 || mount->target[1] == '\0')
        return fail(mount, err, 0, "nothing can be mounted on /; write SRC:DST");
    return 0;
}

static int open_bind(struct usermount *mount, const struct usermounts_wish *wish,
                     struct vitrine_error *err)
{
    const struct mountspec *spec = mount->spec;
    cleanup_free char *source =
        mountspec_source(spec, wish->cwd ? wish->cwd : "/", wish->home);

    if (!source)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    if (!mount->target && default_target(mount, source, err) < 0)
        return -1;
    int rc = sys_open_tree(AT_FDCWD, source, spec->recursive ? AT_RECURSIVE : 0);
    if (rc >= 0) {
        mount->tree = rc;
        rc = target_type(mount->tree, &mount->type);
    }
    if (rc < 0)
        return fail_source(mount, source, rc, err);
    if (spec->create != MOUNTSPEC_CREATE_AUTO &&
        (spec->create == MOUNTSPEC_CREATE_DIR) != S_ISDIR(mount->type))
        return mountspec_fail(spec, err, VITRINE_EMOUNT, 0, "%s is %s, but x-create=%s",
                              source, name_of(mount->type),
                              spec->create == MOUNTSPEC_CREATE_DIR ? "dir" : "file");
    return 0;
}

/* What the kernel says of the last call, "tmpfs: Unknown parameter 'x'"; else "". */
static void read_reason(int fs, char *buf, size_t size)
{
    ssize_t n = read(fs, buf, size - 1);

    buf[n > 0 ? n : 0] = '\0';
    if (n > 2 && buf[1] == ' ') /* "e ", its level */
        memmove(buf, buf + 2, (size_t)n - 1);
    buf[strcspn(buf, "\n")] = '\0';
}

static int fail_tmpfs(const struct usermount *mount, int fs, const char *option,
                      neg_errno cause, struct vitrine_error *err)
{
    char reason[256];

    read_reason(fs, reason, sizeof(reason));
    if (reason[0])
        return mountspec_fail(mount->spec, err, VITRINE_EMOUNT, 0,
                              "%s cannot be used: %s", option, reason);
    return mountspec_fail(mount->spec, err, VITRINE_EMOUNT, cause, "%s cannot be used",
                          option);
}

static int set_option(const struct usermount *mount, int fs, const char *option,
                      struct vitrine_error *err)
{
    cleanup_free char *key = strdup(option);
    char *value = key;

    if (!key)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    (void)strsep(&value, "=");
    int rc = value ? sys_fsconfig_string(fs, key, value) : sys_fsconfig_flag(fs, key);
    return rc < 0 ? fail_tmpfs(mount, fs, option, rc, err) : 0;
}

static int open_tmpfs(struct usermount *mount, struct vitrine_error *err)
{
    const char *data = mount->spec->data;
    cleanup_free char *options = strdup(data ? data : "");
    char *next = data ? options : NULL;
    cleanup_fd int fs = sys_fsopen("tmpfs");

    if (fs < 0)
        return fail(mount, err, fs, "cannot mount a tmpfs");
    if (!options)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    (void)sys_fsconfig_string(fs, "source", "tmpfs");
    for (const char *option; (option = strsep(&next, ","));)
        if (set_option(mount, fs, option, err) < 0)
            return -1;
    int rc = sys_fsconfig_create(fs);
    if (rc < 0)
        return fail_tmpfs(mount, fs, data ? data : "a tmpfs", rc, err);
    rc = sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (rc < 0)
        return fail(mount, err, rc, "cannot mount a tmpfs");
    mount->tree = rc;
    mount->type = S_IFDIR;
    return 0;
}

static int open_squashfs(struct usermount *mount, int tree, struct vitrine_error *err)
{
    mount->tree = tree < 0 ? -1 : fcntl(tree, F_DUPFD_CLOEXEC, 0);
    mount->type = S_IFDIR;
    return mount->tree < 0 ? fail(mount, err, 0, "there is nothing to mount") : 0;
}

/* Those that take something away hold for all of the tree; what gives something back
 * only for its top, since the host may have reasons for what lies below. */
static int set_flags(const struct usermount *mount, struct vitrine_error *err)
{
    const struct mountspec *spec = mount->spec;
    unsigned all = spec->recursive ? AT_RECURSIVE : 0;
    const struct mount_attr set = {
        .attr_set = spec->attr_set | MOUNT_ATTR_NOSUID |
                    (spec->kind == MOUNTSPEC_BIND ? 0 : MOUNT_ATTR_NODEV) |
                    (spec->kind == MOUNTSPEC_SQUASHFS ? MOUNT_ATTR_RDONLY : 0),
        .attr_clr = spec->attr_clear & MOUNT_ATTR__ATIME,
    };
    const struct mount_attr clear = {.attr_clr = spec->attr_clear & ~set.attr_clr};
    const struct mount_attr propagation = {.propagation = spec->propagation};
    int rc = sys_mount_change(mount->tree, all, &set);

    if (rc == -EPERM && set.attr_clr)
        return fail(mount, err, 0,
                    "the host has decided when access times are kept there, which a "
                    "container cannot change");
    if (rc == 0 && clear.attr_clr)
        rc = sys_mount_change(mount->tree, 0, &clear);
    if (rc == -EPERM && clear.attr_clr)
        return fail(mount, err, 0,
                    clear.attr_clr & MOUNT_ATTR_RDONLY
                        ? "the host has mounted it read-only, so it cannot be rw"
                        : "the host has mounted it noexec, so it cannot be exec");
    if (rc == 0 && propagation.propagation)
        rc = sys_mount_change(mount->tree, spec->propagation_recursive ? AT_RECURSIVE : 0,
                              &propagation);
    return rc < 0 ? fail(mount, err, rc, "cannot set its flags") : 0;
}

static int open_one(struct usermount *mount, const struct usermounts_wish *wish,
                    size_t index, struct vitrine_error *err)
{
    const struct mountspec *spec = mount->spec;
    int rc = -1;

    if (spec->target && !(mount->target = strdup(spec->target)))
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    switch (spec->kind) {
    case MOUNTSPEC_UMOUNT:
        return 0;
    case MOUNTSPEC_BIND:
        rc = open_bind(mount, wish, err);
        break;
    case MOUNTSPEC_TMPFS:
        rc = open_tmpfs(mount, err);
        break;
    case MOUNTSPEC_SQUASHFS:
        rc = open_squashfs(mount, wish->trees ? wish->trees[index] : -1, err);
        break;
    }
    return rc < 0 ? -1 : set_flags(mount, err);
}

int usermounts_open(const struct usermounts_wish *wish, struct usermounts *ret,
                    struct vitrine_error *err)
{
    *ret = (struct usermounts){.entries = NULL};
    if (wish->count == 0)
        return 0;
    ret->entries = calloc(wish->count, sizeof(*ret->entries));
    if (!ret->entries)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    for (size_t i = 0; i < wish->count; i++) {
        struct usermount *mount = &ret->entries[ret->count++];
        struct vitrine_error why = {.code = VITRINE_OK};

        *mount = (struct usermount){.spec = &wish->list[i], .tree = -1};
        if (open_one(mount, wish, i, &why) < 0 && settle(ret, mount, &why, err) < 0)
            return -1;
    }
    return 0;
}

void usermounts_free(struct usermounts *mounts)
{
    for (size_t i = 0; i < mounts->count; i++) {
        free(mounts->entries[i].target);
        if (mounts->entries[i].tree >= 0)
            (void)close(mounts->entries[i].tree);
    }
    free(mounts->entries);
    *mounts = (struct usermounts){.entries = NULL};
}

/* --- targets --- */

/* Will `target` lie in something that is mounted over the image, by the plan or by an
 * entry before `index`? */
static bool is_mounted(const struct usermounts *mounts, size_t index,
                       const struct plan *plan, const char *target)
{
    bool lies = plan_shows(plan, target);

    for (size_t i = 0; i < index; i++) {
        const struct usermount *earlier = &mounts->entries[i];

        if (!earlier->passed_over && path_is_below(target, earlier->target))
            lies = earlier->spec->kind != MOUNTSPEC_UMOUNT;
    }
    return lies;
}

static bool lies_in_mount(const struct usermounts *mounts, size_t index,
                          const struct plan *plan, const struct skeleton *skeleton)
{
    const char *target = mounts->entries[index].target;
    char there[PATH_MAX];

    return is_mounted(mounts, index, plan, target) ||
           (skeleton_leads(skeleton, target, there) == 0 &&
            is_mounted(mounts, index, plan, there));
}

/* What is in the way there is told when the user's own rights have found it: the image
 * may have put it where he cannot look. */
static int make_point(const struct usermount *mount, const struct skeleton *skeleton,
                      struct vitrine_error *err)
{
    int rc = skeleton_point(skeleton, mount->target, mount->type);

    if (rc == 0 || rc == -EISDIR || rc == -ENOTDIR || rc == -ELOOP)
        return 0;
    return mountspec_fail(mount->spec, err, VITRINE_EMOUNT, rc,
                          "cannot make %s to mount on", mount->target);
}

int usermounts_points(struct usermounts *mounts, const struct skeleton *skeleton,
                      const struct plan *plan, struct vitrine_error *err)
{
    for (size_t i = 0; i < mounts->count; i++) {
        struct usermount *mount = &mounts->entries[i];
        struct vitrine_error why = {.code = VITRINE_OK};

        if (mount->passed_over || mount->spec->kind == MOUNTSPEC_UMOUNT ||
            lies_in_mount(mounts, i, plan, skeleton))
            continue;
        if (make_point(mount, skeleton, &why) < 0 && settle(mounts, mount, &why, err) < 0)
            return -1;
    }
    return 0;
}

/* A descriptor of where the entry shall be mounted, made if it is missing; or -1. */
static int open_target(const struct usermount *mount, int root, struct vitrine_error *err)
{
    const struct mountspec *spec = mount->spec;
    mode_t type;
    cleanup_fd int fd = path_open_in_root(root, mount->target, O_PATH);

    if (fd == -ENOENT) {
        fd = target_make(root, mount->target, mount->type);
        if (fd < 0)
            return mountspec_fail(spec, err, VITRINE_EMOUNT, fd,
                                  "the container has no %s to mount on, and it cannot be "
                                  "made there",
                                  mount->target);
    }
    int rc = fd < 0 ? fd : target_type(fd, &type);
    if (rc < 0)
        return mountspec_fail(spec, err, VITRINE_EMOUNT, rc,
                              "cannot open %s in the container", mount->target);
    if (target_is_root(root, fd))
        return mountspec_fail(spec, err, VITRINE_EMOUNT, 0,
                              "%s leads to the container's root, on which nothing can be "
                              "mounted",
                              mount->target);
    if (S_ISDIR(type) != S_ISDIR(mount->type))
        return mountspec_fail(spec, err, VITRINE_EMOUNT, 0,
                              "it is %s, but in the container %s is %s",
                              name_of(mount->type), mount->target, name_of(type));
    return steal_fd(&fd);
}

static int detach(const struct usermount *mount, int root, struct vitrine_error *err)
{
    char path[64];
    cleanup_fd int fd = path_open_in_root(root, mount->target, O_PATH);

    if (fd == -ENOENT || fd == -ENOTDIR ||
        (fd >= 0 && (!target_is_mount(fd) || target_is_root(root, fd))))
        return mountspec_fail(mount->spec, err, VITRINE_EMOUNT, 0,
                              "nothing is mounted at %s in the container", mount->target);
    /* By descriptor: a path could lead elsewhere by now. */
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int rc = fd < 0 ? fd : umount2(path, MNT_DETACH) < 0 ? -errno : 0;
    if (rc == -EINVAL)
        return mountspec_fail(mount->spec, err, VITRINE_EMOUNT, 0,
                              "%s came with a mount of the host's above it, and cannot "
                              "be taken away without that",
                              mount->target);
    return rc < 0 ? mountspec_fail(mount->spec, err, VITRINE_EMOUNT, rc,
                                   "cannot unmount %s", mount->target)
                  : 0;
}

static int attach(const struct usermount *mount, int root, struct vitrine_error *err)
{
    if (mount->spec->kind == MOUNTSPEC_UMOUNT)
        return detach(mount, root, err);
    cleanup_fd int target = open_target(mount, root, err);
    if (target < 0)
        return -1;
    int rc = sys_move_mount(mount->tree, target);
    return rc < 0 ? fail(mount, err, rc, "cannot mount it") : 0;
}

int usermounts_attach(struct usermounts *mounts, int root, struct vitrine_error *err)
{
    for (size_t i = 0; i < mounts->count; i++) {
        struct usermount *mount = &mounts->entries[i];
        struct vitrine_error why = {.code = VITRINE_OK};

        if (!mount->passed_over && attach(mount, root, &why) < 0 &&
            settle(mounts, mount, &why, err) < 0)
            return -1;
    }
    return 0;
}

bool usermounts_shows(const struct usermounts *mounts, const char *path)
{
    bool shows = false;

    for (size_t i = 0; i < mounts->count; i++) {
        const struct usermount *mount = &mounts->entries[i];

        if (!mount->passed_over && path_is_below(path, mount->target))
            shows = mount->spec->kind == MOUNTSPEC_BIND ||
                    mount->spec->kind == MOUNTSPEC_SQUASHFS;
    }
    return shows;
}
