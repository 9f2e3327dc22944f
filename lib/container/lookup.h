/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONTAINER_LOOKUP_H
#define VITRINE_CONTAINER_LOOKUP_H

#include "base/error.h"
#include "config/config.h"
#include "spec/imageref.h"
#include "vitrine.h"

/* What was found. */
struct lookup {
    int fd;
    char *name; /* for messages: an absolute path; of what is imported the user's text */
    char digest[VITRINE_DIGEST_MAX]; /* of what is imported; "" otherwise */
};

/*
 * From an image reference to an open file (or directory): opens it as the calling user,
 * read-only. Relative names are looked up in spec->search, bare names after that in the
 * administrator's ImageDir list; the first that exists counts, whether it can be opened
 * or not. What is in a registry is looked for in the cache, or else imported. The caller
 * frees ret->name.
 */
int lookup_image(const struct config *config, const struct vitrine_spec *spec,
                 struct lookup *ret, struct vitrine_error *err);

/*
 * What has to be imported for an image: "" if it is a file, docker://... if a name of
 * which there is no file can only mean that, the text itself otherwise. *ret_sure is
 * false if a host that has more directories of images might find a file.
 */
int lookup_source(const struct config *config, const struct vitrine_spec *spec,
                  char ret[IMAGEREF_REGISTRY_MAX], bool *ret_sure,
                  struct vitrine_error *err);

/*
 * Opens a user's file or directory read-only. O_NONBLOCK: a FIFO put there must not hang
 * the task. No magic links: /proc/self is still slurmstepd, whose descriptors and
 * directories are none of the user's.
 */
neg_errno lookup_open(const char *path);

#endif
