/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the FUSE server answers. Runs as the user.
 *
 * The image never changes, so the kernel may keep whatever it has been told: names,
 * attributes and content have no expiry, files and directories need no open. There is no
 * state: a node's number is where its inode lies in the image (plus 2, as 0 and 1 have a
 * meaning of their own), so nothing has to be remembered or forgotten.
 */
#include "image/fuse-ops.h"
#include "image/sqfs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

/* Seconds for which the kernel may believe us: 30 years. */
#define FOREVER 1e9

/* Requests in the background (readahead) before the kernel holds back; its own default of
 * 12 is for one reader. */
#define BACKGROUND 64

/* What programs take as a good size for their buffers. Blocks of the image may be larger,
 * but a buffer of 1 MiB for each open file would be felt. */
#define BUFFER_SIZE 131072

#define NODE_OFFSET 2 /* node = inode reference + 2 */

/* Position of a directory's first entry, behind "." and "..". */
#define FIRST_ENTRY 2

static struct fuse_served *get_served(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static struct sqfs *get_fs(fuse_req_t req)
{
    return &get_served(req)->fs;
}

static uint64_t node_of(const struct sqfs *fs, uint64_t ref)
{
    return ref == fs->super.root_inode ? FUSE_ROOT_ID : ref + NODE_OFFSET;
}

static neg_errno read_node(const struct sqfs *fs, fuse_ino_t node, struct sqfs_inode *ret)
{
    return sqfs_read_inode(
        fs, node == FUSE_ROOT_ID ? fs->super.root_inode : node - NODE_OFFSET, ret);
}

static void fill_stat(const struct fuse_served *served, const struct sqfs_inode *inode,
                      struct stat *ret)
{
    const struct fuse_owners *owners = served->owners;
    uint32_t dev = inode->rdev;
    uint64_t stored =
        inode->size > inode->file.sparse ? inode->size - inode->file.sparse : 0;

    /* As Linux decodes it: new_decode_dev() in include/linux/kdev_t.h. */
    *ret = (struct stat){
        .st_ino = inode->number,
        .st_mode = inode->mode,
        .st_nlink = inode->nlink ? inode->nlink : 1,
        .st_uid = owners ? fuse_owners_uid(owners, inode->uid) : inode->uid,
        .st_gid = owners ? fuse_owners_gid(owners, inode->gid) : inode->gid,
        .st_rdev = makedev((dev & 0xfff00) >> 8, (dev & 0xff) | ((dev >> 12) & 0xfff00)),
        .st_size = (off_t)inode->size,
        .st_blksize = BUFFER_SIZE,
        .st_blocks = S_ISREG(inode->mode) ? (blkcnt_t)((stored + 511) / 512) : 0,
        .st_atim.tv_sec = inode->mtime,
        .st_mtim.tv_sec = inode->mtime,
        .st_ctim.tv_sec = inode->mtime,
    };
}

static void op_init(void *data, struct fuse_conn_info *conn)
{
    /* Content is not to be forgotten because an attribute was asked for again. */
    conn->want &= ~(unsigned)FUSE_CAP_AUTO_INVAL_DATA;
    conn->want |= conn->capable & FUSE_CAP_CACHE_SYMLINKS;
    conn->max_background = BACKGROUND;
    conn->congestion_threshold = BACKGROUND * 3 / 4;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct sqfs *fs = get_fs(req);
    struct fuse_entry_param reply = {.attr_timeout = FOREVER, .entry_timeout = FOREVER};
    struct sqfs_inode inode;
    struct sqfs_entry entry;
    int rc = read_node(fs, parent, &inode);

    if (rc == 0)
        rc = sqfs_dir_find(fs, &inode, name, &entry);
    if (rc == 0)
        rc = sqfs_read_inode(fs, entry.ref, &inode);
    if (rc == 0) {
        reply.ino = node_of(fs, entry.ref);
        fill_stat(get_served(req), &inode, &reply.attr);
    }
    /* Node 0 is a name that does not exist, and which the kernel may remember so. */
    if (rc == 0 || rc == -ENOENT)
        (void)fuse_reply_entry(req, &reply);
    else
        (void)fuse_reply_err(req, -rc);
}

static void op_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
    struct sqfs *fs = get_fs(req);
    struct sqfs_inode inode;
    struct stat st;
    int rc = read_node(fs, node, &inode);

    if (rc < 0) {
        (void)fuse_reply_err(req, -rc);
        return;
    }
    fill_stat(get_served(req), &inode, &st);
    (void)fuse_reply_attr(req, &st, FOREVER);
}

static void op_readlink(fuse_req_t req, fuse_ino_t node)
{
    struct sqfs *fs = get_fs(req);
    char target[SQFS_SYMLINK_MAX + 1];
    struct sqfs_inode inode;
    int rc = read_node(fs, node, &inode);

    if (rc == 0)
        rc = sqfs_read_link(fs, &inode, target);
    if (rc < 0)
        (void)fuse_reply_err(req, -rc);
    else
        (void)fuse_reply_readlink(req, target);
}

