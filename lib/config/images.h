/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONFIG_IMAGES_H
#define VITRINE_CONFIG_IMAGES_H

/* Default images, and the partitions that they are for. */
#include "config/keys.h"

/* The value of Image. */
int images_read(const char *text, struct config_image *ret, struct vitrine_error *err);

/* A line with PartitionName. */
int images_read_partition(struct parser *p, char *values[KEYS],
                          struct vitrine_error *err);

/* What can be said only after the last line. */
int images_finish(struct parser *p, struct vitrine_error *err);

#endif
