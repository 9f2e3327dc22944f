/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user with raised capabilities; as root while it creates and maps.
 *
 * All ids are mapped to themselves. This is safe because no process but the builder is
 * ever in the namespace: its owner is root, so setns(2) to it is refused to the user, who
 * can at most hold a descriptor of it. The builder needs the whole map to give mount
 * points the ids of the image's own directories, and copy-up in the overlay (which acts
 * with the builder's credentials) needs it for any file that is not the user's. What a
 * compromised builder could do with it is bounded by its four capabilities, three of
 * which it holds only while it works inside of the detached root (rootfs/rootfs.c).
 *
 * Fake root's namespace is the user's own. This is safe because it gives him nothing but
 * what newuidmap(1) and newgidmap(1) would: user and groups are the calling process's, as
 * the kernel knows them, not a caller's words; the ranges are the administrator's, and
 * none that holds root is written. Groups map to themselves, so he can use those he is
 * in, as before. What must not happen is that he gets rid of one that shuts him out of
 * a file (mode 0705): setgroups(2) is denied unless the administrator gave him groups;
 * and setgid(2), which could replace the primary one, has other groups to go to only if
 * the primary one is among the supplementary ones, too, and so stays. The namespace is
 * made with CAP_SYS_ADMIN, so that it works where the unprivileged may make none: what
 * the kernel shows to root in a user namespace is shown to tasks by the administrator's
 * choice.
 */
#include "privileged/userns.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "privileged/caps.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

neg_errno userns_create(int more)
{
    int rc = caps_raise();

    if (rc < 0)
        return rc;
    if (seteuid(0) < 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS | more) < 0)
        return -errno;
    return 0;
}

/*
 * This is safe because the user owns that namespace already: whatever is in it, or is
 * created in it, is in his power anyway, and power there is none outside of it.
 */
neg_errno userns_enter(int user_ns, int more)
{
    int rc = caps_raise();

    if (rc < 0)
        return rc;
    if (setns(user_ns, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS | more) < 0)
        return -errno;
    return 0;
}

/* One write(2): the kernel takes no map in pieces. */
static neg_errno write_proc(pid_t pid, const char *name, const char *text)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    return fd_write_full(fd, text, strlen(text));
}

neg_errno userns_map(pid_t builder, const char *uids, const char *gids)
{
    uid_t user = geteuid();
    int rc = caps_raise();

    /* The builder is our own child and not yet reaped, so its pid cannot be another's. */
    if (rc == 0 && seteuid(0) < 0)
        rc = -errno;
    if (rc == 0)
        rc = write_proc(builder, "uid_map", uids);
    if (rc == 0)
        rc = write_proc(builder, "gid_map", gids);
    if (seteuid(user) < 0 || caps_lower() < 0)
        return -EPERM;
    return rc;
}

neg_errno userns_settle(uid_t user)
{
    int rc = caps_builder_start();

    if (rc < 0)
        return rc;
    if (setresuid(user, user, user) < 0)
        return -errno;
    return caps_builder_settle();
}

static neg_errno join_all(const struct userns_set *set)
{
    const struct {
        int fd, type;
    } others[] = {
        {set->net, CLONE_NEWNET},
        {set->ipc, CLONE_NEWIPC},
        {set->uts, CLONE_NEWUTS},
    };

    if (set->user >= 0 && setns(set->user, CLONE_NEWUSER) < 0)
        return -errno;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (others[i].fd >= 0 && setns(others[i].fd, others[i].type) < 0)
            return -errno;
    return setns(set->mnt, CLONE_NEWNS) < 0 ? -errno : 0;
}

/*
 * After setns(2) to the user's own namespace the process has all capabilities there and
 * none outside; these it keeps, being root in it. Elsewhere everything is given up.
 */
neg_errno userns_join(const struct userns_set *set)
{
    int rc = caps_raise();

    if (rc == 0)
        rc = join_all(set);
    int dropped = rc == 0 && set->user >= 0 ? caps_stay_root() : caps_drop();
    return rc < 0 ? rc : dropped;
}

/* --- fake root -------------------------------------------------------------------------
 */

/* What is written for a namespace; a map is text of at most a page. */
struct fake_root {
    struct id_map uids[LIMIT_ID_MAP_LINES], gids[LIMIT_ID_MAP_LINES];
    size_t nuids, ngids;
    bool deny_setgroups;
    gid_t groups[]; /* of the process */
};

neg_errno userns_fill_map(uint32_t id, const struct id_range *ranges, size_t n,
                          struct id_map *ret, size_t *ret_n)
{
    uint32_t inside = 1;

