/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SQFSWRITE_PLACE_H
#define VITRINE_SQFSWRITE_PLACE_H

#include "base/error.h"

/* Where a walk of a tree is, for messages: on its stack, the root last. */
struct place {
    const struct place *up;
    const char *name;
};

/* Puts the path before the text of *err; returns -1. */
int place_wrap(const struct place *place, struct vitrine_error *err);

#endif
