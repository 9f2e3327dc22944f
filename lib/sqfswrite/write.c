/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Metadata of the output, from the deepest directory upwards, as each inode of a
 * directory says where its listing is and each listing where the inodes are. Runs as the
 * user.
 */
#include "sqfswrite/write.h"
#include "image/bytes.h"
#include "image/squashfs.h"

#include <errno.h>
#include <sqfs/dir_writer.h>
#include <sqfs/error.h>
#include <sqfs/inode.h>
#include <sqfs/meta_writer.h>
#include <sqfs/super.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a loop device ends at, and mksquashfs pads to. */
#define PADDING 4096U

/* Block sizes written at a time. */
#define SIZES 256U

#define NO_FRAGMENT UINT32_MAX

struct writer {
    struct output *output;
    const struct write_others *others;
    sqfs_meta_writer_t *inodes, *directories;
    sqfs_dir_writer_t *listing;
    uint32_t numbers;
    sqfs_super_t super;
};

/* Bytes of one inode. */
struct body {
    uint8_t data[64];
    size_t size;
};

static void put(struct body *body, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        body->data[body->size++] = (uint8_t)(value >> (8 * i));
}

static int put_head(struct writer *w, struct body *body, const struct tree_node *node,
                    unsigned type)
{
    uint16_t uid, gid;
    int rc = sqfs_id_table_id_to_index(w->output->ids, node->uid, &uid);

    if (rc == 0)
        rc = sqfs_id_table_id_to_index(w->output->ids, node->gid, &gid);
    if (rc != 0)
        return rc;
    body->size = 0;
    put(body, type, 2);
    put(body, node->mode & 07777, 2);
    put(body, uid, 2);
    put(body, gid, 2);
    put(body, node->mtime, 4);
    put(body, node->number, 4);
    return 0;
}

static int append(struct writer *w, const void *data, size_t size)
{
    return sqfs_meta_writer_append(w->inodes, data, size);
}

static int put_file_head(struct writer *w, const struct tree_node *node,
                         const struct write_content *c)
{
    struct body body;
    bool is_long = node->links > 1 || node->xattr != TREE_NO_XATTR || c->sparse > 0 ||
                   c->size > UINT32_MAX || c->start > UINT32_MAX;
    int rc = put_head(w, &body, node, is_long ? SQFS_INODE_EXT_FILE : SQFS_INODE_FILE);

    if (rc != 0)
        return rc;
    if (is_long) {
        put(&body, c->start, 8);
        put(&body, c->size, 8);
        put(&body, c->sparse < c->size ? c->sparse : c->size - (c->size > 0), 8);
        put(&body, node->links, 4);
        put(&body, c->fragment, 4);
        put(&body, c->fragment_offset, 4);
        put(&body, node->xattr, 4);
    } else {
        put(&body, c->start, 4);
        put(&body, c->fragment, 4);
        put(&body, c->fragment_offset, 4);
        put(&body, c->size, 4);
    }
    return append(w, body.data, body.size);
}

static int put_other_file(struct writer *w, const struct tree_node *node)
{
    const struct write_others *others = w->others;
    struct write_content c = {.fragment = NO_FRAGMENT};
    uint32_t sizes[SIZES];
    int rc;

    if (!others)
        return SQFS_ERROR_INTERNAL;
    if (others->find(others->arg, node, &c) < 0)
        return SQFS_ERROR_CORRUPTED;
    rc = put_file_head(w, node, &c);
    while (rc == 0) {
        int n = others->sizes(others->arg, sizes, SIZES);

        if (n <= 0)
            return n < 0 ? SQFS_ERROR_CORRUPTED : 0;
        rc = append(w, sizes, (size_t)n * sizeof(*sizes));
    }
    return rc;
}

static void content_of(const sqfs_inode_generic_t *inode, struct write_content *ret)
{
    if (inode->base.type == SQFS_INODE_EXT_FILE)
        ret->sparse += inode->data.file_ext.sparse;
    (void)sqfs_inode_get_file_block_start(inode, &ret->start);
    (void)sqfs_inode_get_frag_location(inode, &ret->fragment, &ret->fragment_offset);
}

static int put_sizes(struct writer *w, const uint32_t *sizes, uint64_t n)
{
    uint32_t block[SIZES];
    int rc = 0;

    while (rc == 0 && n > 0) {
        size_t some = n < SIZES ? (size_t)n : SIZES;

        /* NULL: of a hole. */
        for (size_t i = 0; i < some; i++)
            block[i] = sizes ? le32((const uint8_t *)&sizes[i]) : 0;
        rc = append(w, block, some * sizeof(*block));
        if (sizes)
            sizes += some;
        n -= some;
    }
    return rc;
}

