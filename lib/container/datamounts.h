/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONTAINER_DATAMOUNTS_H
#define VITRINE_CONTAINER_DATAMOUNTS_H

#include "container/container.h"

/* Reads what the job shall have mounted, and mounts the SquashFS files among it,
 * detached. */
int datamounts_open(struct job *job, struct vitrine_error *err);

#endif
