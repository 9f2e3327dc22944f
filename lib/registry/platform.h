/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_PLATFORM_H
#define VITRINE_REGISTRY_PLATFORM_H

/* Which of an index's images run on a platform, and which of these is best. */
#include "registry/manifest.h"

/*
 * How well an image of this architecture and variant (each may be NULL or "") does: the
 * greater the better, 0: it does not run there.
 */
unsigned platform_rank(const struct manifest_platform *platform, const char *architecture,
                       const char *variant);

/* Whether two names are of one architecture: "x86_64" is "amd64". */
bool platform_same_architecture(const char *one, const char *other);

#endif
