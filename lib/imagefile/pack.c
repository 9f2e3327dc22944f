/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A directory becomes a SquashFS file, or nothing does: what cannot be read is named, and
 * how many there are, but never left out. Other file systems that are mounted below the
 * directory are: their mount points become empty directories.
 */
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/path.h"
#include "image/squashfs.h"
#include "imagefile/watch.h"
#include "imagefile/workers.h"
#include "sqfswrite/host.h"
#include "sqfswrite/listing.h"
#include "sqfswrite/place.h"
#include "base/target.h"
#include "sqfswrite/write.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

/* As mksquashfs would choose. */
#define BLOCK_SIZE UINT32_C(131072)

struct pack {
    struct host host;
    struct output output;
    struct watch *watch;
    uint64_t entries;
    uint64_t mounts;     /* that were left out */
    uint64_t unreadable; /* and why the first of them is */
    struct vitrine_error first;
};

/* A directory that is read. */
struct level {
    const struct level *up;
    struct place place;
    struct tree_node *node;
    int fd;
    dev_t dev;
    unsigned depth;
};

static int add_dir(struct pack *p, const struct level *up, const char *name,
                   struct vitrine_error *err);

/* What this user may not read is counted; the walk goes on to find all of it. */
static int note_unreadable(struct pack *p, const struct place *place,
                           struct vitrine_error *err)
{
    if (err->code != VITRINE_EPERM)
        return place_wrap(place, err);
    if (p->unreadable++ == 0) {
        (void)place_wrap(place, err);
        p->first = *err;
    }
    return 0;
}

static int look(void *arg, size_t bytes, struct vitrine_error *err)
{
    struct pack *p = arg;

    p->watch->progress.bytes_done += bytes;
    return watch_look(p->watch, err);
}

static int add(struct pack *p, const struct level *level, const char *name,
               struct vitrine_error *err)
{
    const struct place place = {.up = &level->place, .name = name};
    struct stat st;
    int rc = 0;

    if (++p->entries > LIMIT_SAVE_ENTRIES)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED, "it has more than %d files",
                            LIMIT_SAVE_ENTRIES);
    if (look(p, 0, err) < 0)
        return -1;
    if (fstatat(level->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        (void)vitrine_fail_sys(err, errno == EACCES ? VITRINE_EPERM : VITRINE_EINTERNAL,
                               "it cannot be examined");
        return note_unreadable(p, &place, err);
    }
    if (S_ISDIR(st.st_mode))
        return add_dir(p, level, name, err);
    if (st.st_dev == p->host.own_dev && st.st_ino == p->host.own_ino)
        return 0;
    rc = host_add(&p->host, level->node, level->fd, level->dev, name, &st, false, err);
    return rc < 0 ? note_unreadable(p, &place, err) : 0;
}

static int add_all(struct pack *p, const struct level *level, struct vitrine_error *err)
{
    struct listing listing = {0};
    int rc = listing_read_host(level->fd, &listing);

    if (rc < 0) {
        (void)error_from(err, VITRINE_EINTERNAL, rc, "it cannot be listed");
        rc = place_wrap(&level->place, err);
    }
    for (size_t i = 0; rc == 0 && i < listing.n; i++)
        rc = add(p, level, listing.items[i].name, err);
    listing_free(&listing);
    return rc;
}

/* 1: something else is mounted there. */
static int open_dir(struct pack *p, const struct level *up, struct level *level,
                    struct vitrine_error *err)
{
    struct stat st;

    level->fd = openat(up->fd, level->place.name,
                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (level->fd < 0 || fstat(level->fd, &st) < 0)
        return vitrine_fail_sys(err, errno == EACCES ? VITRINE_EPERM : VITRINE_EINTERNAL,
                                "it cannot be read");
    if (level->depth > LIMIT_SAVE_DEPTH)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "directories are nested more than %d deep", LIMIT_SAVE_DEPTH);
    level->node = host_node(&p->host, &st);
    if (!level->node ||
        tree_add(&p->host.arena, up->node, level->place.name, level->node) < 0)
        return error_from(err, VITRINE_EINTERNAL, -ENOMEM, "there is too much in it");
    if (st.st_dev != level->dev || host_is_mounted(level->fd)) {
        p->mounts++;
        return 1;
    }
    return host_xattrs(&p->host, level->fd, NULL, level->node, NULL, err);
}

static int add_dir(struct pack *p, const struct level *up, const char *name,
                   struct vitrine_error *err)
{
    struct level level = {.up = up,
                          .place = {.up = &up->place, .name = name},
                          .fd = -1,
                          .dev = up->dev,
                          .depth = up->depth + 1};
    int rc = open_dir(p, up, &level, err);

