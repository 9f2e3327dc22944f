/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user with raised capabilities, in a child of the leader.
 *
 * A fake root may change the mounts of his namespace, and a file system of the host's, or
 * one that was mounted with slurmstepd's capabilities, would with "remount,dev" show him
 * the devices of an image that he made. The kernel locks the flags of mounts when their
 * whole namespace is copied for another owner, and of no single mount; so they are put
 * into a namespace that is copied, and what is taken out of the copy is locked.
 *
 * This is safe because both namespaces are the child's alone and private before anything
 * is mounted, and because no path is looked up but below a new tmpfs.
 */
#include "privileged/mountlock.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/syscalls.h"
#include "privileged/caps.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME_SIZE 24

/* A tmpfs on "/", out of the way of all paths, becomes the working directory, as which it
 * is found in the copy. */
static neg_errno enter_tmpfs(void)
{
    cleanup_fd int fs = sys_fsopen("tmpfs");
    cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int rc = fs < 0 ? fs : sys_fsconfig_create(fs);
    cleanup_fd int mount = rc < 0 ? rc : sys_fsmount(fs, 0);

    if (mount < 0)
        return mount;
    rc = sys_move_mount(mount, root);
    return rc < 0 ? rc : fchdir(mount) < 0 ? -errno : 0;
}

static neg_errno place(const int *mounts, size_t n)
{
    char name[NAME_SIZE];
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++) {
        (void)snprintf(name, sizeof(name), "%zu", i);
        if (mkdir(name, 0700) < 0)
            return -errno;
        cleanup_fd int dir = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        rc = dir < 0 ? -errno : sys_move_mount(mounts[i], dir);
    }
    return rc;
}

static neg_errno stage(int user_ns, const int *mounts, size_t n)
{
    int rc = caps_raise();

    if (rc == 0 && (unshare(CLONE_NEWNS) < 0 ||
                    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
        rc = -errno;
    if (rc == 0)
        rc = enter_tmpfs();
    if (rc == 0)
        rc = place(mounts, n);
    if (rc == 0 && (setns(user_ns, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS) < 0))
        rc = -errno;
    return rc;
}

/* Never returns. Sends each copy, or why there is none. */
static void serve(int sock, int user_ns, const int *mounts, size_t n)
{
    char name[NAME_SIZE];
    int rc = stage(user_ns, mounts, n);

    for (size_t i = 0; i < n && rc >= 0; i++) {
        (void)snprintf(name, sizeof(name), "%zu", i);
        int copy = sys_open_tree(AT_FDCWD, name, 0);
        rc = copy < 0 ? copy : 0;
        (void)fd_send(sock, &rc, sizeof(rc), copy);
    }
    if (rc < 0)
        (void)fd_send(sock, &rc, sizeof(rc), -1);
    _exit(0);
}

static neg_errno receive(int sock, int *mounts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int answer, copy = -1;
        int rc = fd_recv(sock, &answer, sizeof(answer), false, &copy);

        if (rc < 0 || answer < 0 || copy < 0)
            return rc < 0 ? rc : answer < 0 ? answer : -EPROTO;
        (void)close(mounts[i]);
        mounts[i] = copy;
    }
    return 0;
}

neg_errno mountlock(int user_ns, int *mounts, size_t n)
{
    int pair[2];

    if (n == 0)
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(pair[0]);
        serve(pair[1], user_ns, mounts, n);
    }
    int rc = pid < 0 ? -errno : 0;
    (void)close(pair[1]);
    if (rc == 0)
        rc = receive(pair[0], mounts, n);
    (void)close(pair[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return rc;
}
