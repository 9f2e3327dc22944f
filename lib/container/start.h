/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONTAINER_START_H
#define VITRINE_CONTAINER_START_H

#include "container/container.h"

/* Makes the container that `job` describes, or finds it. */
int start_container(struct job *job, struct vitrine_error *err);

/* When nothing can go wrong any more: a new named container exists from now on. */
int start_record(struct job *job, struct vitrine_error *err);

#endif
