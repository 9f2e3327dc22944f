/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMPORT_PROTOCOL_H
#define VITRINE_IMPORT_PROTOCOL_H

/*
 * How the plugin has an image imported, in srun and in tasks, neither of which shall load
 * curl and its like:
 *
 *     vitrine-import CONFIG|- IMAGE DIGEST|- USER HOME STEP|- UNTIL MODE
 *
 * by execve(2) as the user, with the environment of the job. CONFIG is a vitrine.conf, or
 * "-" for defaults; DIGEST what was pinned; STEP "JOB.STEP" on a node; UNTIL the end of
 * the job in seconds since 1970, or 0. MODE says what goes to standard error: "quiet"
 * nothing, "plain" a line now and then, "auto" a progress bar if it is a terminal and
 * lines otherwise.
 *
 * Descriptor IMPORT_RESULT_FD is a socket (AF_UNIX, SOCK_SEQPACKET) that takes one struct
 * import_message and, if that is ok, the image's file, open for reading, as fd_recv()
 * returns it: in a cache that all users share the user could not open it himself. The
 * process ends soon after the other end is closed, and with its parent, and leaves
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
