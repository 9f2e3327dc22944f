/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SPEC_MOUNTFLAGS_H
#define VITRINE_SPEC_MOUNTFLAGS_H

/* The third part of a mount entry: FLAG+FLAG... */
#include "spec/mountspec.h"

/*
 * Applies the flags to an entry, of which text, kind and source are known; a bind with
 * the flag `squashfs` becomes a MOUNTSPEC_SQUASHFS. `flags` is changed on the way.
 */
int mountflags_apply(struct mountspec *spec, char *flags, struct vitrine_error *err);

#endif
