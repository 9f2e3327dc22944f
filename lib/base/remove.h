/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_BASE_REMOVE_H
#define VITRINE_BASE_REMOVE_H

#include "base/error.h"

/*
 * Removes all that is in a directory, however deep and whatever its modes are, with the
 * rights of the process; symbolic links are not followed, mounts not entered. Goes on
 * after what it cannot remove, and returns the first reason.
 */
neg_errno remove_content(int dir);

#endif
