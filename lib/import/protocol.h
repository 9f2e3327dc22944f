/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMPORT_PROTOCOL_H
#define VITRINE_IMPORT_PROTOCOL_H

/*
 * How the plugin has an image imported, in srun and in tasks, neither of which shall load
 * curl and its like:
 *
 *     vitrine-import CONFIG|- IMAGE DIGEST|- USER HOME STEP|- UNTIL|- MODE
 *
 * by execve(2) as the user, with the environment of the job. CONFIG is a vitrine.conf, or
 * "-" for defaults; DIGEST what was pinned; STEP "JOB.STEP" on a node, where the image is
 * leased for JOB until UNTIL (seconds since 1970; "-": nobody knows). MODE says what goes
 * to standard error: "quiet" nothing, "plain" a line now and then, "auto" a progress bar
 * if it is a terminal and lines otherwise. The working directory is the one that relative
 * paths are meant from.
 *
 * Descriptor IMPORT_RESULT_FD is a socket (SOCK_SEQPACKET) that takes one struct
 * import_message, by fd_send(); with `ok` the image comes with it, open for reading,
 * since in a cache that all users share the user himself may not open it. The process
 * ends soon after the socket's other end is closed, and with its parent, and leaves
 * nothing then.
 *
 * With CacheOwner=ACCOUNT the program is installed set-user-ID to that account, and
 * believes neither USER nor HOME, nor the environment but for where credentials are.
 */
#include "vitrine-import.h"

#define IMPORT_RESULT_FD 3

struct import_message {
    int ok;
    int code; /* of enum vitrine_errcode */
    struct vitrine_imported imported;
    char text[1024]; /* why it failed */
};

#endif
