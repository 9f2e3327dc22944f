/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Extended attributes. A table gives for each set of them where it begins and how many
 * there are; values that several sets share are kept once, "out of line".
 */
#include "image/bytes.h"
#include "image/sqfs.h"

#include <errno.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET_SIZE     16 /* an entry of the table */
#define NAME_HEADER  4
#define VALUE_HEADER 4

#define TYPE_PREFIX      0xffU
#define TYPE_OUT_OF_LINE 0x100U

/* With its prefix and NUL. */
#define NAME_SPACE (sizeof("security.") + XATTR_NAME_MAX)

static const char *const prefixes[] = {"user.", "trusted.", "security."};

struct walk {
    const struct sqfs *fs;
    struct sqfs_cursor cursor;
    uint32_t left;
    uint32_t value_size; /* of the last attribute */
    struct sqfs_cursor value;
    char name[NAME_SPACE];
};

static neg_errno walk_start(struct walk *w, const struct sqfs *fs,
                            const struct sqfs_inode *inode)
{
    const uint32_t per_block = SQUASHFS_METADATA / SET_SIZE;
    uint32_t set = inode->xattr;
    uint8_t data[SET_SIZE];
    uint64_t index;
    int rc;

    *w = (struct walk){.fs = fs};
    if (set == SQFS_NONE || fs->xattr_ids == 0)
        return 0;
    if (set >= fs->xattr_ids)
        return -EIO;
    index = fs->super.xattr_table + SET_SIZE + (uint64_t)(set / per_block) * 8;
    rc = sqfs_pread(fs, data, 8, index);
    if (rc < 0)
        return rc;
    struct sqfs_cursor cursor = {
        .block = le64(data),
        .end = fs->super.bytes_used,
        .offset = set % per_block * SET_SIZE,
    };
    rc = sqfs_read_metadata(fs, &cursor, data, sizeof(data));
    if (rc < 0)
        return rc;

    uint64_t ref = le64(data);

    w->left = le32(data + 8);
    /* xattr_start may be anything, the sum too: sqfs_read_metadata() looks at it. */
    w->cursor = (struct sqfs_cursor){.block = fs->xattr_start + (ref >> 16),
                                     .end = fs->super.bytes_used,
                                     .offset = ref & 0xffff};
    return 0;
}

/* Reads the name; 1, or 0 at the end. */
static neg_errno walk_name(struct walk *w, unsigned *ret_type)
{
    uint8_t header[NAME_HEADER];
    int rc;

    if (w->left == 0)
        return 0;
    w->left--;
    rc = sqfs_read_metadata(w->fs, &w->cursor, header, sizeof(header));
    if (rc < 0)
        return rc;

    unsigned type = le16(header), len = le16(header + 2), prefix = type & TYPE_PREFIX;

    if (prefix >= sizeof(prefixes) / sizeof(*prefixes) || len == 0)
        return -EIO;
    size_t at = strlen(prefixes[prefix]);
    if (len > XATTR_NAME_MAX - at)
        return -EIO;
    memcpy(w->name, prefixes[prefix], at);
    rc = sqfs_read_metadata(w->fs, &w->cursor, w->name + at, len);
    if (rc < 0)
        return rc;
    w->name[at + len] = '\0';
    if (strlen(w->name) != at + len)
        return -EIO;
    *ret_type = type;
    return 1;
}

/* Goes on to the next attribute: its name, and where its value is. */
static neg_errno walk_next(struct walk *w)
{
    uint8_t header[VALUE_HEADER], ref[8];
    unsigned type;
    int rc = walk_name(w, &type);

    if (rc <= 0)
        return rc;
    rc = sqfs_read_metadata(w->fs, &w->cursor, header, sizeof(header));
    if (rc < 0)
        return rc;
    w->value_size = le32(header);
    if (w->value_size > XATTR_SIZE_MAX)
        return -EIO;
    w->value = w->cursor;
    if (type & TYPE_OUT_OF_LINE) {
        if (w->value_size != sizeof(ref))
            return -EIO;
        rc = sqfs_read_metadata(w->fs, &w->cursor, ref, sizeof(ref));
        if (rc < 0)
            return rc;
        w->value.block = w->fs->xattr_start + (le64(ref) >> 16);
        w->value.offset = le64(ref) & 0xffff;
        rc = sqfs_read_metadata(w->fs, &w->value, header, sizeof(header));
        if (rc < 0)
            return rc;
        w->value_size = le32(header);
        return w->value_size > XATTR_SIZE_MAX ? -EIO : 1;
    }
    rc = sqfs_read_metadata(w->fs, &w->cursor, NULL, w->value_size);
    return rc < 0 ? rc : 1;
}

neg_errno sqfs_xattr_list(const struct sqfs *fs, const struct sqfs_inode *inode,
                          char *buf, size_t size)
{
    struct walk w;
    size_t total = 0;
    int rc = walk_start(&w, fs, inode);

    if (rc < 0)
        return rc;
    while ((rc = walk_next(&w)) > 0) {
        size_t n = strlen(w.name) + 1;

        /* No more than the kernel would pass on; this also bounds the walk. */
        if (total + n > XATTR_LIST_MAX)
            return -E2BIG;
        if (size > 0 && size - total < n)
            return -ERANGE;
        if (size > 0)
            memcpy(buf + total, w.name, n);
        total += n;
    }
    return rc < 0 ? rc : (neg_errno)total;
}

neg_errno sqfs_xattr_get(const struct sqfs *fs, const struct sqfs_inode *inode,
                         const char *name, char *buf, size_t size)
{
    struct walk w;
    size_t seen = 0;
    int rc = walk_start(&w, fs, inode);

    if (rc < 0)
        return rc;
    while ((rc = walk_next(&w)) > 0) {
        seen += strlen(w.name) + 1;
        if (seen > XATTR_LIST_MAX)
            return -E2BIG;
        if (strcmp(w.name, name) != 0)
            continue;
        if (size == 0)
            return (neg_errno)w.value_size;
        if (size < w.value_size)
            return -ERANGE;
        rc = sqfs_read_metadata(fs, &w.value, buf, w.value_size);
        return rc < 0 ? rc : (neg_errno)w.value_size;
    }
    return rc < 0 ? rc : -ENODATA;
}

neg_errno sqfs_xattr_each(const struct sqfs *fs, const struct sqfs_inode *inode,
                          sqfs_xattr_f tell, void *arg)
{
    struct walk w;
    size_t seen = 0;
    char *value = NULL;
    int rc = walk_start(&w, fs, inode);

    if (rc == 0 && w.left > 0 && !(value = malloc(XATTR_SIZE_MAX)))
        rc = -ENOMEM;
    while (rc >= 0 && (rc = walk_next(&w)) > 0) {
        seen += strlen(w.name) + 1;
        if (seen > XATTR_LIST_MAX)
            rc = -E2BIG;
        if (rc >= 0)
            rc = sqfs_read_metadata(fs, &w.value, value, w.value_size);
        if (rc >= 0)
            rc = tell(arg, w.name, value, w.value_size);
    }
    free(value);
    return rc < 0 ? rc : 0;
}
