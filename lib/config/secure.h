/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONFIG_SECURE_H
#define VITRINE_CONFIG_SECURE_H

#include "base/error.h"

/*
 * Fails unless root alone can have written what is open at `fd` and could make `path`
 * lead to it: a regular file, and the directories above it, both as named in `path` and
 * where links lead. The message names what is wrong.
 */
int secure_check(int fd, const char *path, struct vitrine_error *err);

/* The same for a directory that is named: it, and those above it, are root's alone. */
int secure_check_directory(const char *path, struct vitrine_error *err);

#endif
