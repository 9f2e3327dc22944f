/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_BASE_IDMAP_H
#define VITRINE_BASE_IDMAP_H

/* Runs of user or group ids, as plain values. */
#include <stddef.h>
#include <stdint.h>

struct id_range {
    uint32_t start, count;
};

/* A line of /proc/PID/uid_map: `count` ids from `inside` on are those from `outside` on.
 */
struct id_map {
    uint32_t inside, outside, count;
};

#endif
