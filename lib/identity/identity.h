/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IDENTITY_IDENTITY_H
#define VITRINE_IDENTITY_IDENTITY_H

/*
 * Names for the user and his groups inside an image that knows neither: the image's own
 * /etc/passwd and /etc/group with the host's entries for them put in.
 */
#include "base/error.h"
#include "vitrine.h"

#include <stdint.h>

/*
 * Returns fresh text (the caller frees it), NULL without memory. `image` is the image's
 * file, or "" if it has none. An entry of the image with the user's (a group's) name or
 * id gives way, so that names and ids map one to one to what they are on the host.
 */
char *identity_passwd(const struct vitrine_identity *who, const char *image);
char *identity_group(const struct vitrine_identity *who, const char *image);

/*
 * The same for a fake root, whose names are the image's own: with root's where it has
 * none, and of the user's groups those that keep their ids. These are the ones from
 * `gids` on: so many ids, 0 and the subordinate ones, mean something else inside.
 */
char *identity_root_passwd(const char *image);
char *identity_root_group(const struct vitrine_identity *who, uint32_t gids,
                          const char *image);

#endif
