/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONTAINER_FAKEROOT_H
#define VITRINE_CONTAINER_FAKEROOT_H

/* The namespace in which the user is root, and how files come to be his. */
#include "image/fuse-owners.h"
#include "vitrine.h"

struct fakeroot {
    int user_ns;     /* -1: there is none */
    bool has_ranges; /* of subordinate ids; otherwise he has one id in there */
    struct fuse_owners owners;
};

/*
 * Makes a namespace of the user's, with his subordinate ids if `ranges` are wanted and
 * the node's /etc/subuid and /etc/subgid give him some. Runs in the leader.
 */
int fakeroot_open(const struct vitrine_identity *who, bool ranges, struct fakeroot *ret,
                  struct vitrine_error *err);

/* The same for a namespace that is there, of a container that runs; it is not consumed.
 */
int fakeroot_adopt(const struct vitrine_identity *who, int user_ns, bool ranges,
                   struct fakeroot *ret, struct vitrine_error *err);

/* The number of group ids from 0 on that he has in there. */
uint32_t fakeroot_gids(const struct fakeroot *fakeroot);

#endif
