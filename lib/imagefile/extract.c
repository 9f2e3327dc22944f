/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walks the directories of an image, each once, and makes what is in them. A directory is
 * its owner's alone until all that is in it has been made; modes that would let others in
 * to write, or keep its own owner out, come at the very end.
 */
#include "imagefile/extract.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "sqfswrite/listing.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

/* So many levels keep their descriptors; those above are opened again on the way back. */
#define LEVELS_OPEN 64U

/* A directory that is being filled. */
struct level {
    struct level *up;
    struct extract_dir *dir;
    int fd;
    dev_t dev;
    ino_t ino;
    unsigned depth;
    struct sqfs_inode inode;
    struct listing listing;
    size_t next;
};

/* The first name of a file that has several. */
struct link {
    const struct extract_dir *where;
    char name[];
};

static int no_memory(struct vitrine_error *err)
{
    return error_from(err, VITRINE_EINTERNAL, -ENOMEM, "there is too much in it");
}

static int damaged(struct vitrine_error *err, neg_errno rc)
{
    return error_from(err, VITRINE_EFORMAT, rc, "the image is damaged there");
}

/* Puts it before what *at begins with; false if there is no room. */
static bool put_before(char *text, size_t *at, const char *name)
{
    size_t len = strlen(name);

    if (len + 1 > *at)
        return false;
    *at -= len;
    for (size_t i = 0; i < len; i++)
        text[*at + i] = name[i];
    text[--*at] = '/';
    return true;
}

int extract_wrap(const struct extract_dir *where, const char *name,
                 struct vitrine_error *err)
{
    char text[512];
    size_t at = sizeof(text) - 1;
    bool whole = true;

    text[at] = '\0';
    if (name)
        whole = put_before(text, &at, name);
    for (; whole && where->up; where = where->up)
        whole = put_before(text, &at, where->name);
    return vitrine_wrap(err, "%s%s", whole ? "" : "...", text[at] ? text + at : "/");
}

struct step {
    const char *name;
};

