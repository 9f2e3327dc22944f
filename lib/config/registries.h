/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONFIG_REGISTRIES_H
#define VITRINE_CONFIG_REGISTRIES_H

/* How registries are reached, and where what comes from them is kept. */
#include "config/keys.h"

/* A line with Registry, or with one of the keys that need it. */
int registries_read(struct parser *p, char *values[KEYS], struct vitrine_error *err);

/* CacheDir, CacheSize, CacheOwner, ImportOn. */
int registries_read_cache(struct config *config, enum key key, const char *value,
                          struct vitrine_error *err);

/* What can be said only after the last line. */
int registries_finish(struct parser *p, struct vitrine_error *err);

#endif
