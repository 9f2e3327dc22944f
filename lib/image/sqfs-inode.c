/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inodes: 16 bytes that all have, then what their type says; struct squashfs_*_inode in
 * fs/squashfs/squashfs_fs.h of Linux. The long types add what rarely is needed.
 */
#include "image/bytes.h"
#include "image/sqfs.h"

#include <errno.h>
#include <string.h>

enum {
    TYPE_DIR = 1,
    TYPE_FILE,
    TYPE_SYMLINK,
    TYPE_BLOCK,
    TYPE_CHAR,
    TYPE_FIFO,
    TYPE_SOCKET,
    TYPE_LONG_DIR,
    TYPE_LONG_FILE,
    TYPE_LONG_SYMLINK,
    TYPE_LONG_BLOCK,
    TYPE_LONG_CHAR,
    TYPE_LONG_FIFO,
    TYPE_LONG_SOCKET,
    TYPE_END,
};

#define HEAD_SIZE 16
#define BODY_MAX  40

/* How many bytes follow the first 16. */
static const uint8_t body_size[TYPE_END] = {
    [TYPE_DIR] = 16,         [TYPE_FILE] = 16,       [TYPE_SYMLINK] = 8,
    [TYPE_BLOCK] = 8,        [TYPE_CHAR] = 8,        [TYPE_FIFO] = 4,
    [TYPE_SOCKET] = 4,       [TYPE_LONG_DIR] = 24,   [TYPE_LONG_FILE] = 40,
    [TYPE_LONG_SYMLINK] = 8, [TYPE_LONG_BLOCK] = 12, [TYPE_LONG_CHAR] = 12,
    [TYPE_LONG_FIFO] = 8,    [TYPE_LONG_SOCKET] = 8,
};

mode_t sqfs_mode(unsigned type)
{
    static const mode_t modes[] = {
        [TYPE_DIR] = S_IFDIR,     [TYPE_FILE] = S_IFREG, [TYPE_SYMLINK] = S_IFLNK,
        [TYPE_BLOCK] = S_IFBLK,   [TYPE_CHAR] = S_IFCHR, [TYPE_FIFO] = S_IFIFO,
        [TYPE_SOCKET] = S_IFSOCK,
    };

    if (type >= TYPE_LONG_DIR && type < TYPE_END)
        type -= TYPE_LONG_DIR - TYPE_DIR;
    return type < sizeof(modes) / sizeof(*modes) ? modes[type] : 0;
}

static void decode_dir(const uint8_t *body, bool is_long, struct sqfs_inode *i)
{
    if (is_long) {
        i->nlink = le32(body);
        i->size = le32(body + 4);
        i->dir.block = le32(body + 8);
        i->dir.parent = le32(body + 12);
        i->dir.indexes = le16(body + 16);
        i->dir.offset = le16(body + 18);
        i->xattr = le32(body + 20);
    } else {
        i->dir.block = le32(body);
        i->nlink = le32(body + 4);
        i->size = le16(body + 8);
        i->dir.offset = le16(body + 10);
        i->dir.parent = le32(body + 12);
    }
}

static void decode_file(const uint8_t *body, bool is_long, struct sqfs_inode *i)
{
    if (is_long) {
        i->file.start = le64(body);
        i->size = le64(body + 8);
        i->file.sparse = le64(body + 16);
        i->nlink = le32(body + 24);
        i->file.fragment = le32(body + 28);
        i->file.fragment_offset = le32(body + 32);
        i->xattr = le32(body + 36);
    } else {
        i->file.start = le32(body);
        i->file.fragment = le32(body + 4);
        i->file.fragment_offset = le32(body + 8);
        i->size = le32(body + 12);
        i->nlink = 1;
    }
}

/* A long symbolic link has its attributes behind its target. */
static neg_errno decode_symlink(const struct sqfs *fs, const uint8_t *body, bool is_long,
                                struct sqfs_inode *i)
{
    struct sqfs_cursor cursor = i->rest;
    uint8_t xattr[4];
    int rc;

    i->nlink = le32(body);
    i->size = le32(body + 4);
    if (i->size == 0 || i->size > SQFS_SYMLINK_MAX)
        return -EIO;
    if (!is_long)
        return 0;
    rc = sqfs_read_metadata(fs, &cursor, NULL, (size_t)i->size);
    if (rc == 0)
        rc = sqfs_read_metadata(fs, &cursor, xattr, sizeof(xattr));
    if (rc == 0)
        i->xattr = le32(xattr);
    return rc;
}

static neg_errno decode_body(const struct sqfs *fs, unsigned type, const uint8_t *body,
                             struct sqfs_inode *i)
{
    bool is_long = type >= TYPE_LONG_DIR;

    switch (i->mode & S_IFMT) {
    case S_IFDIR:
        decode_dir(body, is_long, i);
        return 0;
    case S_IFREG:
        decode_file(body, is_long, i);
        return i->size > INT64_MAX ? -EIO : 0;
    case S_IFLNK:
        return decode_symlink(fs, body, is_long, i);
    case S_IFBLK:
    case S_IFCHR:
        i->nlink = le32(body);
        i->rdev = le32(body + 4);
        if (is_long)
            i->xattr = le32(body + 8);
        return 0;
    default:
        i->nlink = le32(body);
        if (is_long)
            i->xattr = le32(body + 4);
        return 0;
    }
}

neg_errno sqfs_read_inode(const struct sqfs *fs, uint64_t ref, struct sqfs_inode *ret)
{
    uint8_t head[HEAD_SIZE], body[BODY_MAX];
    struct sqfs_inode i = {.ref = ref, .xattr = SQFS_NONE};
    uint64_t table_size = fs->super.directory_table - fs->super.inode_table;
    int rc;

    if ((ref >> 16) >= table_size)
        return -EIO;
    i.rest = (struct sqfs_cursor){
        .block = fs->super.inode_table + (ref >> 16),
        .end = fs->super.directory_table,
        .offset = ref & 0xffff,
    };
    rc = sqfs_read_metadata(fs, &i.rest, head, sizeof(head));
    if (rc < 0)
        return rc;

    unsigned type = le16(head), uid = le16(head + 4), gid = le16(head + 6);

    if (type == 0 || type >= TYPE_END || uid >= fs->super.ids || gid >= fs->super.ids)
        return -EIO;
    i.mode = sqfs_mode(type) | (le16(head + 2) & 07777);
    i.uid = fs->ids[uid];
    i.gid = fs->ids[gid];
    i.mtime = le32(head + 8);
    i.number = le32(head + 12);
    rc = sqfs_read_metadata(fs, &i.rest, body, body_size[type]);
    if (rc == 0)
        rc = decode_body(fs, type, body, &i);
    if (rc == 0)
        *ret = i;
    return rc;
}

neg_errno sqfs_read_link(const struct sqfs *fs, const struct sqfs_inode *inode,
                         char ret[SQFS_SYMLINK_MAX + 1])
{
    struct sqfs_cursor cursor = inode->rest;
    int rc;

    if (!S_ISLNK(inode->mode))
        return -EINVAL;
    rc = sqfs_read_metadata(fs, &cursor, ret, (size_t)inode->size);
    if (rc < 0)
        return rc;
    ret[inode->size] = '\0';
    /* No name has a NUL; what follows it would be lost without a word. */
    return strlen(ret) == inode->size ? 0 : -EIO;
}
