/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_PIN_H
#define VITRINE_PLUGIN_PIN_H

/*
 * Which image a tag meant when the job was submitted: a variable of the job's
 * environment, "DIGEST REFERENCE", one such line for each image (a heterogeneous job has
 * several). It counts for the reference as the user wrote it and for no other. Knows
 * nothing of Slurm.
 */
#include "vitrine.h"

#define PIN_VARIABLE "SLURM_VITRINE_DIGEST"

/* Whatever a user puts there, more is not read. */
#define PIN_MAX 32768

/* The digest in the variable's value (NULL: it is not set) for a reference. */
bool pin_find(const char *value, const char *reference, char ret[VITRINE_DIGEST_MAX]);

/* The value with one more line, instead of another one for the same reference; NULL: no
 * memory. Those that come first are forgotten if it grows too long. The caller frees it.
 */
char *pin_add(const char *value, const char *reference, const char *digest);

#endif
