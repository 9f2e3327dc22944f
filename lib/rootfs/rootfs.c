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
#include "environ/searchpath.h"
#include "image/arch.h"
#include "image/meta.h"
#include "privileged/caps.h"
#include "rootfs/etcfiles.h"
#include "rootfs/hostmounts.h"
#include "rootfs/hosttools.h"
#include "rootfs/overlay.h"
#include "rootfs/plan.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/mount.h>

struct builder {
    const struct rootfs_spec *spec;
    struct plan plan;
    struct hosttools tools;
    struct etcfiles etc;
    struct skeleton skeleton;
};

/* What a process expects of any host. Each row with who misses it. */
static const struct {
    const char *path;
    unsigned flags;
} always[] = {
    {"/proc", PLAN_REQUIRED | PLAN_COVERS},
    {"/sys", PLAN_REQUIRED | PLAN_COVERS},
    {"/dev", PLAN_REQUIRED | PLAN_COVERS}, /* with /dev/shm: MPI between steps */
    {"/var/tmp", PLAN_COVERS},             /* what outlives /tmp */
    {"/run/munge", PLAN_COVERS},           /* Slurm's commands, PMIx's munge security */
    {"/run/nscd", PLAN_COVERS},            /* names of LDAP users, for any glibc */
    {"/var/lib/sss/pipes", PLAN_COVERS},   /* the same for images with sssd's client */
    {"/var/lib/sss/mc", PLAN_COVERS},
};

/* What is asked for by name may be mounted on demand; not all that an automounter has. */
static neg_errno open_tree_of(const struct plan_entry *entry)
{
    return sys_open_tree(AT_FDCWD, entry->source,
                         AT_RECURSIVE |
                             (entry->flags & PLAN_COVERS ? 0 : AT_NO_AUTOMOUNT));
}

static bool is_empty(int dir)
{
    cleanup_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *stream = fd < 0 ? NULL : fdopendir(fd);

    if (!stream)
        return false;
    (void)steal_fd(&fd);
    for (struct dirent *entry; (entry = readdir(stream));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return false;
    return true;
}

/* Would showing the host's `path` hide what the image itself has for an operating system?
 */
static bool hides_image(const struct builder *b, const char *path)
{
    if (!plan_os_owned(path))
        return false;
    cleanup_fd int fd = path_open_in_root(b->skeleton.image, path, O_PATH);
    return fd >= 0 && !is_empty(fd);
}

static neg_errno add(struct builder *b, const char *path, unsigned flags)
{
    if (!path || (!(flags & PLAN_COVERS) && hides_image(b, path)))
        return 0;
    return plan_add(&b->plan, path, flags);
}

static neg_errno add_host_mount(void *arg, const char *target)
{
    struct builder *b = arg;

    for (size_t i = 0; i < b->spec->nexclude; i++)
        if (path_is_below(target, b->spec->exclude[i]))
            return 0;
    return add(b, target, 0);
}

static int make_plan(struct builder *b, struct vitrine_error *err)
{
    const struct vitrine_spec *wish = b->spec->wish;
    char run_user[64];
    int rc = 0;

    (void)snprintf(run_user, sizeof(run_user), "/run/user/%u",
                   (unsigned)wish->identity.uid);
    for (size_t i = 0; i < sizeof(always) / sizeof(*always) && rc == 0; i++)
        rc = add(b, always[i].path, always[i].flags);
    for (size_t i = 0; i < b->spec->ninclude && rc == 0; i++)
        rc = add(b, b->spec->include[i], PLAN_COVERS);
    if (rc == 0 && b->spec->host_mounts)
        rc = hostmounts_each(add_host_mount, b);
    if (rc == 0)
        rc = add(b, run_user, PLAN_COVERS);
    if (rc == 0)
        rc = add(b, wish->identity.home, PLAN_COVERS);
    for (size_t i = 0; wish->host_files && wish->host_files[i] && rc == 0; i++)
        rc = add(b, wish->host_files[i], PLAN_COVERS);
    for (size_t i = 0; wish->binds && wish->binds[i] && rc == 0; i++)
        rc = add(b, wish->binds[i], 0);
    if (rc == 0)
        rc = hosttools_plan(&b->tools, wish->host_commands, &b->plan);
    /* Last, so that everything else is known: most often it lies in one of those. */
    if (rc == 0)
        rc = add(b, wish->cwd, 0);
    return rc < 0 ? error_from(err, VITRINE_EMOUNT, rc, "cannot list the host's mounts")
                  : 0;
}

/* From what is cached: a file server that hangs must not hold up a job that does not use
 * it. */
static neg_errno type_of(int tree, mode_t *ret)
{
    struct statx st;

    if (statx(tree, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE,
              &st) < 0)
        return -errno;
    *ret = S_ISDIR(st.stx_mode) ? S_IFDIR : S_IFREG;
    return 0;
}

static neg_errno open_entry(struct plan_entry *entry)
{
    int rc = open_tree_of(entry);

    if (rc < 0)
        return rc;
    entry->tree = rc;
    return type_of(entry->tree, &entry->type);
}

/* Opens what the plan shows; forgets what the host does not have, or not for this user,
 * or what does not work (FUSE whose server has died).
 */
static int open_trees(struct plan *plan, struct vitrine_error *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < plan->count; i++) {
        struct plan_entry *entry = &plan->entries[i];
        int rc = entry->tree < 0 ? open_entry(entry) : 0;

        if (rc < 0 && (entry->flags & PLAN_REQUIRED))
            return error_from(err, VITRINE_EMOUNT, rc, "cannot open the host's %s",
                              entry->path);
        if (rc == 0)
            plan->entries[kept++] = *entry;
        else
            plan_entry_free(entry);
    }
    plan->count = kept;
    return 0;
}

