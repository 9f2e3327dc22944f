/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGEFILE_WORKERS_H
#define VITRINE_IMAGEFILE_WORKERS_H

/* Threads that work on what one thread gives them, in any order. */
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct workers;

/* How many threads: as many as processors that this process may use, a few at most. */
unsigned workers_wanted(void);

/* `scratch` is memory of the thread's own. */
typedef void (*workers_f)(void *arg, void *item, void *scratch);

/* NULL: no thread can be made, errno says why. */
struct workers *workers_start(workers_f work, void *arg, size_t scratch_size);

/* Whether workers_add() would not wait; waits itself for a moment before it says no. */
bool workers_have_room(struct workers *workers);
void workers_add(struct workers *workers, void *item);
/* Whether all is done; waits for a moment before it says no. */
bool workers_are_idle(struct workers *workers);

/* Waits until all is done, and ends the threads. NULL: nothing. */
void workers_end(struct workers *workers);

#endif
