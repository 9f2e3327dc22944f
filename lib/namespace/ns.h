/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_NAMESPACE_NS_H
#define VITRINE_NAMESPACE_NS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Runs in the builder: the calling user, with CAP_SYS_ADMIN in a user and mount namespace
 * of its own. Leaves the process's root and mounts as the container shall see them, its
 * answer in `reply`, and in *ret_extra a descriptor for the caller, if any. 0, or -1 with
 * *err set.
 */
typedef int (*ns_build_f)(void *arg, void *reply, int *ret_extra,
                          struct vitrine_error *err);

/* Runs in the caller, with the same argument, while the builder works; `until` becomes
 * readable when that is done. */
typedef void (*ns_meanwhile_f)(void *arg, int until);

struct ns_wish {
    ns_build_f build;
    ns_meanwhile_f meanwhile; /* or NULL */
    void *arg;
    int user_ns; /* the builder works in this namespace of the user's, as its root; -1: in
                    one that root owns */
    bool own_ids; /* that one maps nobody but the user and his groups, otherwise
                     everybody: capabilities over files reach no further */
    int more;     /* CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS: those come as well, the
                     network with its loopback device up */
};

/* What the builder leaves, each close-on-exec, or -1. */
enum { NS_MNT, NS_NET, NS_IPC, NS_UTS, NS_EXTRA, NS_LEFT };

/*
 * Forks a builder, lets it work, and returns what it leaves in `left`. `reply` is `size`
 * bytes, at most NS_REPLY_MAX, filled by the builder; NULL with 0. The builder is gone
 * when this returns, and dies with the caller.
 *
 * For a single-threaded process with the capabilities of caps_keep(); waits as long as
 * the builder takes, which may be long on a hanging file system.
 */
int ns_build(const struct ns_wish *wish, void *reply, size_t size, int left[NS_LEFT],
             struct vitrine_error *err);

#define NS_REPLY_MAX 65536

#endif
