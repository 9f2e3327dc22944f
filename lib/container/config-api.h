/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONTAINER_CONFIG_API_H
#define VITRINE_CONTAINER_CONFIG_API_H

#include "config/config.h"
#include "vitrine.h"

/* What the opaque handle is. */
const struct config *config_of(const struct vitrine_config *config);

#endif
