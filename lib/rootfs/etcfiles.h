/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_ETCFILES_H
#define VITRINE_ROOTFS_ETCFILES_H

#include "base/error.h"
#include "vitrine.h"

/*
 * Puts into the /etc of `root` (a writable overlay) what must be the host's there: names
 * of the user and his groups, hosts, resolv.conf, hostname, time zone. What the host
 * lacks, the image keeps. An image whose /etc is not a directory is an error.
 */
int etcfiles_write(int root, const struct vitrine_identity *who,
                   struct vitrine_error *err);

#endif
