/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PRIVILEGED_USERNS_H
#define VITRINE_PRIVILEGED_USERNS_H

#include "base/error.h"

/*
 * The builder's user and mount namespace, owned by root: the user can neither enter it
 * nor gain capabilities over it, and creating it needs no unprivileged user namespaces.
 *
 * In the builder: userns_create(), with the CLONE_NEW... of other namespaces that it
 * shall own, then the parent's userns_map(), then userns_settle(), which makes the
 * builder the user for good, with capabilities in that namespace alone.
 */
neg_errno userns_create(int more);
neg_errno userns_map(pid_t builder);
neg_errno userns_settle(uid_t user);

/*
 * The other kind of builder: enters a namespace that the user owns, where it is root, and
 * creates a mount namespace (and `more`) of that one's. caps_builder_settle() follows.
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
