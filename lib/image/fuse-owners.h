/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_FUSE_OWNERS_H
#define VITRINE_IMAGE_FUSE_OWNERS_H

/* To whom the FUSE server says that an image's files belong, and how it is told so. */
#include "base/idmap.h"
#include "base/limits.h"

#include <stdbool.h>
#include <sys/types.h>

struct fuse_owners {
    bool all; /* everything belongs to uid and gid; the maps mean nothing */
    uid_t uid;
    gid_t gid;
    /* Inside is what the image says, outside is what readers get. */
    struct id_map uids[LIMIT_SUBIDS + 1], gids[LIMIT_SUBIDS + 1];
    size_t nuids, ngids;
};

/* Room for any: 33 times two maps of "4294967295:4294967295:4294967295,". */
#define FUSE_OWNERS_TEXT 2304

/* As an argument of the server: see fuse-protocol.h. */
void fuse_owners_format(const struct fuse_owners *owners, char ret[FUSE_OWNERS_TEXT]);
bool fuse_owners_parse(const char *text, struct fuse_owners *ret);

/* What readers get for an owner and a group of the image; 65534 if no map has it. */
uid_t fuse_owners_uid(const struct fuse_owners *owners, uint32_t uid);
gid_t fuse_owners_gid(const struct fuse_owners *owners, uint32_t gid);

#endif
