/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONTAINER_ENTRYPOINT_H
#define VITRINE_CONTAINER_ENTRYPOINT_H

#include "vitrine.h"

/* Where the container has the program that an entry point is given as its command. */
#define ENTRYPOINT_COMMAND "/run/vitrine/environ"

struct entrypoint {
    const struct vitrine_container *container;
    const struct vitrine_ready *ready;
    const char *args;           /* each ended by a NUL, the last by two */
    const char *const *environ; /* of the tasks, on the host */
    const char *cwd;
    bool log; /* what it says is to be seen */
};

/*
 * Runs the image's entry point inside the container, once, and lets it do its work: it is
 * given a command that tells its environment, which then replaces the changes in the
 * container's VITRINE_FD_ENVIRON. What it leaves in the background stays in the step.
 * Runs in the leader, as the user, before it joins.
 */
int entrypoint_run(const struct entrypoint *entrypoint, struct vitrine_error *err);

#endif
