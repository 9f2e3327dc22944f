/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The view that overlayfs gives of the base and the upper directory, as its documentation
 * says (Documentation/filesystems/overlayfs.rst of Linux): what is in the upper directory
 * counts, directories of both are one, and whiteouts hide. Runs as the user, in
 * vitrine-save.
 */
#include "base/cleanup.h"
#include "base/limits.h"
#include "save/job.h"
#include "sqfswrite/listing.h"

#include <fcntl.h>
#include <limits.h>
#include <sqfs/error.h>
#include <string.h>
#include <sys/xattr.h>

/* One directory of one layer. */
struct layer {
    enum { LAYER_NONE, LAYER_IMAGE, LAYER_HOST } kind;
    bool is_upper, xwhiteouts;
    int fd; /* LAYER_HOST */
    dev_t dev;
    struct sqfs_inode inode; /* LAYER_IMAGE */
};

struct walk {
    struct job *job;
    struct vitrine_error *err;
};

static int merge_dir(struct walk *w, const struct place *place, unsigned depth,
                     struct tree_node *node, const struct layer *upper,
                     const struct layer *lower);

static int no_memory(struct walk *w)
{
    return output_fail(w->job->host.output, SQFS_ERROR_ALLOC, w->err);
}

static int count_entry(struct walk *w)
{
    if (++w->job->entries > LIMIT_SAVE_ENTRIES)
        return vitrine_fail(w->err, VITRINE_EUNSUPPORTED,
                            "the container has more than %d files", LIMIT_SAVE_ENTRIES);
    return 0;
}