    if (rc == 0)
        rc = add_all(p, &level, err);
    else if (rc < 0)
        rc = note_unreadable(p, &level.place, err);
    if (level.fd >= 0)
        (void)close(level.fd);
    return rc < 0 ? -1 : 0;
}

static int add_root(struct pack *p, int dir, struct tree_node **ret,
                    struct vitrine_error *err)
{
    struct level level = {.place = {.name = ""}, .fd = dir};
    struct stat st;

    if (fstat(dir, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "it cannot be examined");
    level.dev = st.st_dev;
    level.node = host_node(&p->host, &st);
    if (!level.node)
        return error_from(err, VITRINE_EINTERNAL, -ENOMEM, "there is too much in it");
    if (host_xattrs(&p->host, dir, NULL, level.node, NULL, err) < 0 ||
        add_all(p, &level, err) < 0)
        return -1;
    *ret = level.node;
    if (p->unreadable == 0)
        return 0;
    if (p->unreadable == 1)
        *err = p->first;
    else
        (void)vitrine_fail(err, VITRINE_EPERM,
                           "%" PRIu64 " files cannot be read, the first is %s",
                           p->unreadable, p->first.text);
    return -1;
}

static int write_all(struct pack *p, int dir, struct vitrine_error *err)
{
    struct tree_node *root = NULL;

    if (add_root(p, dir, &root, err) < 0 || output_flush(&p->output, err) < 0)
        return -1;
    return write_tree(&p->output, root, p->host.newest, NULL, err);
}

static int pack(int dir, int fd, bool root_owned, struct watch *watch,
                struct vitrine_error *err)
{
    const struct output_format format = {.compressor = SQUASHFS_ZSTD,
                                         .block_size = BLOCK_SIZE};
    struct pack p = {.watch = watch};
    int rc = output_open(&p.output, fd, &format, workers_wanted(), err);

    if (host_open(&p.host, &p.output) < 0 && rc == 0)
        rc = error_from(err, VITRINE_EINTERNAL, -ENOMEM, "cannot begin");
    p.host.is_strict = true;
    p.host.root_owned = root_owned;
    p.output.look = look;
    p.output.look_arg = &p;
    if (rc == 0)
        rc = write_all(&p, dir, err);
    output_close(&p.output);
    host_close(&p.host);
    if (rc == 0 && p.mounts > 0)
        watch_remark(watch,
                     "%" PRIu64 " mounted file systems are left out; pack them alone",
                     p.mounts);
    return rc;
}

/* Where the file shall be, once it has been found that it could. */
static int open_target(const char *file, int *ret_dir, char name[NAME_MAX + 1],
                       struct target *target, struct vitrine_error *err)
{
    char parent[PATH_MAX];
    int rc = path_split(file, parent, name);

    if (rc < 0)
        return error_from(err, VITRINE_EUSAGE, rc, "no file can be made there");
    cleanup_fd int dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return vitrine_fail_sys(err, VITRINE_EUSAGE, "its directory cannot be opened");
    if (target_check(target, dir, name, err) < 0)
        return -1;
    if (target_open(target, err) < 0) {
        target_close(target);
        return -1;
    }
    *ret_dir = steal_fd(&dir);
    return 0;
}

int vitrine_pack(const char *dir, const char *file, bool root_owned,
                 const struct vitrine_watch *told, struct vitrine_error *err)
{
    struct watch watch = {.told = told};
    struct vitrine_error own = {0};
    struct target target = {.fd = -1};
    char name[NAME_MAX + 1];
    cleanup_fd int directory = -1;
    cleanup_fd int source = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (source < 0)
        return vitrine_fail_sys(err, errno == EACCES ? VITRINE_EPERM : VITRINE_EUSAGE,
                                "cannot pack %s", dir);
    if (open_target(file, &directory, name, &target, &own) < 0) {
        if (err)
            *err = own;
        return vitrine_wrap(err, "cannot pack to %s", file);
    }
    int rc = pack(source, target.fd, root_owned, &watch, &own);
    if (rc < 0)
        (void)vitrine_wrap(&own, "cannot pack %s", dir);
    else if ((rc = target_commit(&target, &own)) < 0)
        (void)vitrine_wrap(&own, "cannot pack to %s", file);
    target_close(&target);
    if (rc == 0)
        watch_end(&watch);
    else if (err)
        *err = own;
    return rc;
}