static int make_points(const struct builder *b, struct vitrine_error *err)
{
    for (size_t i = 0; i < b->plan.count; i++) {
        const struct plan_entry *entry = &b->plan.entries[i];
        int rc = skeleton_point(&b->skeleton, entry->path, entry->type);

        if (rc < 0)
            return error_from(err, VITRINE_EMOUNT, rc,
                              "cannot make a mount point for the host's %s in image %s",
                              entry->source, b->spec->image_name);
    }
    return 0;
}

/* Two paths of the host may be one directory in the image (/var/tmp linked to /tmp). */
static bool is_taken(const struct plan *plan, size_t count, int point)
{
    struct stat st, other;

    if (fstat(point, &st) < 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (plan->entries[i].point >= 0 && fstat(plan->entries[i].point, &other) == 0 &&
            st.st_ino == other.st_ino && st.st_dev == other.st_dev)
            return true;
    return false;
}

/* Before the first of them is covered by a mount. */
static int open_points(struct plan *plan, int root, struct vitrine_error *err)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct plan_entry *entry = &plan->entries[i];
        cleanup_fd int point = path_open_in_root(root, entry->path, O_PATH);

        if (point < 0)
            return error_from(err, VITRINE_EMOUNT, point, "cannot open mount point %s",
                              entry->path);
        if (!is_taken(plan, i, point))
            entry->point = steal_fd(&point);
    }
    return 0;
}

static int attach_trees(const struct plan *plan, struct vitrine_error *err)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_entry *entry = &plan->entries[i];
        int rc = entry->point < 0 ? 0 : sys_move_mount(entry->tree, entry->point);

        if (rc < 0)
            return error_from(err, VITRINE_EMOUNT, rc, "cannot mount the host's %s",
                              entry->source);
    }
    return 0;
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

static int own_root(struct vitrine_error *err)
{
    int rc = caps_builder_own_root();

    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "cannot raise capabilities")
                  : 0;
}

static int only_mount(neg_errno (*change)(void), struct vitrine_error *err)
{
    int rc = change();

    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "cannot drop capabilities")
                  : 0;
}

