/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ROOTFS_HOSTTOOLS_H
#define VITRINE_ROOTFS_HOSTTOOLS_H

/*
 * Commands of the host that work inside of any image, whatever C library that has:
 * Slurm's.
 *
 * They run with the host's own loader and libraries, which the container shows below
 * HOSTTOOLS_DIR. At the command's own path stands a link to a small static program
 * (host-command.c) that starts it that way.
 */
#include "rootfs/plan.h"
#include "rootfs/skeleton.h"
#include "vitrine.h"

#define HOSTTOOLS_DIR           "/run/vitrine"
#define HOSTTOOLS_HOST          HOSTTOOLS_DIR "/host" /* the host's directories */
#define HOSTTOOLS_LAUNCHER      HOSTTOOLS_DIR "/host-command"
#define HOSTTOOLS_SETTINGS_NAME "host-command.conf"
#define HOSTTOOLS_SETTINGS      HOSTTOOLS_DIR "/" HOSTTOOLS_SETTINGS_NAME

struct hosttools {
    char *loader;       /* the host's ld.so, canonical; NULL: no tools */
    char *library_path; /* of directories below HOSTTOOLS_HOST, with colons */
    char *bin;          /* directory of the first command; NULL: no tools */
    const char *const *commands;
};

/*
 * Finds out how the calling process was loaded, and adds to the plan what its libraries,
 * its plugins and the commands (absolute paths, NULL-terminated, may be NULL) need. A
 * command that the host does not have is passed over by hosttools_write().
 */
neg_errno hosttools_plan(struct hosttools *tools, const char *const *commands,
                         struct plan *plan);

/* Makes the links and the launcher's settings. */
int hosttools_write(const struct hosttools *tools, const struct skeleton *skeleton,
                    struct vitrine_error *err);

void hosttools_free(struct hosttools *tools);

#endif
