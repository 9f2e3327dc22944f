/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts the FUSE server. Runs as the user, in the task that prepares the container.
 *
 * The server is a program of its own, not a fork that goes on: it parses hostile bytes
 * for as long as the step lasts, and a copy of slurmstepd's memory (which may hold the
 * cluster's keys) must not lie in the process that does so.
 */
#include "image/fuse.h"
#include "base/cleanup.h"
#include "base/spawn.h"
#include "build-config.h"
#include "image/fuse-protocol.h"
#include "privileged/caps.h"
#include "privileged/kmount.h"

#include <inttypes.h>
#include <unistd.h>

static neg_errno drop(void *arg)
{
    (void)arg;
    return caps_drop();
}

static neg_errno server_start(int image, int dev, int log, int alive, uint64_t offset,
                              const struct fuse_owners *owners)
{
    char offset_text[24], owners_text[FUSE_OWNERS_TEXT];
    char *const argv[] = {(char *)"vitrine-fuse", offset_text,
                          owners ? owners_text : NULL, NULL};
    char *const envp[] = {NULL};
    const int fds[] = {
        [STDERR_FILENO] = log,         [STDIN_FILENO] = -1,
        [STDOUT_FILENO] = -1,          [FUSE_SERVER_IMAGE_FD] = image,
        [FUSE_SERVER_DEVICE_FD] = dev, [FUSE_SERVER_ALIVE_FD] = alive,
    };
    const struct spawn server = {
        .program = VITRINE_FUSE_SERVER,
        .argv = argv,
        .envp = envp,
        .fds = fds,
        .nfds = sizeof(fds) / sizeof(*fds),
        .detached = true,
        .become = drop,
    };

    (void)snprintf(offset_text, sizeof(offset_text), "%" PRIu64, offset);
    if (owners)
        fuse_owners_format(owners, owners_text);
    return spawn_start(&server);
}

int fuse_serve(int image, uint64_t offset, const struct fuse_owners *owners, int log,
               int alive, int *ret_mount, struct vitrine_error *err)
{
    cleanup_fd int dev = -1;
    cleanup_fd int mount = kmount_fuse(&dev);

    if (mount < 0)
        return error_from(
            err, VITRINE_EUNSUPPORTED, mount,
            "this node cannot mount with FUSE (/dev/fuse; is the kernel's fuse "
            "module loaded?)");
    int rc = server_start(image, dev, log, alive, offset, owners);
    if (rc < 0)
        return error_from(err, VITRINE_EUNSUPPORTED, rc,
                          "cannot start this node's FUSE server " VITRINE_FUSE_SERVER);
    *ret_mount = steal_fd(&mount);
    return 0;
}
