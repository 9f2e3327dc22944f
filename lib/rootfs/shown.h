/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_SHOWN_H
#define VITRINE_ROOTFS_SHOWN_H

/*
 * What a container shows of the host, at its own place: planned, opened while the host's
 * tree is in sight, given mount points, and attached.
 */
#include "rootfs/plan.h"
#include "rootfs/skeleton.h"
#include "vitrine.h"

/* All borrowed. */
struct shown_wish {
    uid_t uid;
    const char *home; /* or NULL */
    bool show_home;
    const char *home_at; /* where it is shown as well, or NULL */
    const char *cwd;     /* or NULL */
    bool host_mounts;    /* MountHost=auto */
    char *const *include, *const *exclude;
    size_t ninclude, nexclude;
    const char *const *files, *const *scripts, *const *binds; /* as in vitrine_spec */
};

struct shown {
    const struct shown_wish *wish;
    struct plan plan;
    int image;        /* root directory of the image */
    bool private_tmp; /* /tmp is the container's own */
    bool has_late;    /* there is no layer: mount points are made in the root itself */
};

/* What lies below /tmp, if that is the container's own: before something hides it. */
neg_errno shown_plan_tmp(struct shown *shown);

/* Everything but the working directory, which comes last, when all else is planned. */
neg_errno shown_plan(struct shown *shown);
neg_errno shown_plan_cwd(struct shown *shown);

/* Whether the image has nothing at `path`, or an empty directory. */
bool shown_image_is_empty(const struct shown *shown, const char *path);

/* Opens what is planned and not open yet; forgets what the host does not have. */
int shown_open(struct shown *shown, struct vitrine_error *err);

/* Makes mount points in the layer, opens them in the overlay, and mounts on them. */
int shown_make_points(const struct shown *shown, const struct skeleton *skeleton,
                      const char *image_name, struct vitrine_error *err);
int shown_open_points(struct shown *shown, int root, struct vitrine_error *err);
int shown_attach(const struct shown *shown, int root, struct vitrine_error *err);

/* What is shown below plan.hidden: after that, if plan_has_to_hide(), has been covered.
 */
int shown_attach_hidden(const struct shown *shown, int root, struct vitrine_error *err);

#endif
