/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads all of an image: as the user, and with nothing but read(2). */
#include "imagefile/verify.h"
#include "base/cleanup.h"
#include "imagefile/imagefile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* More of a path is of no use to anybody. */
#define PATH_SHOWN 512U

/* An inode takes 20 bytes at least (struct squashfs_ipc_inode), a block of the table 3:
 * its header and a byte; what claims more inodes than that is not to be believed. */
#define INODES_PER_BYTE (SQUASHFS_METADATA / 20 / 3)

char *verify_path(const struct verify_place *place)
{
    char text[PATH_SHOWN];
    size_t at = sizeof(text) - 1;

    text[at] = '\0';
    for (; place->up; place = place->up) {
        size_t len = strlen(place->name);

        if (len + 1 + strlen("...") > at) {
            at -= strlen("...");
            memcpy(text + at, "...", strlen("..."));
            break;
        }
        at -= len;
        memcpy(text + at, place->name, len);
        text[--at] = '/';
    }
    return strdup(text[at] ? text + at : "/");
}

int verify_fail(const struct verify_place *place, struct vitrine_error *err,
                const char *fmt, ...)
{
    cleanup_free char *path = verify_path(place);
    char reason[256];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    return vitrine_fail(err, VITRINE_EFORMAT, "%s: %s", path ? path : "?", reason);
}

static int begin(struct verify *v, struct vitrine_error *err)
{
    const struct squashfs_super *super = &v->fs->super;
    uint64_t table = super->directory_table - super->inode_table;

    if (super->inodes / INODES_PER_BYTE > table)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it has no room for its %" PRIu32 " inodes", super->inodes);
    (void)pthread_mutex_init(&v->lock, NULL);
    v->failed_turn = UINT64_MAX;
    v->inodes = calloc((size_t)super->inodes + 1, sizeof(*v->inodes));
    v->paths = calloc((size_t)super->inodes + 1, sizeof(*v->paths));
    v->fragments = calloc((size_t)super->fragments + 1, sizeof(*v->fragments));
    v->sets = calloc(v->fs->xattr_ids / 8 + 1, 1);
    v->scratch = malloc(verify_scratch(v->fs));
    if (!v->inodes || !v->paths || !v->fragments || !v->sets || !v->scratch)
        return error_from(err, VITRINE_EINTERNAL, -ENOMEM, "it cannot be read");
    v->workers = workers_start(verify_work, v, verify_scratch(v->fs));
    if (!v->workers)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "no thread can be made");
    return verify_indexes(v, err);
}

/* What workers found was read before what the walk found. */
static int wait_for_work(struct verify *v, int rc, struct vitrine_error *err)
{
    while (rc == 0 && v->workers && !workers_are_idle(v->workers))
        rc = watch_look(v->watch, err);
    if (rc < 0)
        atomic_store(&v->failed, true);
    workers_end(v->workers);
    v->workers = NULL;
    if (v->failed_turn == UINT64_MAX)
        return rc;
    *err = v->err;
    return -1;
}

static int verify_image(struct imagefile *image, struct watch *watch,
                        struct vitrine_error *err)
{
    struct verify v = {.fs = &image->fs, .watch = watch};
    int rc = begin(&v, err);

    watch->progress.bytes = image->fs.super.bytes_used;
    if (rc == 0)
        rc = verify_tree(&v, err);
    rc = wait_for_work(&v, rc, err);
    if (rc == 0)
        rc = verify_rest(&v, err);
    watch->progress.bytes_done = rc == 0 ? watch->progress.bytes : v.stored;
    arena_free(&v.arena);
    map_free(&v.blocks);
    free(v.inodes);
    free(v.paths);
    free(v.fragments);
    free(v.sets);
    free(v.scratch);
    return rc;
}

int vitrine_verify(const char *file, const struct vitrine_watch *told,
                   struct vitrine_error *err)
{
    struct watch watch = {.told = told};
    struct vitrine_error own = {0};
    struct imagefile image;
    int rc;

    if (imagefile_open(&image, file, "verify", err) < 0)
        return -1;
    rc = verify_image(&image, &watch, &own);
    if (rc < 0 && own.code == VITRINE_EFORMAT)
        (void)vitrine_wrap(&own, "%s is damaged", file);
    else if (rc < 0)
        (void)vitrine_wrap(&own, "cannot verify %s", file);
    imagefile_close(&image);
    if (rc < 0 && err)
        *err = own;
    if (rc == 0)
        watch_end(&watch);
    return rc;
}
