/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_AUTH_H
#define VITRINE_REGISTRY_AUTH_H

/*
 * Who we are to a registry: nobody until it asks, then Basic or a bearer token, which is
 * fetched anew before it ends or when the registry no longer takes it. For several
 * threads: one fetches a token, the others wait for it.
 *
 * To whom a password goes: to the registry's own origin, and to the realm that the
 * registry names for tokens. That realm may be another host (auth.docker.io, or a
 * GitLab), and no list says which, so the registry's word is taken: it could hand on
 * the password itself as well. But then it must be the registry's word. So
 * - only an answer of the registry's own origin is believed, never that of a host to
 *   which it redirects (http.h);
 * - the realm must be https; http is taken only if the registry itself is asked over
 *   http, which the administrator has allowed, and the realm is on the same host;
 * - the password goes nowhere from there: redirects lose it (http.h), and a POST with
 *   it is not redirected at all;
 * - the scope is ours, to pull one repository, whatever the challenge says.
 */
#include "base/error.h"
#include "registry/credentials.h"
#include "registry/http.h"

struct auth;

/* `host` is the registry's name in messages. All is borrowed and outlives it. */
struct auth *auth_new(const char *host, const char *repository,
                      const struct credentials *credentials);
void auth_free(struct auth *auth);

/* The value of Authorization for the next request, NULL: none. Free it with
 * auth_forget(). */
int auth_header(struct auth *auth, struct http *http, char **ret,
                struct vitrine_error *err);
void auth_forget(char *header);

/*
 * The registry has answered a request to `url`, which had the header `sent` (or NULL),
 * with 401 and this challenge. What auth_header() gives next is another one; fails if
 * there is none.
 */
int auth_challenged(struct auth *auth, const char *url, const char *challenge,
                    const char *sent, struct vitrine_error *err);

/* "needs a login: ..." or "refuses the credentials of FILE ...", with the registry's own
 * words. */
int auth_fail(const struct auth *auth, const struct http_answer *answer,
              struct vitrine_error *err);

#endif
