/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CLI_INFO_H
#define VITRINE_CLI_INFO_H

/* What vitrine info tells. */
#include "image/meta.h"
#include "image/probe.h"
#include "vitrine-import.h"

#include <stdint.h>
#include <sys/stat.h>

struct info {
    const char *path;
    struct stat st;
    struct image_info image;
    /* Of the file system; zero for a directory. */
    uint32_t inodes, made;
    char architecture[32]; /* as uname(2) says it, "" if it does not show */
    struct image_meta meta;
    char *oci; /* the OCI configuration that is kept in the image, or NULL */
    char digest[VITRINE_DIGEST_MAX]; /* of the manifest if it is in the cache, or "" */
    bool is_trusted;                 /* the kernel mounts it */
    struct vitrine_error why_not;
};

/* "SquashFS", and so on. */
const char *info_format(const struct info *info);
/* Who wrote what the image says of itself. */
const char *info_source(const struct info *info);

/* info-text.c. For people: may change. */
void info_print(const struct info *info);

/* info-json.c. Prints it as JSON; -1: no memory. */
int info_print_json(const struct info *info);

/* Calls tell() for each label of the image, in their order. */
void info_labels(const char *oci,
                 void (*tell)(void *arg, const char *name, const char *value), void *arg);
/* The architecture as the OCI configuration says it (GOARCH); false: it does not. */
bool info_oci_architecture(const char *oci, char *ret, size_t size);

#endif
