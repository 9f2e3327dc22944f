/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PRIVILEGED_ROOM_H
#define VITRINE_PRIVILEGED_ROOM_H

/*
 * Where named containers lie on a node's disk, below a directory of the administrator's:
 *
 *     user/UID/NAME            until the user removes them
 *     job/BOOT/JOB/NAME        as long as the job; BOOT is the node's boot id
 *
 * UID and JOB belong to the user, who does there what he likes; all above is root's.
 */
#include "base/error.h"

#include <stdbool.h>

#define ROOM_BOOT_MAX 64

/* The id of this boot of the node, random(4). */
neg_errno room_boot(char ret[ROOM_BOOT_MAX]);

/*
 * As root: makes and opens the user's directory (O_RDONLY, close-on-exec) for a job, or
 * for all of his jobs with NULL. -EPERM if `base` is not root's alone, -EINVAL for a name
 * that is no job's. Safe between processes.
 */
neg_errno room_make(const char *base, uid_t uid, gid_t gid, const char *job);

/* A name of digits, underscores and the like: nothing that could lead elsewhere. */
bool room_is_name(const char *name);

#endif
