/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_NAMESPACE_NS_H
#define VITRINE_NAMESPACE_NS_H

#include "base/error.h"

#include <stddef.h>

/*
 * Runs in the builder: the calling user, with CAP_SYS_ADMIN in a user and mount namespace
 * of its own. Leaves the process's root and mounts as the container shall see them, and
 * its answer in `reply`. 0, or -1 with *err set.
 */
typedef int (*ns_build_f)(void *arg, void *reply, struct vitrine_error *err);

/* Runs in the caller, with the same argument, while the builder works; `until` becomes
 * readable when that is done. */
typedef void (*ns_meanwhile_f)(void *arg, int until);

/*
 * Forks a builder, lets it work, and returns (in *ret_ns, close-on-exec) the mount
 * namespace that it leaves. `reply` is `size` bytes, at most NS_REPLY_MAX, filled by the
 * builder; NULL with 0. The builder is gone when this returns, and dies with the caller.
 *
 * For a single-threaded process with the capabilities of caps_keep(); waits as long as
 * the builder takes, which may be long on a hanging file system.
 */
int ns_build(ns_build_f build, ns_meanwhile_f meanwhile, void *arg, void *reply,
             size_t size, int *ret_ns, struct vitrine_error *err);

#define NS_REPLY_MAX 65536

#endif
