/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_BASE_CLOSEST_H
#define VITRINE_BASE_CLOSEST_H

#include <stddef.h>

/* The one of `names` that `word` may be a slip of the pen for, or NULL. */
const char *closest_name(const char *word, const char *const *names, size_t count);

#endif
