/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_ETCFILES_H
#define VITRINE_ROOTFS_ETCFILES_H

#include "rootfs/skeleton.h"
#include "vitrine.h"

#include <stdint.h>

/* What the container's /etc shall have of the host's. */
struct etcfiles {
    struct {
        char *text; /* NULL: the image keeps its own */
        size_t size;
    } files[7];
};

/*
 * Reads what must be the host's in the container: names of the user and his groups, put
 * into those of the image (of a fake root's, if `root_gids` is not 0: the number of group
 * ids that he has from 0 on), and hosts, resolv.conf, hostname, time zone. Must run
 * without capabilities over files: a directory may be an image, and its /etc/passwd a
 * link to a file of another user, who shares that directory.
 */
int etcfiles_read(int image, const struct vitrine_identity *who, uint32_t root_gids,
                  struct etcfiles *ret, struct vitrine_error *err);
void etcfiles_free(struct etcfiles *etc);

/* Writes them. What the host lacks, the image keeps. */
int etcfiles_write(const struct etcfiles *etc, const struct skeleton *skeleton,
                   struct vitrine_error *err);

/*
 * For a root without a layer: the files are made in skeleton->layer, which lies under
 * nothing, and mounted over those in `root`; missing ones are made there empty.
 * Without `names_too` passwd and group stay the image's, to be edited.
 */
int etcfiles_bind(const struct etcfiles *etc, const struct skeleton *skeleton, int root,
                  bool names_too, struct vitrine_error *err);

/*
 * For a fake root with a single id: apt does not become the user _apt, which is checked
 * after it has been answered (seccomp_fake_ids()). Nothing in an image without apt.
 */
int etcfiles_write_apt(const struct skeleton *skeleton, struct vitrine_error *err);
int etcfiles_bind_apt(const struct skeleton *skeleton, int root,
                      struct vitrine_error *err);

#endif
