/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ENVIRON_ENVIRON_H
#define VITRINE_ENVIRON_ENVIRON_H

/*
 * What the environment of a task becomes in a container. The image's variables win over
 * the host's, but for those in the table of rules.c; what only the host has stays, but
 * for what names the host's libraries; PATH is merged (searchpath.h).
 *
 * Two things are left behind for steps that start from inside. VITRINE_IMAGE is the
 * image: a step in the same one takes the environment as it is, since a script inside has
 * made of it what it wants. VITRINE_HOST_NAME is what NAME was outside, for PATH, the
 * libraries, and what fake root changes: a step in another image, or in none, starts from
 * these.
 */
#include "base/error.h"
#include "environ/searchpath.h"

struct environ_spec {
    const char *const *host;  /* of the tasks, NULL-terminated; may be NULL */
    const char *const *image; /* "NAME=VALUE", NULL-terminated; may be NULL */
    const char *const *keep;  /* names whose value on the host stays, if they have one;
                                 NULL-terminated, may be NULL */
    bool pyxis;               /* Compat=pyxis: PATH is the image's alone, and the host's
                                 LANG, LANGUAGE and LC_ALL are dropped */
    bool fake_root;           /* USER and LOGNAME are root */
    const char *home;         /* HOME inside, if another than on the host, or NULL */
    const char *image_name;   /* absolute path */
    const char *last;         /* a directory that PATH has in any case, or NULL */
    searchpath_visible_f visible; /* for PATH; NULL: nothing of the host's is */
    void *arg;
};

/* Writes the changes that this takes to `fd` (environ/changes.h). An error if PATH, or
 * another variable, would be longer than execve(2) allows. */
int environ_write(const struct environ_spec *spec, int fd, struct vitrine_error *err);

/* The same for a task that stays on the host, perhaps started from inside a container. */
int environ_restore(const char *const *host, int fd, struct vitrine_error *err);

#endif
