/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ENVIRON_CHANGES_H
#define VITRINE_ENVIRON_CHANGES_H

/*
 * What has to be done to an environment, as a file that the leader writes once and each
 * task of the node reads: records "NAME=VALUE" (set it) or "NAME" (unset it), each ended
 * by a NUL byte. Only what differs is in it, so what differs from task to task
 * (SLURM_PROCID) is not touched.
 */
#include "environ/envlist.h"

/* Writes what makes `to` of `from`, from the descriptor's offset on. A variable that
 * execve(2) would refuse is an error that names it. */
int changes_write(const char *const *from, const struct envlist *to, int fd,
                  struct vitrine_error *err);

/* See vitrine_environ_each(). */
int changes_each(int fd, bool (*each)(void *arg, const char *name, const char *value),
                 void *arg, struct vitrine_error *err);

#endif
