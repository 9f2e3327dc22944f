/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CONTAINER_NAMED_H
#define VITRINE_CONTAINER_NAMED_H

/*
 * Named containers. One is a directory on the node (privileged/room.h) with
 *
 *     upper, work   what was changed, for overlayfs
 *     image         which image it was made from, and how that looked; once this file is
 *                   there the container exists
 *     lock          write-locked (fcntl(2), F_OFD_SETLK) while it is prepared,
 * read-locked as long as it runs: the kernel drops both with the last descriptor
 *
 * Everything here runs as the user, in a directory of his own.
 */
#include "config/config.h"
#include "namespace/running.h"
#include "vitrine.h"

struct named {
    int room;     /* the directory that it is in */
    int dir;      /* -1 for a step's container, which has no directory */
    int lock;     /* held: */
    bool writing; /* alone */
    bool exists;  /* as a directory that is complete */
    bool runs;    /* then `running` is valid */
    struct running running;
    const char *name; /* borrowed */
    char tag[320];    /* of its overlay */
    char *image;      /* absolute path of its image, or as the user calls it, if it exists
                       */
    char digest[VITRINE_DIGEST_MAX]; /* of an image that was imported, or "" */
    char *print;                     /* fingerprint of that image */
};

/* For a name that asks for nothing: closes as any other. */
#define NAMED_NONE ((struct named){.room = -1, .dir = -1, .lock = -1})

/* The text of a name, apart from what there is: letters, digits, "._+-". */
int named_check(const char *name, struct vitrine_error *err);

/*
 * Finds or makes the container spec->container, as spec->start says, and takes its lock:
 * waits for whoever prepares it. If it does not run, the caller prepares it and then
 * calls named_started(); all others wait for that.
 */
int named_open(const struct config *config, const struct vitrine_spec *spec,
               struct named *ret, struct vitrine_error *err);

/* Makes the directories for overlayfs, if it is new. */
int named_prepare(struct named *named, struct vitrine_error *err);

/* After the first preparation has succeeded: from now on it exists. `print` is the
 * fingerprint of the image, `digest` "" or that of what was imported. */
int named_create(struct named *named, const char *image, const char *digest,
                 const char *print, struct vitrine_error *err);

/* It runs: from now on others may join. */
int named_started(struct named *named, struct vitrine_error *err);

/* Lets go of everything that the caller has not taken out. What was begun and does not
 * exist yet is removed. */
void named_close(struct named *named);

#endif