/* ENOSYS: the kernel opens files and directories without asking from now on, and keeps
 * their content; since Linux 5.1 for directories. */
static void op_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
    (void)fuse_reply_err(req, ENOSYS);
}

static void op_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                    struct fuse_file_info *fi)
{
    struct sqfs *fs = get_fs(req);
    uint8_t *buf = malloc(size);
    struct sqfs_inode inode;
    int rc = buf ? read_node(fs, node, &inode) : -ENOMEM;

    if (rc == 0 && offset < 0)
        rc = -EINVAL;
    if (rc == 0)
        rc = sqfs_file_read(fs, &inode, (uint64_t)offset, buf, size);
    if (rc < 0)
        (void)fuse_reply_err(req, -rc);
    else
        (void)fuse_reply_buf(req, (const char *)buf, (size_t)rc);
    free(buf);
}

struct listing {
    fuse_req_t req;
    char *buf;
    size_t size, used;
};

static bool add_name(struct listing *l, const char *name, uint64_t number, mode_t type,
                     uint64_t next)
{
    struct stat st = {.st_ino = number, .st_mode = type};
    size_t n = fuse_add_direntry(l->req, l->buf + l->used, l->size - l->used, name, &st,
                                 (off_t)next);

    if (n > l->size - l->used)
        return false;
    l->used += n;
    return true;
}

static bool add_entry(void *arg, const struct sqfs_entry *entry)
{
    return add_name(arg, entry->name, entry->number, entry->type,
                    entry->next + FIRST_ENTRY);
}

static void op_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                       struct fuse_file_info *fi)
{
    struct sqfs *fs = get_fs(req);
    struct listing l = {.req = req, .buf = malloc(size), .size = size};
    struct sqfs_inode dir;
    bool room = true;
    int rc = l.buf ? read_node(fs, node, &dir) : -ENOMEM;

    if (rc == 0 && offset < 0)
        rc = -EINVAL;
    if (rc == 0 && offset < 1)
        room = add_name(&l, ".", dir.number, S_IFDIR, 1);
    if (rc == 0 && offset < FIRST_ENTRY && room)
        room = add_name(&l, "..", dir.dir.parent, S_IFDIR, FIRST_ENTRY);
    if (rc == 0 && room)
        rc = sqfs_dir_read(fs, &dir,
                           offset > FIRST_ENTRY ? (uint64_t)offset - FIRST_ENTRY : 0,
                           add_entry, &l);
    if (rc < 0)
        (void)fuse_reply_err(req, -rc);
    else
        (void)fuse_reply_buf(req, l.buf, l.used);
    free(l.buf);
}

static void op_statfs(fuse_req_t req, fuse_ino_t node)
{
    const struct squashfs_super *super = &get_fs(req)->super;
    struct statvfs st = {
        .f_bsize = super->block_size,
        .f_frsize = super->block_size,
        .f_blocks = (super->bytes_used - 1) / super->block_size + 1,
        .f_files = super->inodes,
        .f_namemax = SQFS_NAME_MAX,
    };

    (void)fuse_reply_statfs(req, &st);
}

/* What op_listxattr() and op_getxattr() have in common: size 0 asks for the size. */
static void reply_xattr(fuse_req_t req, int rc, const char *buf, size_t size)
{
    if (rc < 0)
        (void)fuse_reply_err(req, -rc);
    else if (size == 0)
        (void)fuse_reply_xattr(req, (size_t)rc);
    else
        (void)fuse_reply_buf(req, buf, (size_t)rc);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t node, size_t size)
{
    struct sqfs *fs = get_fs(req);
    char *buf = malloc(size + 1);
    struct sqfs_inode inode;
    int rc = buf ? read_node(fs, node, &inode) : -ENOMEM;

    /* ENOSYS: the kernel never asks again. Overlayfs asks a lot. */
    if (fs->xattr_ids == 0)
        rc = -ENOSYS;
    if (rc == 0)
        rc = sqfs_xattr_list(fs, &inode, buf, size);
    reply_xattr(req, rc, buf, size);
    free(buf);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
    struct sqfs *fs = get_fs(req);
    char *buf = malloc(size + 1);
    struct sqfs_inode inode;
    int rc = buf ? read_node(fs, node, &inode) : -ENOMEM;

    if (fs->xattr_ids == 0)
        rc = -ENOSYS;
    if (rc == 0)
        rc = sqfs_xattr_get(fs, &inode, name, buf, size);
    reply_xattr(req, rc, buf, size);
    free(buf);
}

const struct fuse_lowlevel_ops fuse_ops = {
    .init = op_init,
    .lookup = op_lookup,
    .getattr = op_getattr,
    .readlink = op_readlink,
    .open = op_open,
    .opendir = op_open,
    .read = op_read,
    .readdir = op_readdir,
    .statfs = op_statfs,
    .listxattr = op_listxattr,
    .getxattr = op_getxattr,
};