static int put_packed_file(struct writer *w, const struct tree_node *node)
{
    const struct tree_packed *packed = node->file.packed;
    const sqfs_inode_generic_t *inode = packed->inode;
    uint32_t block_size = w->output->format.block_size;
    uint64_t blocks = (packed->size + block_size - 1) / block_size, at = 0, used = 0;
    uint64_t have = inode ? sqfs_inode_get_file_block_count(inode) : 0;
    struct write_content c = {
        .size = packed->size, .fragment = NO_FRAGMENT, .fragment_offset = NO_FRAGMENT};
    uint64_t holes = 0;
    int rc;

    for (size_t i = 0; i < packed->nholes; i++)
        holes += packed->holes[i].count;
    c.sparse = holes * block_size;
    if (inode)
        content_of(inode, &c);
    if (c.fragment != NO_FRAGMENT)
        blocks--;
    if (have + holes != blocks)
        return SQFS_ERROR_INTERNAL;
    rc = put_file_head(w, node, &c);
    for (size_t i = 0; rc == 0 && i < packed->nholes; i++) {
        uint64_t n = packed->holes[i].block - at;

        rc = put_sizes(w, inode ? inode->extra + used : NULL, n);
        if (rc == 0)
            rc = put_sizes(w, NULL, packed->holes[i].count);
        used += n;
        at += n + packed->holes[i].count;
    }
    return rc == 0 && inode ? put_sizes(w, inode->extra + used, have - used) : rc;
}

static int put_special(struct writer *w, const struct tree_node *node)
{
    bool is_long = node->xattr != TREE_NO_XATTR;
    unsigned type = S_ISBLK(node->mode)    ? SQFS_INODE_BDEV
                    : S_ISCHR(node->mode)  ? SQFS_INODE_CDEV
                    : S_ISFIFO(node->mode) ? SQFS_INODE_FIFO
                                           : SQFS_INODE_SOCKET;
    struct body body;
    int rc = put_head(w, &body, node,
                      is_long ? type + SQFS_INODE_EXT_DIR - SQFS_INODE_DIR : type);

    if (rc != 0)
        return rc;
    put(&body, node->links, 4);
    if (S_ISBLK(node->mode) || S_ISCHR(node->mode))
        put(&body, node->rdev, 4);
    if (is_long)
        put(&body, node->xattr, 4);
    return append(w, body.data, body.size);
}

static int put_link(struct writer *w, const struct tree_node *node)
{
    bool is_long = node->xattr != TREE_NO_XATTR;
    struct body body;
    int rc = put_head(w, &body, node, is_long ? SQFS_INODE_EXT_SLINK : SQFS_INODE_SLINK);

    if (rc != 0)
        return rc;
    put(&body, node->links, 4);
    put(&body, strlen(node->target), 4);
    rc = append(w, body.data, body.size);
    if (rc == 0)
        rc = append(w, node->target, strlen(node->target));
    body.size = 0;
    put(&body, node->xattr, 4);
    return rc == 0 && is_long ? append(w, body.data, body.size) : rc;
}

/* Its listing, for which all that is in it has been written. */
static int put_dir(struct writer *w, const struct tree_node *node)
{
    /* The root has no parent; mksquashfs gives it this one. */
    uint32_t parent = node->dir.parent ? node->dir.parent->number : w->numbers + 1;
    uint32_t links = node->dir.subdirs + 2;
    sqfs_inode_generic_t *inode;
    int rc = sqfs_dir_writer_begin(w->listing, 0);

    for (const struct tree_entry *e = node->dir.first; rc == 0 && e; e = e->next)
        rc = sqfs_dir_writer_add_entry(w->listing, e->name, e->node->number, e->node->ref,
                                       (sqfs_u16)e->node->mode);
    if (rc == 0)
        rc = sqfs_dir_writer_end(w->listing);
    if (rc != 0)
        return rc;
    inode = sqfs_dir_writer_create_inode(w->listing, 0, node->xattr, parent);
    if (!inode)
        return SQFS_ERROR_ALLOC;
    inode->base.mode = (sqfs_u16)node->mode;
    inode->base.mod_time = node->mtime;
    inode->base.inode_number = node->number;
    if (inode->base.type == SQFS_INODE_DIR)
        inode->data.dir.nlink = links;
    else
        inode->data.dir_ext.nlink = links;
    rc = sqfs_id_table_id_to_index(w->output->ids, node->uid, &inode->base.uid_idx);
    if (rc == 0)
        rc = sqfs_id_table_id_to_index(w->output->ids, node->gid, &inode->base.gid_idx);
    if (rc == 0)
        rc = sqfs_meta_writer_write_inode(w->inodes, inode);
    sqfs_free(inode);
    return rc;
}

