/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_BASE_SPAWN_H
#define VITRINE_BASE_SPAWN_H

/*
 * Starts a program of ours from a process that has more than it should get: slurmstepd's
 * memory, descriptors, signals and capabilities, or srun's.
 */
#include "base/error.h"

#include <sys/types.h>

/* So many descriptors a program may have. */
#define SPAWN_FDS 16

/* All borrowed. */
struct spawn {
    const char *program; /* absolute */
    char *const *argv, *const *envp;
    const int *fds; /* the program's descriptor i is fds[i], -1: /dev/null; it has no
                       others */
    size_t nfds;
    bool detached;   /* in a session of its own, in "/", and nobody's child; otherwise a
                        child that gets SIGTERM when its parent ends, in the same session */
    const char *cwd; /* of one that is not detached; NULL: the caller's */
    /* In the new process, before its descriptors are placed: what it gives up, or who it
     * becomes. May be NULL. */
    neg_errno (*become)(void *arg);
    void *arg;
};

/*
 * Returns when the program runs: its pid (0: it is detached), or -errno that tells why it
 * does not. All signals are as a login shell has them, but for those of a terminal, which
 * stay ignored where they are.
 */
neg_errno spawn_start(const struct spawn *spawn);

#endif
