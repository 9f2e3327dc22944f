/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_LEADER_H
#define VITRINE_PLUGIN_LEADER_H

/*
 * One preparation per node and step, shared by its tasks.
 *
 * slurmstepd makes the shared state before it forks the tasks. The first task that takes
 * the lock is the leader and prepares; the others wait for the lock and take over what it
 * left: the container's descriptors, or its error. A leader that is killed loses the lock
 * to the next, who starts anew.
 */
#include "vitrine.h"

enum leader_state {
    LEADER_NONE, /* nobody has prepared yet */
    LEADER_HOST, /* decided: the tasks stay on the host */
    LEADER_READY,
    LEADER_FAILED,
};

struct leader;

/* In slurmstepd. NULL with *err set. */
struct leader *leader_new(struct vitrine_error *err);
void leader_free(struct leader *leader);

/*
 * In a task: waits for the lock, which the process then holds until leader_leave(). While
 * the state is LEADER_NONE the caller is the leader and has to end that by one of the
 * three calls below.
 */
enum leader_state leader_enter(struct leader *leader);
void leader_leave(struct leader *leader);

/* In slurmstepd, once the tasks have ended. Does not wait: a task that cannot be killed
 * may still hold the lock. */
enum leader_state leader_outcome(const struct leader *leader);

void leader_decide_host(struct leader *leader);
void leader_fail(struct leader *leader, const struct vitrine_error *err);
/* Stores the container's descriptors for the others; the caller keeps his own. */
int leader_publish(struct leader *leader, const struct vitrine_container *container,
                   struct vitrine_error *err);

/* What a leader fills before leader_publish(), and what others read after it. */
struct vitrine_ready *leader_ready(struct leader *leader);
const struct vitrine_error *leader_error(const struct leader *leader);

/* The published container, with descriptors for this process. */
int leader_take(const struct leader *leader, struct vitrine_container *ret,
                struct vitrine_error *err);

/* The write end of a pipe that the FUSE server holds as long as it lives. */
int leader_server_log(const struct leader *leader);

/* What the FUSE server said so far, one line; "" if nothing. Does not wait. */
void leader_server_words(const struct leader *leader, char *words, size_t size);

/* In slurmstepd, once all tasks are forked: whether the FUSE server has ended although it
 * was still needed. Does not wait. */
bool leader_server_died(struct leader *leader);

/*
 * In slurmstepd, when the last task has ended: lets go of the namespace, so that the
 * kernel frees it, and waits a moment for the FUSE server to notice (slurmstepd would
 * otherwise find it alive and wait a whole second).
 */
void leader_release(struct leader *leader);

#endif
