/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IDENTITY_IDENTITY_H
#define VITRINE_IDENTITY_IDENTITY_H

/*
 * Names for the user and his groups inside an image that knows neither: the image's own
 * /etc/passwd and /etc/group with the host's entries for them put in.
 */
#include "base/error.h"
#include "vitrine.h"

/*
 * Returns fresh text (the caller frees it), NULL without memory. `image` is the image's
 * file, or "" if it has none. An entry of the image with the user's (a group's) name or
 * id gives way, so that names and ids map one to one to what they are on the host.
 */
char *identity_passwd(const struct vitrine_identity *who, const char *image);
char *identity_group(const struct vitrine_identity *who, const char *image);

#endif