static int put_node(struct writer *w, struct tree_node *node)
{
    sqfs_u64 block;
    sqfs_u32 offset;

    sqfs_meta_writer_get_position(w->inodes, &block, &offset);
    node->ref = block << 16 | offset;
    if (S_ISDIR(node->mode))
        return put_dir(w, node);
    if (S_ISREG(node->mode))
        return node->file.packed ? put_packed_file(w, node) : put_other_file(w, node);
    return S_ISLNK(node->mode) ? put_link(w, node) : put_special(w, node);
}

/* In the order in which inodes are written, so that numbers of neighbours are near; 0 is
 * that of nobody. */
static void number(struct writer *w, const struct tree_node *dir)
{
    for (const struct tree_entry *e = dir->dir.first; e; e = e->next) {
        if (S_ISDIR(e->node->mode))
            number(w, e->node);
        if (e->node->number == 0)
            e->node->number = ++w->numbers;
    }
}

static int put_below(struct writer *w, const struct tree_node *dir, uint32_t *last)
{
    int rc = 0;

    for (const struct tree_entry *e = dir->dir.first; rc == 0 && e; e = e->next) {
        if (S_ISDIR(e->node->mode))
            rc = put_below(w, e->node, last);
        /* Other names of it came before. */
        if (rc == 0 && e->node->number > *last) {
            *last = e->node->number;
            rc = put_node(w, e->node);
        }
    }
    return rc;
}

static int put_tables(struct writer *w, struct tree_node *root)
{
    struct output *o = w->output;
    sqfs_file_t *file = &o->file.base;
    uint32_t last = 0;
    int rc;

    number(w, root);
    root->number = ++w->numbers;
    w->super.inode_count = w->numbers;
    w->super.inode_table_start = o->file.size;
    rc = put_below(w, root, &last);
    if (rc == 0)
        rc = put_node(w, root);
    if (rc == 0)
        rc = sqfs_meta_writer_flush(w->inodes);
    if (rc == 0)
        rc = sqfs_meta_writer_flush(w->directories);
    w->super.root_inode_ref = root->ref;
    w->super.directory_table_start = o->file.size;
    if (rc == 0)
        rc = sqfs_meta_write_write_to_file(w->directories);
    if (rc == 0)
        rc = sqfs_frag_table_write(o->fragments, file, &w->super, o->pack);
    if (rc == 0)
        rc = sqfs_dir_writer_write_export_table(w->listing, file, o->pack, root->number,
                                                root->ref, &w->super);
    if (rc == 0)
        rc = sqfs_id_table_write(o->ids, file, &w->super, o->pack);
    if (rc == 0)
        rc = sqfs_xattr_writer_flush(o->xattrs, file, &w->super, o->pack);
    return rc;
}

static int finish(struct writer *w)
{
    struct output *o = w->output;
    sqfs_file_t *file = &o->file.base;
    uint64_t padded = (o->file.size + PADDING - 1) / PADDING * PADDING;

    w->super.bytes_used = o->file.size;
    /* libsquashfs claims it; for large files it is not so. */
    w->super.flags &= (sqfs_u16)~SQFS_FLAG_ALWAYS_FRAGMENTS;
    if (o->has_options)
        w->super.flags |= SQFS_FLAG_COMPRESSOR_OPTIONS;
    int rc = file->truncate(file, padded);
    return rc == 0 ? sqfs_super_write(&w->super, file) : rc;
}

int write_tree(struct output *o, struct tree_node *root, uint32_t time,
               const struct write_others *others, struct vitrine_error *err)
{
    struct writer w = {.output = o, .others = others};
    int rc = sqfs_super_init(&w.super, o->format.block_size, time,
                             (SQFS_COMPRESSOR)o->format.compressor);

    w.inodes = sqfs_meta_writer_create(&o->file.base, o->pack, 0);
    w.directories =
        sqfs_meta_writer_create(&o->file.base, o->pack, SQFS_META_WRITER_KEEP_IN_MEMORY);
    if (w.directories)
        w.listing =
            sqfs_dir_writer_create(w.directories, SQFS_DIR_WRITER_CREATE_EXPORT_TABLE);
    if (!w.inodes || !w.listing)
        rc = SQFS_ERROR_ALLOC;
    if (rc == 0)
        rc = put_tables(&w, root);
    if (rc == 0)
        rc = finish(&w);
    sqfs_destroy(w.listing);
    sqfs_destroy(w.directories);
    sqfs_destroy(w.inodes);
    if (rc == SQFS_ERROR_CORRUPTED)
        return vitrine_fail(err, VITRINE_EFORMAT, "the image changed while it was read");
    return rc == 0 ? 0 : output_fail(o, rc, err);
}
