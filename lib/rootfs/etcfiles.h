/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_ETCFILES_H
#define VITRINE_ROOTFS_ETCFILES_H

#include "rootfs/skeleton.h"
#include "vitrine.h"

/*
 * Puts into the container's /etc what must be the host's there: names of the user and his
 * groups, hosts, resolv.conf, hostname, time zone. What the host lacks, the image keeps.
 */
int etcfiles_write(const struct skeleton *skeleton, const struct vitrine_identity *who,
                   struct vitrine_error *err);

#endif
