/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_CHALLENGE_H
#define VITRINE_REGISTRY_CHALLENGE_H

/* WWW-Authenticate, RFC 9110 section 11.6.1: what a server wants to see. */
#include <stdbool.h>

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
    enum challenge_scheme scheme;
    char realm[2048]; /* of a bearer: where tokens come from */
    char service[256];
};

/*
 * The best one among those of a header, or of several joined by commas: a bearer token
 * with a realm, else Basic, else none. What is malformed is passed over.
 */
void challenge_parse(const char *header, struct challenge *ret);

#endif
