/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs in the builder, with nothing but the user's own rights and CAP_SYS_ADMIN: what the
 * container shows of the host is opened as the user would, so it shows nothing that he
 * could not reach.
 */
#include "rootfs/shown.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/syscalls.h"
#include "rootfs/hostmounts.h"
#include "rootfs/overlay.h"
#include "rootfs/target.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

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

/* Would showing the host's `path` hide what the image itself has for an operating system?
 */
static bool hides_image(const struct shown *shown, const char *path)
{
    if (!plan_os_owned(path))
        return false;
    cleanup_fd int fd = path_open_in_root(shown->image, path, O_PATH);
    return fd >= 0 && !fd_is_empty_dir(fd);
}

bool shown_image_is_empty(const struct shown *shown, const char *path)
{
    cleanup_fd int fd = path_open_in_root(shown->image, path, O_PATH);

    return fd == -ENOENT || (fd >= 0 && fd_is_empty_dir(fd));
}

/* Below a tmpfs of the container's own, where no layer can make anything ready. */
static bool is_late(const struct shown *shown, const char *path)
{
    return shown->has_late || (shown->private_tmp && path_is_below(path, "/tmp")) ||
           (plan_has_to_hide(&shown->plan) && plan_is_hidden(&shown->plan, path));
}

/* With a private /tmp what lies there by now is the builder's own. */
static neg_errno add(struct shown *shown, const char *path, unsigned flags)
{
    if (!path || (!(flags & PLAN_COVERS) && hides_image(shown, path)) ||
        (shown->private_tmp && path_is_below(path, OVERLAY_BASE)))
        return 0;
    return plan_add(&shown->plan, path, flags);
}

static neg_errno add_all(struct shown *shown, const char *const *paths, unsigned flags)
{
    int rc = 0;

    for (size_t i = 0; paths && paths[i] && rc == 0; i++)
        rc = add(shown, paths[i], flags);
    return rc;
}

static neg_errno add_host_mount(void *arg, const char *target)
{
    struct shown *shown = arg;

    if (plan_is_hidden(&shown->plan, target))
        return 0;
    for (size_t i = 0; i < shown->wish->nexclude; i++)
        if (path_is_below(target, shown->wish->exclude[i]))
            return 0;
    return add(shown, target, 0);
}

static neg_errno plan_host(struct shown *shown)
{
    const struct shown_wish *wish = shown->wish;
    char run_user[64];
    int rc = 0;

    (void)snprintf(run_user, sizeof(run_user), "/run/user/%u", (unsigned)wish->uid);
    for (size_t i = 0; i < sizeof(always) / sizeof(*always) && rc == 0; i++)
        rc = add(shown, always[i].path, always[i].flags);
    for (size_t i = 0; i < wish->ninclude && rc == 0; i++)
        rc = add(shown, wish->include[i], PLAN_COVERS);
    if (rc == 0 && wish->host_mounts)
        rc = hostmounts_each(add_host_mount, shown);
    if (rc == 0)
        rc = add(shown, run_user, PLAN_COVERS);
    if (rc == 0 && wish->show_home)
        rc = add(shown, wish->home, PLAN_COVERS);
    if (rc == 0 && wish->show_home && wish->home && wish->home_at)
        rc = plan_add_at(&shown->plan, wish->home, wish->home_at, PLAN_COVERS);
    return rc;
}

neg_errno shown_plan(struct shown *shown)
{
    const struct shown_wish *wish = shown->wish;
    int rc = plan_host(shown);

    if (rc == 0)
        rc = add_all(shown, wish->files, PLAN_COVERS);
    if (rc == 0)
        rc = add_all(shown, wish->scripts, 0);
    if (rc == 0)
        rc = add_all(shown, wish->binds, 0);
    return rc;
}

neg_errno shown_plan_tmp(struct shown *shown)
{
    const struct shown_wish *wish = shown->wish;
    const char *const own[] = {wish->home, wish->cwd, NULL};
    const char *const *const lists[] = {wish->files, wish->scripts, wish->binds,
                                        wish->show_home ? own : own + 1};
    int rc = 0;

    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        for (size_t j = 0; lists[i] && lists[i][j] && rc == 0; j++)
            if (path_is_below(lists[i][j], "/tmp") && strcmp(lists[i][j], "/tmp") != 0)
                rc = plan_add(&shown->plan, lists[i][j], PLAN_COVERS);
    return rc;
}

neg_errno shown_plan_cwd(struct shown *shown)
{
    return add(shown, shown->wish->cwd, 0);
}

static neg_errno open_entry(struct plan_entry *entry)
{
    int rc = open_tree_of(entry);

    if (rc < 0)
        return rc;
    entry->tree = rc;
    return target_type(entry->tree, &entry->type);
}

/* Opens what the plan shows; forgets what the host does not have, or not for this user,
 * or what does not work (FUSE whose server has died).
 */
int shown_open(struct shown *shown, struct vitrine_error *err)
{
    struct plan *plan = &shown->plan;
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

int shown_make_points(const struct shown *shown, const struct skeleton *skeleton,
                      const char *image_name, struct vitrine_error *err)
{
    for (size_t i = 0; i < shown->plan.count; i++) {
        const struct plan_entry *entry = &shown->plan.entries[i];
        int rc = is_late(shown, entry->path)
                     ? 0
                     : skeleton_point(skeleton, entry->path, entry->type);

        if (rc < 0)
            return error_from(err, VITRINE_EMOUNT, rc,
                              "cannot make a mount point for the host's %s in image %s",
                              entry->source, image_name);
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
int shown_open_points(struct shown *shown, int root, struct vitrine_error *err)
{
    for (size_t i = 0; i < shown->plan.count; i++) {
        struct plan_entry *entry = &shown->plan.entries[i];

        if (is_late(shown, entry->path))
            continue;
        cleanup_fd int point = path_open_in_root(root, entry->path, O_PATH);
        if (point < 0)
            return error_from(err, VITRINE_EMOUNT, point, "cannot open mount point %s",
                              entry->path);
        if (target_is_root(root, point))
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "in the image %s is a link to /, so nothing can be "
                                "mounted there",
                                entry->path);
        if (!is_taken(&shown->plan, i, point))
            entry->point = steal_fd(&point);
    }
    return 0;
}

static neg_errno attach_late(const struct plan_entry *entry, int root)
{
    cleanup_fd int point = target_make(root, entry->path, entry->type);

    return point < 0 ? point : sys_move_mount(entry->tree, point);
}

static int attach(const struct shown *shown, int root, bool hidden,
                  struct vitrine_error *err)
{
    for (size_t i = 0; i < shown->plan.count; i++) {
        const struct plan_entry *entry = &shown->plan.entries[i];
        int rc = 0;

        if (plan_is_hidden(&shown->plan, entry->path) != hidden)
            continue;
        if (is_late(shown, entry->path))
            rc = attach_late(entry, root);
        else if (entry->point >= 0)
            rc = sys_move_mount(entry->tree, entry->point);
        if (rc < 0)
            return error_from(err, VITRINE_EMOUNT, rc, "cannot mount the host's %s",
                              entry->source);
    }
    return 0;
}

int shown_attach(const struct shown *shown, int root, struct vitrine_error *err)
{
    return attach(shown, root, false, err);
}

int shown_attach_hidden(const struct shown *shown, int root, struct vitrine_error *err)
{
    return attach(shown, root, true, err);
}
