/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PRIVILEGED_USERNS_H
#define VITRINE_PRIVILEGED_USERNS_H

#include "base/error.h"
#include "base/idmap.h"

/*
 * The builder's user and mount namespace, owned by root: the user can neither enter it
 * nor gain capabilities over it, and creating it needs no unprivileged user namespaces.
 *
 * In the builder: userns_create(), with the CLONE_NEW... of other namespaces that it
 * shall own, then the parent's userns_map(), then userns_settle(), which makes the
 * builder the user for good, with capabilities in that namespace alone. The maps are as
 * in /proc/PID/uid_map; USERNS_ALL maps every id to itself.
 */
#define USERNS_ALL "0 0 4294967295\n"
neg_errno userns_create(int more);
neg_errno userns_map(pid_t builder, const char *uids, const char *gids);
neg_errno userns_settle(uid_t user);

/* Subordinate ids of the user, as the administrator's files give them. */
struct userns_ids {
    const struct id_range *uids, *gids;
    size_t nuids, ngids;
};

/*
 * The map of fake root: inside, 0 is `id` and the ranges follow from 1 on. `ret` has room
 * for n + 1 lines. -EINVAL for ranges that hold root, or more ids than there are.
 */
neg_errno userns_fill_map(uint32_t id, const struct id_range *ranges, size_t n,
                          struct id_map *ret, size_t *ret_n);

/*
 * A user namespace of the user's own, in which he is root: 0 is his user and his primary
 * group, subordinate ids are 1 and so on. His other groups keep their ids as far as these
 * are free inside and the kernel takes so many. Without subordinate groups setgroups(2)
 * is denied, as in newgidmap(1).
 *
 * In the leader: the user, with the capabilities of caps_keep(), single-threaded. Changes
 * nothing of the process. *ret_ns is close-on-exec; the user may enter and trace what is
 * in the namespace.
 */
neg_errno userns_fake_root(const struct userns_ids *ids, int *ret_ns);

/*
 * The other kind of builder: enters a namespace that the user owns, where it is root, and
 * creates a mount namespace (and `more`) of that one's. caps_builder_settle_root()
 * follows.
 */
neg_errno userns_enter(int user_ns, int more);

/* Descriptors of namespaces. */
struct userns_set {
    int mnt;
    int user;          /* the user's own, in which he is root, or -1 */
    int net, ipc, uts; /* -1 where a task stays where it is */
};

/* Moves the calling task into these and gives up every privilege, but that of a fake
 * root in his own namespace; sets no_new_privs. */
neg_errno userns_join(const struct userns_set *set);

#endif
