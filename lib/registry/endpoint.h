/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_ENDPOINT_H
#define VITRINE_REGISTRY_ENDPOINT_H

/*
 * One place that has the image: a mirror, or the registry itself. Each has its own
 * settings (the line Registry= of its host) and credentials. For several threads, which
 * each have a struct http of their own for it.
 */
#include "config/config.h"
#include "registry/auth.h"
#include "registry/credentials.h"
#include "registry/http.h"

#include <pthread.h>

struct endpoint {
    char *host;       /* "mirror.site:5000": its name in messages and credentials */
    char *address;    /* the host that is asked: docker.io is registry-1.docker.io */
    char *repository; /* with a mirror's prefix */
    const char *ca_file;
    bool is_mirror, allow_http;
    struct credentials credentials;
    struct auth *auth;
    pthread_mutex_t lock;
    const char *scheme; /* NULL: not known yet, whether https or http */
};

/*
 * `url` is a mirror's; NULL: the registry itself. A mirror whose host has no line of its
 * own has the registry's settings. Fill *ret with zeros before.
 */
int endpoint_init(struct endpoint *ret, const struct config *config, const char *host,
                  const char *url, const char *repository, const char *user,
                  const struct credentials_lookup *lookup, struct vitrine_error *err);
void endpoint_done(struct endpoint *endpoint);

/* An answer of status 2xx to the request, whose URL is "/v2/REPOSITORY" and `path`
 * ("/manifests/latest"). `what` is missing if it is not there. */
int endpoint_get(struct endpoint *endpoint, struct http *http, const char *path,
                 const char *what, struct http_request *request, struct http_answer *ret,
                 struct vitrine_error *err);

#endif
