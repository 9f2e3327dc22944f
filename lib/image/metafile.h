/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_METAFILE_H
#define VITRINE_IMAGE_METAFILE_H

/* The files of one statement a line (or a record), none of which needs a shell. */
#include "image/meta.h"
#include "image/metavars.h"

enum metafile_dialect {
    /* ${NAME} is expanded, quotes around a value go, names that begin with ENROOT_ do. */
    METAFILE_ENROOT,
    /* An element of a list between colons that begins with "$" is a variable; it goes
     * with its colon if that is empty. Single quotes around a value go. */
    METAFILE_CHARLIECLOUD,
    /* pam_env(8): quotes around a value go. A value that seems to be written for a shell
     * ($, `, \, a lone quote) is passed over, since pam_env itself would not expand it.
     */
    METAFILE_PLAIN,
};

/* Lines "NAME=VALUE". 0, or -ENOMEM; all else is passed over. */
neg_errno metafile_environment(const char *text, enum metafile_dialect dialect,
                               struct metavars *vars);

/* What /.vitrine/config holds but its variables: the lists, and two texts. */
struct metafile_config {
    char *workdir, *user;
    struct metalist entrypoint, cmd, volumes;
};

/* The records of /.vitrine/config, see meta.h. The caller frees what *ret holds. */
neg_errno metafile_config(const char *data, size_t size, struct metavars *vars,
                          struct metafile_config *ret);

/* Volumes as enroot writes them into /etc/fstab: "${ENROOT_ROOTFS}/x /x none ...". */
neg_errno metafile_volumes(const char *text, struct metalist *ret);

#endif
