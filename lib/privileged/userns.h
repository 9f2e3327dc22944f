/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PRIVILEGED_USERNS_H
#define VITRINE_PRIVILEGED_USERNS_H

#include "base/error.h"

/*
 * The builder's user and mount namespace, owned by root: the user can neither enter it
 * nor gain capabilities over it, and creating it needs no unprivileged user namespaces.
 *
 * In the builder: userns_create(), then the parent's userns_map(), then userns_settle(),
 * which makes the builder the user for good, with capabilities in that namespace alone.
 */
neg_errno userns_create(void);
neg_errno userns_map(pid_t builder);
neg_errno userns_settle(uid_t user);

/* Moves the calling task into the mount namespace and gives up every privilege. */
neg_errno userns_join(int mount_ns);

#endif
