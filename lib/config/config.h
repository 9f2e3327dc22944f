/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONFIG_CONFIG_H
#define VITRINE_CONFIG_CONFIG_H

/*
 * What the administrator wants: vitrine.conf(5). Every slurmstepd reads it as root when a
 * step starts, so it is read once and in one piece, and bounded (base/limits.h).
 */
#include "base/error.h"

#include <stdint.h>

enum config_kernel_mount {
    CONFIG_KERNEL_MOUNT_TRUSTED, /* the kernel parses images that pass the trust rule */
    CONFIG_KERNEL_MOUNT_ALWAYS,
    CONFIG_KERNEL_MOUNT_NEVER,
};

enum config_compat {
    CONFIG_COMPAT_NONE,  /* the container is not felt */
    CONFIG_COMPAT_PYXIS, /* defaults are those that scripts written for pyxis rely on */
};

enum config_scope {
    CONFIG_SCOPE_JOB,  /* a named container goes with the job that made it */
    CONFIG_SCOPE_USER, /* it stays until the user removes it */
};

/* Where named containers are if ContainerDir says nothing. */
#define CONFIG_CONTAINER_DIR "/var/lib/vitrine"

/* What is kept of imported images if CacheSize says nothing: homes, where they are by
 * default, often have quotas of 20 to 50 GB, and the largest images are 10 GB. */
#define CONFIG_CACHE_SIZE (UINT64_C(20) << 30)

/* A default image. */
struct config_image {
    char *image;   /* an absolute path, an image in a registry, or NULL for "none" */
    bool imported; /* it is in a registry, or the like */
    bool required; /* users may not leave it; never with "none", never imported */
    unsigned line; /* where it stands in the file */
};

struct config_partition {
    const char *name;
    size_t image; /* index in images[] */
    unsigned line;
};

enum config_import_on {
    CONFIG_IMPORT_ON_SUBMIT, /* srun, sbatch and salloc, before a job is asked for */
    CONFIG_IMPORT_ON_NODE,   /* the step's first node */
};

/* A line "Registry=HOST Mirror=URL,... CAFile=/path AllowHTTP=yes". */
struct config_registry {
    const char *host; /* as in struct registryref */
    char **mirrors;   /* base URLs, "https://mirror.site[:port][/prefix]", asked first */
    size_t nmirrors;
    const char *ca_file; /* besides the system's; NULL */
    bool allow_http;     /* http:// may be used where https:// does not answer */
    unsigned line;       /* where it stands in the file */
};

/* The strings, but for images, point into text. */
struct config {
    struct config_image global;          /* .image is NULL without a global default */
    struct config_image *images;         /* those of partitions */
    struct config_partition *partitions; /* sorted by name */
    char **image_dirs;                   /* ImageDir, in its order */
    char **mount_include, **mount_exclude;
    uid_t *trusted_owners; /* besides root */
    size_t nimages, npartitions, nimage_dirs, nmount_include, nmount_exclude;
    size_t ntrusted_owners;
    enum config_kernel_mount kernel_mount;
    enum config_compat compat;
    enum config_scope scope;
    const char *container_dir; /* ContainerDir */
    const char *writable_size; /* WritableSize, as tmpfs takes it; "": half the memory */
    bool mount_host;           /* MountHost=auto */
    bool remap_root;           /* RemapRoot=yes: users may be fake root */
    const char *cache_dir;     /* CacheDir, with %u and %h; NULL: ~/.cache/vitrine */
    uint64_t cache_size;       /* CacheSize, bytes; 0: no limit */
    const char *cache_owner; /* CacheOwner: the account that alone writes to a cache that
                                all users share; NULL: each user has his own */
    enum config_import_on import_on;
    struct config_registry *registries; /* sorted by host */
    size_t nregistries;
    char *path; /* of the file that was read; NULL: there is none */
    char *text;
};

/*
 * Reads `path` after checking that root alone can have written it: the file, and every
 * directory above it. If it does not exist, the defaults are returned unless must_exist.
 * The caller frees *ret with config_free().
 */
int config_load(const char *path, bool must_exist, struct config **ret,
                struct vitrine_error *err);

/* The same from memory and without checks; `name` stands for the file in messages. */
int config_parse(const char *name, const char *text, size_t size, struct config **ret,
                 struct vitrine_error *err);

void config_free(struct config *config);

/*
 * The default image of a partition: its own, or else the global one; NULL if there is
 * none or the partition has "none". A partition of NULL or "" has none of its own.
 */
const struct config_image *config_image_for(const struct config *config,
                                            const char *partition);

/* What is said of a registry, or NULL. */
const struct config_registry *config_registry_for(const struct config *config,
                                                  const char *host);

/*
 * The directory of the cache for a user: CacheDir with %u and %h replaced, or
 * ~/.cache/vitrine. The caller frees it; NULL and *err if it cannot be known.
 */
char *config_cache_dir(const struct config *config, const char *user, const char *home,
                       struct vitrine_error *err);

/* The uid of cache_owner; fails where this host does not know the account. */
int config_cache_owner(const struct config *config, uid_t *ret,
                       struct vitrine_error *err);

/* Whether some image is required, so that the partition must be known for sure. */
bool config_has_required(const struct config *config);

#endif