/* The lower directory of that name, if it is one and shows. */
static int open_lower(struct walk *w, const struct layer *lower,
                      const struct listing_item *item, struct layer *ret)
{
    struct stat st;
    int rc;

    *ret = (struct layer){.fd = -1};
    if (!item)
        return 0;
    if (lower->kind == LAYER_IMAGE) {
        if (!S_ISDIR(item->type))
            return 0;
        if (image_enter(w->job, item->ref, w->err) < 0)
            return -1;
        rc = sqfs_read_inode(w->job->fs, item->ref, &ret->inode);
        if (rc < 0 || !S_ISDIR(ret->inode.mode))
            return error_from(w->err, VITRINE_EFORMAT, rc < 0 ? rc : -EIO,
                              "the image is damaged");
        ret->kind = LAYER_IMAGE;
        return 0;
    }
    ret->fd =
        openat(lower->fd, item->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (ret->fd < 0 && (errno == ENOTDIR || errno == ELOOP || errno == ENOENT))
        return 0;
    if (ret->fd < 0 || fstat(ret->fd, &st) < 0)
        return vitrine_fail_sys(w->err, VITRINE_EINTERNAL, "it cannot be read");
    ret->dev = st.st_dev;
    if (st.st_dev == lower->dev && !host_is_mounted(ret->fd))
        ret->kind = LAYER_HOST;
    return 0;
}

static int add_image_dir(struct walk *w, const struct place *place, unsigned depth,
                         struct tree_node *parent, const struct listing_item *item,
                         const struct layer *lower)
{
    struct job *job = w->job;
    struct layer own;
    struct tree_node *node;

    if (open_lower(w, lower, item, &own) < 0 ||
        !(node = image_node(job, &own.inode, w->err)))
        return place_wrap(place, w->err);
    if (tree_add(&job->host.arena, parent, item->name, node) < 0)
        return no_memory(w);
    return merge_dir(w, place, depth + 1, node, NULL, &own);
}

static int add_from_image(struct walk *w, const struct place *up, unsigned depth,
                          struct tree_node *parent, const struct listing_item *item,
                          const struct layer *lower)
{
    const struct place place = {.up = up, .name = item->name};
    struct sqfs_inode inode;
    int rc;

    if (S_ISDIR(item->type))
        return add_image_dir(w, &place, depth, parent, item, lower);
    rc = sqfs_read_inode(w->job->fs, item->ref, &inode);
    if (rc == 0 && (inode.mode & S_IFMT) != item->type)
        rc = -EIO;
    if (rc < 0)
        (void)error_from(w->err, VITRINE_EFORMAT, rc, "the image is damaged");
    else
        rc = image_add(w->job, parent, item->name, &inode, w->err);
    return rc < 0 ? place_wrap(&place, w->err) : 0;
}

/* A directory of the host: its node, and what of it shows. 1: it has vanished. */
static int open_host_dir(struct walk *w, const struct layer *layer, const char *name,
                         struct layer *ret, struct marks *marks, struct tree_node **node)
{
    struct stat st;

    *marks = (struct marks){0};
    *ret = (struct layer){.is_upper = layer->is_upper};
    ret->fd = openat(layer->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (ret->fd < 0 && errno == ENOENT)
        return 1;
    if (ret->fd < 0 || fstat(ret->fd, &st) < 0)
        return vitrine_fail_sys(w->err, VITRINE_EINTERNAL, "it cannot be read");
    *node = host_node(&w->job->host, &st);
    if (!*node)
        return no_memory(w);
    ret->dev = st.st_dev;
    /* What is mounted there is not the container's. */
    if (st.st_dev != layer->dev || host_is_mounted(ret->fd))
        return 0;
    ret->kind = LAYER_HOST;
    if (host_xattrs(&w->job->host, ret->fd, NULL, *node, layer->is_upper ? marks : NULL,
                    w->err) < 0)
        return -1;
    ret->xwhiteouts = marks->xwhiteouts;
    return 0;
}

static int add_host_dir(struct walk *w, const struct place *place, unsigned depth,
                        struct tree_node *parent, const struct layer *layer,
                        const struct layer *lower, const struct listing_item *item)
{
    struct layer own, below = {.fd = -1};
    struct tree_node *node = NULL;
    struct marks marks;
    int rc = open_host_dir(w, layer, place->name, &own, &marks, &node);

    if (rc == 0 && !marks.opaque && own.kind == LAYER_HOST)
        rc = open_lower(w, lower, item, &below);
    if (rc == 0 && tree_add(&w->job->host.arena, parent, place->name, node) < 0)
        rc = no_memory(w);
    if (rc < 0)
        (void)place_wrap(place, w->err);
    if (rc == 0)
        rc = merge_dir(w, place, depth + 1, node, &own, &below);
    if (own.fd >= 0)
        (void)close(own.fd);
    if (below.fd >= 0)
        (void)close(below.fd);
    return rc < 0 ? -1 : 0;
}

static bool is_whiteout(const struct layer *layer, const char *name,
                        const struct stat *st)
{
    char path[NAME_MAX + 40];

    if (!layer->is_upper)
        return false;
    if (S_ISCHR(st->st_mode) && st->st_rdev == 0)
        return true;
    if (!layer->xwhiteouts || !S_ISREG(st->st_mode) || st->st_size != 0)
        return false;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", layer->fd, name);
    return lgetxattr(path, "user.overlay.whiteout", NULL, 0) >= 0;
}

/* `item` is what `lower` has of that name, or NULL. */
static int add_from_host(struct walk *w, const struct place *up, unsigned depth,
                         struct tree_node *parent, const struct layer *layer,
                         const char *name, const struct layer *lower,
                         const struct listing_item *item)
{
    const struct place place = {.up = up, .name = name};
    struct stat st;

    if (fstatat(layer->fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) {
        if (errno == ENOENT)
            return 0;
        (void)vitrine_fail_sys(w->err, VITRINE_EINTERNAL, "it cannot be examined");
        return place_wrap(&place, w->err);
    }
    if (is_whiteout(layer, name, &st) ||
        (st.st_dev == w->job->host.own_dev && st.st_ino == w->job->host.own_ino))
        return 0;
    if (S_ISDIR(st.st_mode))
        return add_host_dir(w, &place, depth, parent, layer, lower, item);
    return host_add(&w->job->host, parent, layer->fd, layer->dev, name, &st,
                    layer->is_upper, w->err) < 0
               ? place_wrap(&place, w->err)
               : 0;
}

static int read_layer(struct walk *w, const struct layer *layer, struct listing *ret)
{
    int rc = 0;

    if (!layer || layer->kind == LAYER_NONE)
        return 0;
    rc = layer->kind == LAYER_IMAGE ? listing_read_image(w->job->fs, &layer->inode, ret)
                                    : listing_read_host(layer->fd, ret);
    return rc < 0 ? error_from(w->err, VITRINE_EINTERNAL, rc, "it cannot be listed") : 0;
}

static int merge_lists(struct walk *w, const struct place *place, unsigned depth,
                       struct tree_node *node, const struct layer *upper,
                       const struct listing *above, const struct layer *lower,
                       const struct listing *below)
{
    size_t i = 0, j = 0;

    while (i < above->n || j < below->n) {
        const struct listing_item *x = i < above->n ? &above->items[i] : NULL;
        const struct listing_item *y = j < below->n ? &below->items[j] : NULL;
        int order = x && y ? strcmp(x->name, y->name) : x ? -1 : 1;
        int rc = 0;

        if (count_entry(w) < 0)
            return -1;
        if (x && order <= 0)
            rc = add_from_host(w, place, depth, node, upper, x->name, lower,
                               order == 0 ? y : NULL);
        else if (y && lower->kind == LAYER_IMAGE)
            rc = add_from_image(w, place, depth, node, y, lower);
        else if (y)
            rc = add_from_host(w, place, depth, node, lower, y->name, NULL, NULL);
        if (rc < 0)
            return -1;
        i += order <= 0;
        j += order >= 0;
    }
    return 0;
}

static int merge_dir(struct walk *w, const struct place *place, unsigned depth,
                     struct tree_node *node, const struct layer *upper,
                     const struct layer *lower)
{
    struct listing above = {0}, below = {0};
    int rc = 0;

    if (depth > LIMIT_SAVE_DEPTH)
        rc = vitrine_fail(w->err, VITRINE_EUNSUPPORTED,
                          "directories are nested more than %d deep", LIMIT_SAVE_DEPTH);
    if (rc == 0)
        rc = read_layer(w, upper, &above);
    if (rc == 0)
        rc = read_layer(w, lower, &below);
    if (rc < 0)
        (void)place_wrap(place, w->err);
    else
        rc = merge_lists(w, place, depth, node, upper, &above, lower, &below);
    listing_free(&above);
    listing_free(&below);
    return rc;
}

/* The root of a directory of the host, which may itself be a mount. */
static int open_root(struct walk *w, int fd, bool is_upper, struct layer *ret,
                     struct tree_node **node)
{
    struct marks marks = {0};
    struct stat st;

    if (fstat(fd, &st) < 0)
        return vitrine_fail_sys(w->err, VITRINE_EINTERNAL, "it cannot be examined");
    *ret = (struct layer){
        .kind = LAYER_HOST, .is_upper = is_upper, .fd = fd, .dev = st.st_dev};
    *node = host_node(&w->job->host, &st);
    if (!*node)
        return no_memory(w);
    if (host_xattrs(&w->job->host, fd, NULL, *node, is_upper ? &marks : NULL, w->err) < 0)
        return -1;
    ret->xwhiteouts = marks.xwhiteouts;
    return 0;
}

int merge(struct job *job, int base, int upper, struct vitrine_error *err)
{
    struct walk w = {.job = job, .err = err};
    const struct place place = {.name = ""};
    struct layer above = {.fd = -1}, below = {.fd = -1};
    struct listing_item root = {.type = S_IFDIR};
    struct layer none = {.kind = LAYER_IMAGE, .fd = -1};
    struct tree_node *node = NULL;
    int rc = 0;

    if (job->fs) {
        root.ref = job->fs->super.root_inode;
        rc = open_lower(&w, &none, &root, &below);
        if (rc == 0 && upper < 0 && !(node = image_node(job, &below.inode, err)))
            rc = -1;
    } else {
        rc = open_root(&w, base, false, &below, &node);
    }
    if (rc == 0 && upper >= 0)
        rc = open_root(&w, upper, true, &above, &node);
    if (rc < 0)
        return place_wrap(&place, err);
    job->root = node;
    return merge_dir(&w, &place, 0, node, &above, &below);
}
