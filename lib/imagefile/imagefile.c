/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "imagefile/imagefile.h"
#include "base/cleanup.h"

#include <fcntl.h>

int imagefile_open(struct imagefile *image, const char *path, const char *what,
                   struct vitrine_error *err)
{
    /* Not to wait for who writes to a FIFO. */
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return vitrine_fail_sys(err, errno == EACCES ? VITRINE_EPERM : VITRINE_ENOIMAGE,
                                "cannot %s %s", what, path);
    if (image_probe(fd, path, &image->info, err) < 0)
        return -1;
    if (image->info.kind == IMAGE_DIRECTORY)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "cannot %s %s: it is a directory, not an image file", what,
                            path);
    if (sqfs_open(&image->fs, fd, image->info.offset, NULL, err) < 0)
        return vitrine_wrap(err, "cannot %s %s", what, path);
    image->fd = steal_fd(&fd);
    return 0;
}

void imagefile_close(struct imagefile *image)
{
    sqfs_close(&image->fs);
    (void)close(image->fd);
}
