/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PRIVILEGED_MOUNTLOCK_H
#define VITRINE_PRIVILEGED_MOUNTLOCK_H

#include "base/error.h"

#include <stddef.h>

/*
 * Replaces each of n detached mounts by a copy whose nosuid, nodev, ro and the like the
 * root of `user_ns` cannot take away, wherever he mounts it. For a process with the
 * capabilities of caps_keep(), single-threaded. The namespace is the user's own.
 */
neg_errno mountlock(int user_ns, int *mounts, size_t n);

#endif
