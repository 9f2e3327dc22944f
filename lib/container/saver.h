/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONTAINER_SAVER_H
#define VITRINE_CONTAINER_SAVER_H

#include "container/container.h"

/* Starts who will save the prepared container of `job` to the file that its spec names;
 * nothing if it names none. Fails if that file could not be written. */
int saver_start(struct job *job, struct vitrine_error *err);

#endif
