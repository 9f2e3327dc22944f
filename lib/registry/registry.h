/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_REGISTRY_H
#define VITRINE_REGISTRY_REGISTRY_H

/*
 * One repository of a registry, by the OCI distribution specification 1.1: its mirrors
 * are asked first, each in its turn, then the registry itself. Whoever has the manifest
 * is asked for blobs, and the next one if he fails. All that is returned as a whole has
 * been compared with its digest.
 */
#include "config/config.h"
#include "registry/http.h"
#include "registry/manifest.h"
#include "spec/registryref.h"

#include <pthread.h>
#include <stdatomic.h>

struct registry;
struct registry_link; /* one thread's connections to it */

/* All is borrowed, and outlives the registry. */
struct registry_settings {
    const struct registryref *ref;
    const struct config *config;
    const char *home;
    const char *const *environ;
    const struct vitrine_watch *watch; /* for the link with `is_main` */
    const atomic_bool *stop;
    unsigned patience_ms, pause_ms; /* as in struct http_settings */
};

/* Reads credentials; makes no request. */
int registry_open(const struct registry_settings *settings, struct registry **ret,
                  struct vitrine_error *err);
void registry_close(struct registry *registry);

/* Opened and closed in the thread that opened the registry, used in any one. */
int registry_link_open(struct registry *registry, bool is_main,
                       struct registry_link **ret, struct vitrine_error *err);
void registry_link_close(struct registry_link *link);

struct registry_manifest {
    char *json;
    size_t size;
    char media_type[256];
    char digest[DIGEST_TEXT];
};

/* `reference` is a tag or a digest. The caller frees ret->json. */
int registry_manifest(struct registry_link *link, const char *reference,
                      struct registry_manifest *ret, struct vitrine_error *err);

/* The same without the document, ret->json is NULL, if the registry can say the digest
 * without it; the registry's word has to do then. */
int registry_head(struct registry_link *link, const char *reference,
                  struct registry_manifest *ret, struct vitrine_error *err);

/* A small one, of LIMIT_JSON_SIZE at most. The caller frees *ret. */
int registry_blob(struct registry_link *link, const struct manifest_blob *blob,
                  char **ret, struct vitrine_error *err);

/* Where a registry's blob store keeps a blob, so that the registry is not asked for each
 * part. Empty at first; end it with registry_shortcut_done(). */
struct registry_shortcut {
    pthread_mutex_t lock;
    char *url;
};
int registry_shortcut_init(struct registry_shortcut *shortcut);
void registry_shortcut_done(struct registry_shortcut *shortcut);

struct registry_part {
    const struct manifest_blob *blob;
    struct registry_shortcut *shortcut;
    uint64_t start, size;                                   /* size 0: all of it */
    bool (*sink)(void *arg, const void *data, size_t size); /* as in http_request */
    void *arg;
};

/*
 * A part of a blob to a sink; its digest is the caller's to compare. *ret_ranged is false
 * if a part was asked for, but the server gives only the whole: the sink may have had
 * some of the part by then.
 */
int registry_fetch(struct registry_link *link, const struct registry_part *part,
                   bool *ret_ranged, struct vitrine_error *err);

#endif
