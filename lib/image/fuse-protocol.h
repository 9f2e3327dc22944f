/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_FUSE_PROTOCOL_H
#define VITRINE_IMAGE_FUSE_PROTOCOL_H

/*
 * How the FUSE server is started:
 *
 *     vitrine-fuse OFFSET [OWNERS]
 *
 * by execve(2) as the user, with OFFSET the decimal position of the SquashFS file system
 * in the image file, and with the descriptors below. OWNERS says to whom the files shall
 * belong, if not to whom the image says: "all:UID:GID", or "map:UIDS/GIDS" with both
 * sides a list of INSIDE:OUTSIDE:COUNT, separated by commas: ids of the image from INSIDE
 * on are those of the host from OUTSIDE on, and others 65534. Modes stay as they are,
 * whatever bits they have: the mount is nosuid. 0 and 1 should be /dev/null; 2 gets one
 * line if the server cannot start its work. It never daemonises: its process is the
 * server.
 *
 * It exits with 0 when the last mount of the file system has gone, and with 1 if it could
 * not serve, which readers see as ENOTCONN. It ignores every signal that can be ignored:
 * what scancel(1) or the user's terminal sends is for the tasks, which may want to read
 * files while they end. SIGKILL ends it.
 */
enum {
    FUSE_SERVER_IMAGE_FD = 3,  /* the image file, O_RDONLY */
    FUSE_SERVER_DEVICE_FD = 4, /* /dev/fuse, already mounted with default_permissions and
                                  allow_other */
    FUSE_SERVER_ALIVE_FD = 5,  /* anything; stays open as long as the server lives */
};

#endif
