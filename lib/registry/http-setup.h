/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_HTTP_SETUP_H
#define VITRINE_REGISTRY_HTTP_SETUP_H

/* What holds for all requests of one struct http: certificates, proxies, protocols. */
#include "registry/http.h"

#include <curl/curl.h>

/* Of an environment as a list, or NULL. Empty values are none. */
const char *http_environ(const char *const *env, const char *name);

/* The proxy for a URL; "" for none. libcurl applies no_proxy to it. */
const char *http_proxy(const char *const *env, bool https);
const char *http_no_proxy(const char *const *env);

/*
 * *ret_ca is a file in memory which holds the system's certificates and those of
 * settings->ca_file, or -1; it lives as long as the handle does.
 */
int http_setup(CURL *easy, const struct http_settings *settings, int *ret_ca,
               struct vitrine_error *err);

/* Sets *err for what libcurl says, and returns -1. */
int http_fail(struct vitrine_error *err, CURLcode code, const char *url,
              const char *proxy, const char *detail);
/* For the status with which a proxy refuses. */
int http_fail_proxy(struct vitrine_error *err, long status, const char *url,
                    const char *proxy);
enum http_failure http_failure_of(CURLcode code);

#endif
