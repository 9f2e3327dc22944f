/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_CREDENTIALS_H
#define VITRINE_REGISTRY_CREDENTIALS_H

/*
 * What the user has for a registry, from the files of other tools, in this order:
 * $REGISTRY_AUTH_FILE; $XDG_RUNTIME_DIR/containers/auth.json;
 * $XDG_CONFIG_HOME (~/.config)/containers/auth.json; $DOCKER_CONFIG (~/.docker)
 * /config.json, each with credential helpers; enroot's .credentials (netrc) in
 * $ENROOT_CONFIG_PATH or $XDG_CONFIG_HOME/enroot. containers-auth.json(5), docker login,
 * netrc(5). Runs as the user. Secrets never get into a message, a log or an argument of
 * a program, and memory that held one is cleared.
 */
#include "base/error.h"

struct credentials {
    char *user; /* NULL: none, anonymous */
    char *password;
    char *identity_token; /* an OAuth2 refresh token instead of a password, or NULL */
    char source[256];     /* the file, for messages ("" for none) */
};

struct credentials_lookup {
    const char *home;
    const char *const *environ; /* "NAME=VALUE", NULL-terminated; may be NULL */
};

/*
 * For host "nvcr.io" and repository "nvidia/pytorch": the most specific entry of the
 * first file that has one. `user` ("": any) must be the one that is meant. Docker Hub has
 * several names (docker.io, index.docker.io, registry-1.docker.io,
 * https://index.docker.io/v1/). A file that is not there is passed over, one that cannot
 * be understood is an error that names it. Free with credentials_free().
 */
int credentials_find(const struct credentials_lookup *lookup, const char *host,
                     const char *repository, const char *user, struct credentials *ret,
                     struct vitrine_error *err);
void credentials_free(struct credentials *credentials);

#endif
