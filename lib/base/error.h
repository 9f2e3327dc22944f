/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_BASE_ERROR_H
#define VITRINE_BASE_ERROR_H

/*
 * Two conventions, told apart by signature. base/ and privileged/ return `neg_errno`
 * (0 or a value above it on success, -errno on failure, no text). Everything above takes
 * `struct vitrine_error *err` as its last parameter and returns -1 or NULL.
 */
#include "vitrine.h"

/* 0 (or a useful value > 0) on success, -errno on failure. */
typedef int neg_errno;

/* Like vitrine_fail_sys(), for a neg_errno that a callee returned. */
int error_from(struct vitrine_error *err, enum vitrine_errcode code, neg_errno cause,
               const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
