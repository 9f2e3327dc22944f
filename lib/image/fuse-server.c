/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vitrine-fuse: serves one SquashFS file system through FUSE, as fuse-protocol.h says.
 * Runs as the user, who may have made the image: it is nobody's harm but his own if a
 * hostile image takes this process over.
 */
#include <squashfuse/ll.h>

#include "base/fd.h"
#include "image/fuse-protocol.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static const struct fuse_lowlevel_ops ops = {
    .getattr = sqfs_ll_op_getattr,
    .opendir = sqfs_ll_op_opendir,
    .releasedir = sqfs_ll_op_releasedir,
    .readdir = sqfs_ll_op_readdir,
    .lookup = sqfs_ll_op_lookup,
    .open = sqfs_ll_op_open,
    .release = sqfs_ll_op_release,
    .read = sqfs_ll_op_read,
    .readlink = sqfs_ll_op_readlink,
    .listxattr = sqfs_ll_op_listxattr,
    .getxattr = sqfs_ll_op_getxattr,
    .forget = sqfs_ll_op_forget,
    .statfs = stfs_ll_op_statfs,
};

static void ignore_signals(void)
{
    for (int nr = 1; nr < NSIG; nr++)
        if (nr != SIGSEGV && nr != SIGBUS && nr != SIGILL && nr != SIGFPE)
            (void)signal(nr, SIG_IGN);
}

static int serve(sqfs_ll *ll)
{
    char name[] = "vitrine-fuse", device[32];
    char *argv[] = {name, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(1, argv);
    struct fuse_session *session = fuse_session_new(&args, &ops, sizeof(ops), ll);

    if (!session)
        return -1;
    (void)snprintf(device, sizeof(device), "/dev/fd/%d", FUSE_SERVER_DEVICE_FD);
    int rc = fuse_session_mount(session, device);
    if (rc == 0)
        rc = fuse_session_loop(session);
    fuse_session_destroy(session);
    return rc;
}

int main(int argc, char **argv)
{
    sqfs_ll ll = {0};
    char *end;

    (void)prctl(PR_SET_NAME, "vitrine-fuse");
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ignore_signals();
    (void)fd_close_from(FUSE_SERVER_ALIVE_FD + 1);
    errno = 0;
    unsigned long long offset = argc == 2 ? strtoull(argv[1], &end, 10) : 0;
    if (argc != 2 || errno || end == argv[1] || *end) {
        (void)fprintf(stderr, "usage: vitrine-fuse OFFSET (started by Vitrine alone)\n");
        return EXIT_FAILURE;
    }
    if (sqfs_init(&ll.fs, FUSE_SERVER_IMAGE_FD, offset) != SQFS_OK ||
        sqfs_ll_init(&ll) != SQFS_OK) {
        (void)fprintf(stderr, "vitrine-fuse: the image is damaged\n");
        return EXIT_FAILURE;
    }
    return serve(&ll) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