/* What belongs under OVERLAY_BASE, which is out of sight afterwards, and the layers. */
static int open_layers(struct builder *b, struct vitrine_error *err)
{
    int rc = plan_add(&b->plan, OVERLAY_BASE, PLAN_REQUIRED | PLAN_COVERS);

    if (rc < 0)
        return error_from(err, VITRINE_EMOUNT, rc, "cannot plan the root");
    if (open_trees(&b->plan, err) < 0 || own_root(err) < 0 ||
        overlay_open(b->spec->image, &b->skeleton, err) < 0)
        return -1;
    return only_mount(caps_builder_settle, err);
}

/* Everything that is written; from here on the builder can only mount. */
static int fill_layer(struct builder *b, struct vitrine_error *err)
{
    if (own_root(err) < 0 || etcfiles_write(&b->etc, &b->skeleton, err) < 0 ||
        hosttools_write(&b->tools, &b->skeleton, err) < 0 || make_points(b, err) < 0)
        return -1;
    return 0;
}

static int assemble(struct builder *b, int *ret_root, struct vitrine_error *err)
{
    if (open_layers(b, err) < 0 ||
        image_check_arch(b->skeleton.image, b->spec->image_name, err) < 0 ||
        etcfiles_read(b->skeleton.image, &b->spec->wish->identity, &b->etc, err) < 0 ||
        make_plan(b, err) < 0 || open_trees(&b->plan, err) < 0 || fill_layer(b, err) < 0)
        return -1;
    /*
     * The overlay acts with its mounter's rights, after it has asked its own copies of
     * the modes. For a file that is enough, and a program that may be executed but not
     * read needs more than the user has. In a directory others may meanwhile have closed
     * what was open: there nothing but the user's own rights will do.
     */
    if (b->skeleton.searchable_is_readable && only_mount(caps_builder_settle, err) < 0)
        return -1;
    cleanup_fd int root = overlay_mount(err);
    if (root < 0 || only_mount(caps_builder_only_mount, err) < 0 ||
        open_points(&b->plan, root, err) < 0)
        return -1;
    *ret_root = steal_fd(&root);
    return 0;
}

static bool is_visible(void *arg, const char *dir)
{
    const struct builder *b = arg;

    return plan_shows(&b->plan, dir) || (b->tools.bin && strcmp(dir, b->tools.bin) == 0);
}

static int tell_path(struct builder *b, char *ret, size_t size, struct vitrine_error *err)
{
    const struct vitrine_spec *wish = b->spec->wish;
    struct image_meta meta;

    if (meta_read(b->skeleton.image, wish->environ, &meta, err) < 0)
        return -1;
    cleanup_free char *path = searchpath_merge(meta_env(&meta, "PATH"), wish->path,
                                               wish->venv, b->tools.bin, is_visible, b);
    meta_free(&meta);
    if (!path)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    if (strlen(path) >= size)
        return vitrine_fail(err, VITRINE_EUSAGE, "PATH is longer than %zu bytes",
                            size - 1);
    memcpy(ret, path, strlen(path) + 1);
    return 0;
}

int rootfs_build(const struct rootfs_spec *spec, char *ret_path, size_t path_size,
                 struct vitrine_error *err)
{
    struct builder b = {.spec = spec, .skeleton = {.image = -1, .layer = -1}};

    /* Root's own job may read everything anyway. */
    b.skeleton.searchable_is_readable =
        spec->is_directory && spec->wish->identity.uid != 0;
    cleanup_fd int root = -1;

    plan_init(&b.plan);
    int rc = assemble(&b, &root, err);
    if (rc == 0)
        rc = tell_path(&b, ret_path, path_size, err);
    if (rc == 0)
        rc = attach_trees(&b.plan, err);
    if (rc == 0)
        rc = pivot(root, err);
    plan_free(&b.plan);
    hosttools_free(&b.tools);
    etcfiles_free(&b.etc);
    if (b.skeleton.image >= 0)
        (void)close(b.skeleton.image);
    if (b.skeleton.layer >= 0)
        (void)close(b.skeleton.layer);
    return rc;
}