    if (n >= LIMIT_ID_MAP_LINES)
        return -EINVAL;
    ret[0] = (struct id_map){.inside = 0, .outside = id, .count = 1};
    for (size_t i = 0; i < n; i++) {
        const struct id_range *r = &ranges[i];

        if (r->start == 0 || r->count == 0 || r->count > UINT32_MAX - r->start ||
            r->count > UINT32_MAX - inside)
            return -EINVAL;
        ret[i + 1] = (struct id_map){inside, r->start, r->count};
        inside += r->count;
    }
    *ret_n = n + 1;
    return 0;
}

/* Whether a map has the id on either side. */
static bool is_taken(const struct id_map *map, size_t n, uint32_t id)
{
    for (size_t i = 0; i < n; i++)
        if (id - map[i].inside < map[i].count || id - map[i].outside < map[i].count)
            return true;
    return false;
}

static void add_groups(struct fake_root *root, size_t ngroups)
{
    bool stays = !root->deny_setgroups;

    for (size_t i = 0; i < ngroups; i++)
        stays = stays || root->groups[i] == getegid();
    for (size_t i = 0; i < ngroups && stays && root->ngids < LIMIT_ID_MAP_LINES; i++) {
        gid_t group = root->groups[i];

        if (!is_taken(root->gids, root->ngids, group))
            root->gids[root->ngids++] = (struct id_map){group, group, 1};
    }
}

/* The caller frees *ret. */
static neg_errno plan_fake_root(const struct userns_ids *ids, struct fake_root **ret)
{
    int ngroups = getgroups(0, NULL);

    if (ngroups < 0)
        return -errno;
    cleanup_free struct fake_root *root =
        calloc(1, sizeof(*root) + (size_t)ngroups * sizeof(*root->groups));
    if (!root)
        return -ENOMEM;
    if (ngroups > 0 && (ngroups = getgroups(ngroups, root->groups)) < 0)
        return -errno;
    int rc = userns_fill_map(geteuid(), ids->uids, ids->nuids, root->uids, &root->nuids);
    if (rc == 0)
        rc = userns_fill_map(getegid(), ids->gids, ids->ngids, root->gids, &root->ngids);
    if (rc < 0)
        return rc;
    root->deny_setgroups = ids->ngids == 0;
    add_groups(root, (size_t)ngroups);
    *ret = steal_ptr(&root);
    return 0;
}

/* The lines that fit; the last ones are groups that have to do without. */
static neg_errno write_map(pid_t pid, const char *name, const struct id_map *map,
                           size_t n)
{
    char text[LIMIT_ID_MAP + 1] = "", line[40];
    size_t used = 0;

    for (size_t i = 0; i < n; i++) {
        int len = snprintf(line, sizeof(line), "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n",
                           map[i].inside, map[i].outside, map[i].count);

        if (used + (size_t)len >= sizeof(text))
            break;
        memcpy(text + used, line, (size_t)len + 1);
        used += (size_t)len;
    }
    return write_proc(pid, name, text);
}

static neg_errno map_fake_root(pid_t pid, const struct fake_root *root)
{
    uid_t user = geteuid();
    int rc = caps_raise();

    /* Our own child and not yet reaped, so its pid cannot be another's. */
    if (rc == 0 && seteuid(0) < 0)
        rc = -errno;
    if (rc == 0 && root->deny_setgroups)
        rc = write_proc(pid, "setgroups", "deny");
    if (rc == 0)
        rc = write_map(pid, "gid_map", root->gids, root->ngids);
    if (rc == 0)
        rc = write_map(pid, "uid_map", root->uids, root->nuids);
    if (seteuid(user) < 0 || caps_lower() < 0)
        return -EPERM;
    return rc;
}

/* Makes the namespace, sends it, and stays in it until it is mapped. Never returns. */
static void hold_fake_root(int sock)
{
    int ns = -1, none, rc = caps_raise();
    char done;

    /* With the user's euid, who thereby owns it. */
    if (rc == 0 && unshare(CLONE_NEWUSER) < 0)
        rc = -errno;
    /* The process is not dumpable, so its parent could not open it. */
    if (rc == 0 && (ns = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC)) < 0)
        rc = -errno;
    (void)fd_send(sock, &rc, sizeof(rc), ns);
    (void)fd_recv(sock, &done, sizeof(done), false, &none);
    _exit(0);
}

neg_errno userns_fake_root(const struct userns_ids *ids, int *ret_ns)
{
    cleanup_free struct fake_root *root = NULL;
    cleanup_fd int ns = -1;
    int pair[2], answer = 0, rc = plan_fake_root(ids, &root);

    if (!root)
        return rc;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(pair[0]);
        hold_fake_root(pair[1]);
    }
    rc = pid < 0 ? -errno : 0;
    (void)close(pair[1]);
    if (rc == 0)
        rc = fd_recv(pair[0], &answer, sizeof(answer), false, &ns);
    if (rc == 0)
        rc = answer;
    if (rc == 0)
        rc = map_fake_root(pid, root);
    (void)close(pair[0]); /* which ends it */
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (rc == 0)
        *ret_ns = steal_fd(&ns);
    return rc;
}
