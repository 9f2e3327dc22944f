/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONFIG_PARSER_H
#define VITRINE_CONFIG_PARSER_H

#include "config/config.h"

/*
 * Parses the `size` bytes of config->text, in place, into config, which holds defaults.
 * After a failure config is good for nothing but config_free(). The message begins with
 * "name:line: ".
 */
int parser_run(struct config *config, const char *name, size_t size,
               struct vitrine_error *err);

#endif
