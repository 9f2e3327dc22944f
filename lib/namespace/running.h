/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_NAMESPACE_RUNNING_H
#define VITRINE_NAMESPACE_RUNNING_H

#include "privileged/userns.h"

#include <stdbool.h>

/* A container of the calling user's that has at least one process in it. Descriptors are
 * close-on-exec; in `set` those are -1 that are the caller's own. */
struct running {
    struct userns_set set;
    bool has_ranges; /* a fake root's, in which he has more than one id */
    int root;        /* its root directory, O_PATH */
};

/* Stands behind the tag in the overlay of a fake root's container. */
#define RUNNING_FAKE_ROOT ":root"

/*
 * Looks through the caller's own processes for one whose root is the overlay called
 * `tag`, in a namespace that no builder but ours can have made: root owns it, or a fake
 * root's the user himself. -ENOENT if there is none, or if none lets itself be looked at
 * (it has not started its program yet). Runs as the user, without capabilities.
 */
neg_errno running_find(const char *tag, struct running *ret);
void running_close(struct running *running);

#endif