/* Opens a directory that was made before, from the root down and through no link. */
static int open_made(const struct extract *x, const struct extract_dir *dir)
{
    size_t depth = 0;

    for (const struct extract_dir *d = dir; d->up; d = d->up)
        depth++;
    cleanup_free struct step *way = calloc(depth + 1, sizeof(*way));
    if (!way)
        return -1;
    size_t i = depth;
    for (const struct extract_dir *d = dir; d->up; d = d->up)
        way[--i].name = d->name;
    int fd = openat(x->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (i = 0; i < depth && fd >= 0; i++) {
        cleanup_fd int up = fd;

        fd = openat(up, way[i].name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    return fd;
}

/* 1: it was made as another name of a file that is there. */
static int make_link(struct extract *x, const struct level *level, const char *name,
                     const struct sqfs_inode *inode, struct vitrine_error *err)
{
    union map_value known;

    if (!map_find(&x->links, inode->ref, 0, &known)) {
        struct link *link = arena_take(&x->arena, sizeof(*link) + strlen(name) + 1);

        if (!link)
            return no_memory(err);
        link->where = level->dir;
        memcpy(link->name, name, strlen(name) + 1);
        known.other = link;
        return map_add(&x->links, inode->ref, 0, known) < 0 ? no_memory(err) : 0;
    }
    const struct link *link = known.other;
    cleanup_fd int from = open_made(x, link->where);
    if (from >= 0 && linkat(from, link->name, level->fd, name, 0) == 0)
        return 1;
    /* The file system gives no file so many names: it gets another one. */
    if (from >= 0 && errno == EMLINK)
        return 0;
    return vitrine_fail_sys(err, VITRINE_EINTERNAL, "it cannot be linked");
}

static int make_symlink(struct extract *x, const struct level *level, const char *name,
                        const struct sqfs_inode *inode, struct vitrine_error *err)
{
    char target[SQFS_SYMLINK_MAX + 1];
    int rc = sqfs_read_link(x->fs, inode, target);

    if (rc < 0)
        return damaged(err, rc);
    if (symlinkat(target, level->fd, name) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "it cannot be made");
    return extract_attrs(x, -1, level->fd, name, inode, false, err);
}

/* As the kernel's new_decode_dev(). */
static dev_t decode_device(uint32_t rdev)
{
    return makedev((rdev & 0xfff00) >> 8, (rdev & 0xff) | ((rdev >> 12) & 0xfff00));
}

static int make_special(struct extract *x, const struct level *level, const char *name,
                        const struct sqfs_inode *inode, struct vitrine_error *err)
{
    bool is_device = S_ISCHR(inode->mode) || S_ISBLK(inode->mode);
    dev_t dev = is_device ? decode_device(inode->rdev) : 0;

    if (mknodat(level->fd, name, (inode->mode & S_IFMT) | 0600, dev) == 0)
        return extract_attrs(x, -1, level->fd, name, inode, false, err);
    if (!is_device || errno != EPERM)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "it cannot be made");
    atomic_fetch_add(&x->lost.devices, 1);
    return 0;
}

static int push(struct extract *x, struct level **top, int fd, struct extract_dir *dir,
                const struct sqfs_inode *inode, struct vitrine_error *err)
{
    struct level *level = calloc(1, sizeof(*level)), *old = level;
    struct stat st;
    int rc;

    if (!level) {
        (void)close(fd);
        return no_memory(err);
    }
    *level = (struct level){.up = *top, .dir = dir, .fd = fd, .inode = *inode};
    level->depth = level->up ? level->up->depth + 1 : 0;
    *top = level;
    if (fstat(fd, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "it cannot be examined");
    level->dev = st.st_dev;
    level->ino = st.st_ino;
    for (unsigned i = 0; i < LEVELS_OPEN && old; i++)
        old = old->up;
    if (old && old->up && old->fd >= 0) {
        (void)close(old->fd);
        old->fd = -1;
    }
    rc = listing_read_image(x->fs, inode, &level->listing);
    return rc < 0 ? damaged(err, rc) : 0;
}

static int make_dir(struct extract *x, struct level **top, const char *name,
                    const struct sqfs_inode *inode, struct vitrine_error *err)
{
    const struct level *level = *top;
    struct extract_dir *dir = arena_take(&x->arena, sizeof(*dir) + strlen(name) + 1);
    int fd;

    if (!dir)
        return no_memory(err);
    dir->up = level->dir;
    memcpy(dir->name, name, strlen(name) + 1);
    if (level->depth >= LIMIT_SAVE_DEPTH)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "directories are nested more than %d deep", LIMIT_SAVE_DEPTH);
    /* A way that leads back would never end. */
    if (map_find(&x->entered, inode->ref, 0, &(union map_value){0}))
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "the image is damaged: this directory is in two places");
    if (map_add(&x->entered, inode->ref, 0, (union map_value){0}) < 0)
        return no_memory(err);
    if (mkdirat(level->fd, name, 0700) < 0 ||
        (fd = openat(level->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) <
            0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "it cannot be made");
    return push(x, top, fd, dir, inode, err);
}

static int make_one(struct extract *x, struct level **top,
                    const struct listing_item *item, struct vitrine_error *err)
{
    const struct level *level = *top;
    const char *name = item->name;
    struct sqfs_inode inode;
    int rc = sqfs_read_inode(x->fs, item->ref, &inode);

    if (rc == 0 && (inode.mode & S_IFMT) != item->type)
        rc = -EIO;
    if (rc < 0)
        return damaged(err, rc);
    if (S_ISDIR(inode.mode))
        return make_dir(x, top, name, &inode, err);
    if (inode.nlink > 1) {
        rc = make_link(x, level, name, &inode, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
    }
    if (S_ISREG(inode.mode))
        return extract_file(x, level->fd, level->dir, name, &inode, err);
    if (S_ISLNK(inode.mode))
        return make_symlink(x, level, name, &inode, err);
    return make_special(x, level, name, &inode, err);
}

/* Its descriptor was closed on the way down. */
static int open_again(struct level *level, const struct level *below,
                      struct vitrine_error *err)
{
    struct stat st;

    level->fd = openat(below->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (level->fd < 0 || fstat(level->fd, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot go back from it");
    if (st.st_dev != level->dev || st.st_ino != level->ino)
        return vitrine_fail(err, VITRINE_EINTERNAL,
                            "it was moved while the image was being unpacked");
    return 0;
}

static bool is_late(const struct sqfs_inode *inode)
{
    return (inode->mode & 0700) != 0700 || (inode->mode & 022);
}

/* A directory in which all has been made. */
static int finish_dir(struct extract *x, const struct level *level,
                      struct vitrine_error *err)
{
    bool late = is_late(&level->inode);
    struct stat st;

    if (!level->up && x->keep_root)
        return 0;
    if (extract_attrs(x, level->fd, -1, NULL, &level->inode, late, err) < 0)
        return -1;
    if (!late)
        return 0;
    if (fstat(level->fd, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "it cannot be examined");
    level->dir->late_mode = extract_mode(x, &st, &level->inode);
    level->dir->late_next = x->late;
    x->late = level->dir;
    return 0;
}

static void pop(struct level **top)
{
    struct level *level = *top;

    *top = level->up;
    /* The root's is the caller's. */
    if (level->up && level->fd >= 0)
        (void)close(level->fd);
    listing_free(&level->listing);
    free(level);
}

static int leave(struct extract *x, struct level **top, struct vitrine_error *err)
{
    struct level *up = (*top)->up;

    if (up && up->fd < 0 && open_again(up, *top, err) < 0)
        return extract_wrap((*top)->dir, NULL, err);
    if (finish_dir(x, *top, err) < 0)
        return extract_wrap((*top)->dir, NULL, err);
    pop(top);
    return 0;
}

static int make_next(struct extract *x, struct level **top, struct vitrine_error *err)
{
    struct level *level = *top;
    const struct listing_item *item;

    x->watch->progress.bytes_done = atomic_load(&x->bytes);
    if (watch_look(x->watch, err) < 0)
        return -1;
    if (level->next == level->listing.n)
        return leave(x, top, err);
    item = &level->listing.items[level->next++];
    if (++x->entries > LIMIT_SAVE_ENTRIES)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED, "it has more than %d files",
                            LIMIT_SAVE_ENTRIES);
    return make_one(x, top, item, err) < 0 ? extract_wrap(level->dir, item->name, err)
                                           : 0;
}

static int walk(struct extract *x, struct extract_dir *dir, struct vitrine_error *err)
{
    struct level *top = NULL;
    struct sqfs_inode inode;
    int rc = sqfs_read_inode(x->fs, x->fs->super.root_inode, &inode);

    if (rc < 0 || !S_ISDIR(inode.mode))
        return damaged(err, rc < 0 ? rc : -EIO);
    rc = map_add(&x->entered, inode.ref, 0, (union map_value){0}) < 0
             ? no_memory(err)
             : push(x, &top, x->root, dir, &inode, err);
    while (rc == 0 && top && !atomic_load(&x->failed))
        rc = make_next(x, &top, err);
    while (top)
        pop(&top);
    return rc;
}

/* Those that were finished first are deepest, and come last in the list: the ways to all
 * that is still to be changed are open, as nothing above has been. */
static int set_late_modes(struct extract *x, struct vitrine_error *err)
{
    struct extract_dir *deepest_first = NULL, *next;

    for (struct extract_dir *dir = x->late; dir; dir = next) {
        next = dir->late_next;
        dir->late_next = deepest_first;
        deepest_first = dir;
    }
    x->late = NULL;
    for (const struct extract_dir *dir = deepest_first; dir; dir = dir->late_next) {
        cleanup_fd int fd = open_made(x, dir);

        if (fd < 0 || fchmod(fd, dir->late_mode) < 0) {
            (void)vitrine_fail_sys(err, VITRINE_EINTERNAL, "its mode cannot be set");
            return extract_wrap(dir, NULL, err);
        }
    }
    return 0;
}

/* Lets the workers come to their end; `rc` is how the walk went. */
static int wait_for_work(struct extract *x, int rc, struct vitrine_error *err)
{
    while (rc == 0 && !workers_are_idle(x->workers)) {
        x->watch->progress.bytes_done = atomic_load(&x->bytes);
        rc = watch_look(x->watch, err);
    }
    if (rc < 0)
        atomic_store(&x->failed, true);
    workers_end(x->workers);
    x->watch->progress.bytes_done = atomic_load(&x->bytes);
    if (rc == 0 && atomic_load(&x->failed)) {
        *err = x->err;
        return -1;
    }
    return rc;
}

int extract_tree(struct extract *x, struct vitrine_error *err)
{
    struct vitrine_error own = {0};
    struct extract_dir *root = arena_take(&x->arena, sizeof(*root) + 1);
    int rc;

    if (!root)
        return no_memory(err);
    (void)pthread_mutex_init(&x->lock, NULL);
    x->workers = workers_start(extract_work, x, EXTRACT_BUFFER);
    if (!x->workers)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "no thread can be made");
    rc = wait_for_work(x, walk(x, root, &own), &own);
    if (rc == 0)
        rc = set_late_modes(x, &own);
    if (rc < 0 && err)
        *err = own;
    return rc;
}

void extract_free(struct extract *x)
{
    arena_free(&x->arena);
    map_free(&x->entered);
    map_free(&x->links);
}
