/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONFIG_SYNTAX_H
#define VITRINE_CONFIG_SYNTAX_H

/* The syntax of slurm.conf without its surprises: lines, pairs, lists. No key is known.
 */
#include "base/error.h"

/*
 * Takes the next "Key=Value" off *line, in place, and moves *line behind it. Returns 1, 0
 * at the end of the line or at a comment, or -1.
 */
int syntax_next_pair(char **line, char **ret_key, char **ret_value,
                     struct vitrine_error *err);

/* Takes the next item off a list with commas, in place; NULL behind the last one. */
char *syntax_next_item(char **list);

#endif
