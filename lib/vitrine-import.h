/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMPORT_H
#define VITRINE_IMPORT_H

/*
 * libvitrine-import: gets images from registries, OCI layouts and archives, and makes
 * SquashFS files of them and of directories. Runs as a user, never as root for somebody
 * else, and never in slurmstepd. See libvitrine(3).
 *
 * As libvitrine it keeps no global state, never prints, never exits. Calls that take long
 * report what they do through struct vitrine_progress, and end soon after `cancelled`
 * says so; nothing is left on the disk then, nor after SIGKILL but what vitrine_unpack()
 * has begun, and, where a file system has no nameless files, a hidden temporary file.
 */
#include "vitrine.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an import has done so far. */
struct vitrine_progress {
    unsigned layers, layers_done;
    uint64_t bytes, bytes_done; /* of the layers as they are transferred */
};

/* All are called from the thread that called the library, and may be NULL. */
struct vitrine_watch {
    /* At most ten times a second, and once at the end. */
    void (*progress)(void *arg, const struct vitrine_progress *progress);
    /* One line for the user, without a newline: what is being retried, for instance. */
    void (*remark)(void *arg, const char *line);
    bool (*cancelled)(void *arg);
    void *arg;
};

struct vitrine_import_spec {
    const char *image;    /* docker://..., REGISTRY#IMAGE, oci:DIR[:TAG],
                             docker-archive:FILE[:NAME[:TAG]], or, as in Docker,
                             IMAGE[:TAG] */
    const char *digest;   /* "sha256:...": of the platform's manifest, if it is known
                             already, as vitrine_import() has told it; may be NULL */
    const char *platform; /* "ARCH[/VARIANT]" as in GOARCH; NULL: this machine's */
    const char *home;     /* where credentials are, and the cache's default */
    const char *const *environ; /* "NAME=VALUE", NULL-terminated: proxies,
                                   REGISTRY_AUTH_FILE, DOCKER_CONFIG, XDG_RUNTIME_DIR,
                                   ENROOT_CONFIG_PATH, SSL_CERT_FILE */
    const char *user;           /* his name, for %u in CacheDir */
    const char *step; /* "JOB.STEP": steps of this name agree on one digest through
                         the cache; NULL otherwise */
    int64_t until;    /* the image will be in use until then (seconds since 1970), so the
                         cache shall keep it; 0: not known */
    const struct vitrine_watch *watch; /* may be NULL */
};

struct vitrine_imported {
    char digest[VITRINE_DIGEST_MAX]; /* of the platform's manifest */
    char path[4096];                 /* of the file in the cache */
    bool was_cached;
};

/*
 * Makes sure that an image is in the cache that the configuration names. Asks the
 * registry unless the digest is known and the file is there. Many processes on many nodes
 * may call it at once: one imports, the others wait for it.
 */
VITRINE_PUBLIC int vitrine_import(const struct vitrine_config *config,
                                  const struct vitrine_import_spec *spec,
                                  struct vitrine_imported *ret,
                                  struct vitrine_error *err);

/* The same to a file of its own, which is replaced when the new one is whole. */
VITRINE_PUBLIC int vitrine_import_file(const struct vitrine_config *config,
                                       const struct vitrine_import_spec *spec,
                                       const char *file,
                                       char ret_digest[VITRINE_DIGEST_MAX],
                                       struct vitrine_error *err);

/* Makes a SquashFS file of a directory. What is in it belongs to root in the image if
 * `root_owned`, to whom it belongs on the host otherwise. */
VITRINE_PUBLIC int vitrine_pack(const char *dir, const char *file, bool root_owned,
                                const struct vitrine_watch *watch,
                                struct vitrine_error *err);

/*
 * Makes a directory of an image file, with the rights that the process has: files that
 * it cannot give to others, and device nodes that it cannot make, are counted, and told
 * through watch->remark. `dir` must not exist, or be empty.
 */
VITRINE_PUBLIC int vitrine_unpack(const char *file, const char *dir,
                                  const struct vitrine_watch *watch,
                                  struct vitrine_error *err);

/* Reads every block of an image file, and all metadata. */
VITRINE_PUBLIC int vitrine_verify(const char *file, const struct vitrine_watch *watch,
                                  struct vitrine_error *err);

#ifdef __cplusplus
}
#endif

#endif
