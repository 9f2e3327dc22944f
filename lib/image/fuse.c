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
#include "base/fd.h"
#include "base/syscalls.h"
#include "build-config.h"
#include "image/fuse-protocol.h"
#include "privileged/caps.h"
#include "privileged/kmount.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>

/* Descriptors are moved above this first, so that none is overwritten by another. */
#define ABOVE_ALL 64

static int place_fds(int image, int dev, int log, int alive)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int high_null = fcntl(null, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int high_image = fcntl(image, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int high_dev = fcntl(dev, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int high_log = fcntl(log >= 0 ? log : null, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int high_alive = fcntl(alive >= 0 ? alive : null, F_DUPFD_CLOEXEC, ABOVE_ALL);

    if (high_null < 0 || high_image < 0 || high_dev < 0 || high_log < 0 ||
        high_alive < 0 || dup2(high_null, STDIN_FILENO) < 0 ||
        dup2(high_null, STDOUT_FILENO) < 0 || dup2(high_log, STDERR_FILENO) < 0 ||
        dup2(high_image, FUSE_SERVER_IMAGE_FD) < 0 ||
        dup2(high_dev, FUSE_SERVER_DEVICE_FD) < 0 ||
        dup2(high_alive, FUSE_SERVER_ALIVE_FD) < 0)
        return -errno;
    return 0;
}

/* What a server is started with. */
struct server {
    int image, dev, log, alive;
    uint64_t offset;
    const struct fuse_owners *owners;
};

/* The server's process until its exec; tells `report` why that failed. */
static void server_main(const struct server *server, int report)
{
    char offset_text[24], owners_text[FUSE_OWNERS_TEXT];
    char *const argv[] = {(char *)"vitrine-fuse", offset_text,
                          server->owners ? owners_text : NULL, NULL};
    char *const envp[] = {NULL};
    sigset_t none;
    int high_report = fcntl(report, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int rc = setsid() < 0 || chdir("/") < 0 ? -errno : caps_drop();

    (void)snprintf(offset_text, sizeof(offset_text), "%" PRIu64, server->offset);
    if (server->owners)
        fuse_owners_format(server->owners, owners_text);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (int signal_nr = 1; signal_nr < NSIG; signal_nr++)
        (void)signal(signal_nr, SIG_DFL);
    if (rc == 0)
        rc = place_fds(server->image, server->dev, server->log, server->alive);
    if (rc == 0) {
        /* Everything else of slurmstepd's goes; what is above 64 closes on exec. */
        (void)sys_close_range(FUSE_SERVER_ALIVE_FD + 1, ABOVE_ALL - 1, 0);
        (void)sys_close_range(ABOVE_ALL, ~0U, CLOSE_RANGE_CLOEXEC);
        (void)execve(VITRINE_FUSE_SERVER, argv, envp);
        rc = -errno;
    }
    (void)fd_write_full(high_report, &rc, sizeof(rc));
    _exit(1);
}

/* Forks twice, so that the server is nobody's child that a task could wait for. */
static neg_errno server_start(const struct server *server)
{
    int report[2], status, failure = 0;

    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        pid = fork();
        if (pid == 0)
            server_main(server, report[1]);
        _exit(pid < 0 ? 1 : 0);
    }
    (void)close(report[1]);
    cleanup_fd int reader = report[0];
    if (pid < 0)
        return -EAGAIN;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    if (status != 0)
        return -EAGAIN;
    /* The other end closes with the server's exec, or brings the reason why there is
     * none. */
    ssize_t n = read(reader, &failure, sizeof(failure));
    return n == (ssize_t)sizeof(failure) ? failure : 0;
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
    const struct server server = {.image = image,
                                  .dev = dev,
                                  .log = log,
                                  .alive = alive,
                                  .offset = offset,
                                  .owners = owners};
    int rc = server_start(&server);
    if (rc < 0)
        return error_from(err, VITRINE_EUNSUPPORTED, rc,
                          "cannot start this node's FUSE server " VITRINE_FUSE_SERVER);
    *ret_mount = steal_fd(&mount);
    return 0;
}
