/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_ANSWER_H
#define VITRINE_REGISTRY_ANSWER_H

/* What a registry's or a token server's JSON says to a user, and about a token. */
#include "base/error.h"
#include "registry/http.h"

/* " (its sentence about an error)", printable and short, or "". */
void answer_message(const struct http_answer *answer, char *buf, size_t size);

/* {"token" or "access_token": ..., "expires_in": SECONDS}. The caller frees *ret. */
int answer_token(const struct http_answer *answer, char **ret, unsigned *ret_seconds,
                 struct vitrine_error *err);

#endif
