/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IDENTITY_SUBIDS_H
#define VITRINE_IDENTITY_SUBIDS_H

/* The subordinate ids that the administrator gave a user: subuid(5), subgid(5). */
#include "base/error.h"
#include "base/idmap.h"
#include "base/limits.h"

struct subids {
    struct id_range ranges[LIMIT_SUBIDS];
    size_t n;
};

/* Whose they are. */
struct subids_owner {
    const char *user; /* NULL: the host has no name for him */
    uid_t uid;
    uint32_t own; /* his own user (or group) id, which is never subordinate */
};

/*
 * The ranges of a user, named or numbered, in the text of /etc/subuid or /etc/subgid.
 * What cannot be meant is passed over: lines of another form, no ids at all, ids that do
 * not exist, root's, his own, and what overlaps an earlier range of his.
 */
void subids_parse(const char *text, const struct subids_owner *owner, struct subids *ret);

/* The same from a file; one that does not exist gives nobody anything. */
int subids_read(const char *path, const struct subids_owner *owner, struct subids *ret,
                struct vitrine_error *err);

#endif
