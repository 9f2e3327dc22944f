/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_BASE_REALUSER_H
#define VITRINE_BASE_REALUSER_H

/*
 * For a set-user-ID program: the calling thread alone gets the rights of the user who
 * started it, to read his files, and gives them back. Nothing happens in others, where
 * both are the same.
 */
#include "base/error.h"

#include <stdbool.h>

/* Whether the process has another user's rights than those of who started it. */
bool realuser_differs(void);

neg_errno realuser_enter(void);
/* Cannot fail but by a broken kernel; then the process must not go on with either. */
neg_errno realuser_leave(void);

/* In a child that will exec a program of the user's: for good, saved ids too. */
neg_errno realuser_become(void);

#endif
