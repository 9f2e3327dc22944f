/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_TRUST_H
#define VITRINE_IMAGE_TRUST_H

/* Which image files the kernel may parse. */
#include "vitrine.h"

/*
 * True if the opened file and every directory above it belong to root or one of `owners`
 * and can be written by nobody else, so that only these could ever have made or changed
 * it. Anything else, and whatever cannot be found out, is false, with the reason in
 * *ret_why (which may be NULL): that is no failure, it only asks for FUSE.
 *
 * Runs as the user, but must run in the user namespace of the host: in another one,
 * owners are what its creator says they are.
 */
bool image_is_trusted(int fd, const uid_t *owners, size_t nowners,
                      struct vitrine_error *ret_why);

/*
 * The same for a file somewhere below a directory that `owner` alone (or root) writes to,
 * and whose own directories there he closes to everybody: what is in there is his work,
 * whoever has opened it.
 */
bool image_is_trusted_below(int fd, const char *dir, uid_t owner,
                            struct vitrine_error *ret_why);

#endif
