/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An image file becomes a directory. */
#include "imagefile/destdir.h"
#include "imagefile/extract.h"
#include "imagefile/imagefile.h"

static int fill(struct imagefile *image, const struct destdir *dest, struct watch *watch,
                struct vitrine_error *err)
{
    struct extract x = {
        .fs = &image->fs, .watch = watch, .root = dest->fd, .keep_root = dest->in_place};
    int rc = extract_tree(&x, err);

    if (rc == 0)
        extract_tell_lost(&x);
    extract_free(&x);
    return rc;
}

int vitrine_unpack(const char *file, const char *dir, const struct vitrine_watch *told,
                   struct vitrine_error *err)
{
    struct watch watch = {.told = told};
    struct imagefile image;
    struct destdir dest;
    int rc;

    if (imagefile_open(&image, file, "unpack", err) < 0)
        return -1;
    if (destdir_open(&dest, dir, err) < 0) {
        imagefile_close(&image);
        return vitrine_wrap(err, "cannot unpack to %s", dir);
    }
    rc = fill(&image, &dest, &watch, err);
    if (rc < 0)
        (void)vitrine_wrap(err, "cannot unpack %s", file);
    else if ((rc = destdir_commit(&dest, err)) < 0)
        (void)vitrine_wrap(err, "cannot unpack to %s", dir);
    destdir_close(&dest);
    imagefile_close(&image);
    if (rc == 0)
        watch_end(&watch);
    return rc;
}
