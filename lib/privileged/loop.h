/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PRIVILEGED_LOOP_H
#define VITRINE_PRIVILEGED_LOOP_H

#include "base/error.h"

#include <stdint.h>

/*
 * A read-only loop device over `image` from `offset` (bytes, a multiple of 512) to the
 * end of the file. If one exists already for the same file and offset it is shared, so
 * that concurrent steps share the superblock and the page cache. Nobody needs to release
 * it: it is cleared by the kernel after the last close and unmount.
 *
 * Returns an open descriptor of the device and its number, for /dev/loopN. Runs with euid
 * 0 and raised capabilities. Safe between processes.
 */
neg_errno loop_attach(int image, uint64_t offset, int *ret_number);

#endif
