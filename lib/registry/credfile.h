/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_CREDFILE_H
#define VITRINE_REGISTRY_CREDFILE_H

/*
 * The formats of files with credentials, each looked through for one registry. No message
 * repeats what a file says, but for names of hosts and of helpers.
 */
#include "registry/credentials.h"

#include <stdlib.h>
#include <string.h>

struct credfile_query {
    const char *host, *repository;
    const char *user; /* "": any */
    const char *file; /* for messages */
    bool docker;      /* docker's own file: helpers know Docker Hub by a URL */
    const struct credentials_lookup *lookup;
};

/* Each sets *ret_found and, if there is something, what of *ret it knows. */

/* ~/.docker/config.json, containers-auth.json(5). */
int authfile_find(const char *text, size_t size, const struct credfile_query *query,
                  struct credentials *ret, bool *ret_found, struct vitrine_error *err);
/* netrc(5) as enroot reads it. */
int netrc_find(const char *text, size_t size, const struct credfile_query *query,
               struct credentials *ret, bool *ret_found, struct vitrine_error *err);
/* What docker-credential-NAME has for a server. */
int credhelper_get(const char *name, const char *server,
                   const struct credfile_query *query, struct credentials *ret,
                   bool *ret_found, struct vitrine_error *err);

/* The same registry, under any of its names? `len` bytes of `host`. */
bool credfile_is_host(const struct credfile_query *query, const char *host, size_t len);
/* Whether this is the user that is meant. */
bool credfile_is_user(const struct credfile_query *query, const char *user);

/* A variable of lookup->environ, or NULL. */
const char *credfile_env(const struct credentials_lookup *lookup, const char *name);

static inline void secret_free(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

static inline void secret_freep(char **secret)
{
    secret_free(*secret);
}

#define cleanup_secret __attribute__((cleanup(secret_freep)))

#endif
