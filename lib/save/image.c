/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the base image contributes. Runs as the user, in vitrine-save; it is hostile. */
#include "save/job.h"

#include <errno.h>
#include <sqfs/error.h>
#include <string.h>

/* In job->host.seen, where other first numbers are devices. */
#define SEEN_IMAGE UINT64_MAX

#define OVERLAY_PREFIX "user.overlay."

static int damaged(int rc, struct vitrine_error *err)
{
    return error_from(err, VITRINE_EFORMAT, rc, "the image is damaged");
}

static neg_errno tell_xattr(void *arg, const char *name, const void *value, size_t size)
{
    struct job *job = arg;

    /* Nobody in the container sees these. */
    if (strncmp(name, OVERLAY_PREFIX, strlen(OVERLAY_PREFIX)) == 0)
        return 0;
    return sqfs_xattr_writer_add(job->host.output->xattrs, name, value, size) == 0
               ? 0
               : -ENOMEM;
}

static int copy_xattrs(struct job *job, const struct sqfs_inode *inode, uint32_t *ret,
                       struct vitrine_error *err)
{
    sqfs_xattr_writer_t *writer = job->host.output->xattrs;
    union map_value known;
    uint32_t set;
    int rc;

    *ret = TREE_NO_XATTR;
    if (inode->xattr == SQFS_NONE)
        return 0;
    if (map_find(&job->xattr_sets, 0, inode->xattr, &known)) {
        *ret = known.set;
        return 0;
    }
    rc = sqfs_xattr_writer_begin(writer, 0);
    if (rc != 0)
        return output_fail(job->host.output, rc, err);
    rc = sqfs_xattr_each(job->fs, inode, tell_xattr, job);
    if (rc < 0)
        return damaged(rc, err);
    rc = sqfs_xattr_writer_end(writer, &set);
    if (rc != 0)
        return output_fail(job->host.output, rc, err);
    rc = map_add(&job->xattr_sets, 0, inode->xattr, (union map_value){.set = set});
    if (rc < 0)
        return output_fail(job->host.output, SQFS_ERROR_ALLOC, err);
    *ret = set;
    return 0;
}

struct tree_node *image_node(struct job *job, const struct sqfs_inode *inode,
                             struct vitrine_error *err)
{
    struct tree_node *node = arena_take(&job->host.arena, sizeof(*node));

    if (!node) {
        (void)output_fail(job->host.output, SQFS_ERROR_ALLOC, err);
        return NULL;
    }
    node->mode = inode->mode;
    node->uid = inode->uid;
    node->gid = inode->gid;
    node->mtime = inode->mtime;
    node->rdev = inode->rdev;
    if (inode->mtime > job->host.newest)
        job->host.newest = inode->mtime;
    return copy_xattrs(job, inode, &node->xattr, err) < 0 ? NULL : node;
}

/* What is more than times and owners. */
static int fill(struct job *job, struct tree_node *node, const struct sqfs_inode *inode,
                struct vitrine_error *err)
{
    int rc = 0;

    if (S_ISREG(inode->mode)) {
        node->file.elsewhere = inode->ref;
        rc = raw_want(&job->raw, inode);
    } else if (S_ISLNK(inode->mode)) {
        rc = sqfs_read_link(job->fs, inode, job->host.value);
        if (rc == 0 && !(node->target = arena_text(&job->host.arena, job->host.value)))
            rc = -ENOMEM;
    }
    return rc < 0 ? damaged(rc, err) : 0;
}

int image_add(struct job *job, struct tree_node *parent, const char *name,
              const struct sqfs_inode *inode, struct vitrine_error *err)
{
    struct tree_node *node;
    union map_value known;
    int rc = 0;

    if (inode->nlink > 1 && map_find(&job->host.seen, SEEN_IMAGE, inode->ref, &known)) {
        node = known.node;
    } else {
        node = image_node(job, inode, err);
        if (!node || fill(job, node, inode, err) < 0)
            return -1;
        if (inode->nlink > 1)
            rc = map_add(&job->host.seen, SEEN_IMAGE, inode->ref,
                         (union map_value){.node = node});
    }
    if (rc == 0)
        rc = tree_add(&job->host.arena, parent, name, node);
    return rc < 0 ? output_fail(job->host.output, SQFS_ERROR_ALLOC, err) : 0;
}

int image_enter(struct job *job, uint64_t ref, struct vitrine_error *err)
{
    union map_value known;

    if (map_find(&job->host.seen, SEEN_IMAGE, ref, &known))
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "the image is damaged: this directory has two names");
    return map_add(&job->host.seen, SEEN_IMAGE, ref, (union map_value){0}) < 0
               ? output_fail(job->host.output, SQFS_ERROR_ALLOC, err)
               : 0;
}

/* The base may have changed since its inode was read first: nothing of it is trusted. */
static neg_errno find_file(void *arg, const struct tree_node *node,
                           struct write_content *ret)
{
    struct image_files *files = arg;
    struct job *job = files->job;
    struct sqfs_inode inode;
    int rc = sqfs_read_inode(job->fs, node->file.elsewhere, &inode);

    if (rc < 0 || !S_ISREG(inode.mode))
        return -EIO;
    ret->size = inode.size;
    ret->sparse = inode.file.sparse;
    if (raw_fragment(&job->raw, &inode, &ret->fragment))
        ret->fragment_offset = inode.file.fragment_offset;
    ret->start = raw_place(&job->raw, inode.file.start);
    raw_blocks_start(&files->blocks, job->fs, &inode);
    return 0;
}

static neg_errno next_sizes(void *arg, uint32_t *ret, size_t max)
{
    struct image_files *files = arg;

    return raw_blocks_next(&files->blocks, files->job->fs, ret, max);
}

struct write_others image_files(struct image_files *files, struct job *job)
{
    *files = (struct image_files){.job = job};
    return (struct write_others){.find = find_file, .sizes = next_sizes, .arg = files};
}
