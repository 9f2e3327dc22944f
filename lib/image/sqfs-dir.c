/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directories: runs of up to 256 entries behind a header that tells what their inodes
 * have in common, sorted by name. Long ones have an index: where a run begins, and with
 * which name. Positions count bytes of the listing.
 */
#include "image/bytes.h"
#include "image/sqfs.h"

#include <errno.h>
#include <string.h>

#define RUN_HEADER   12
#define RUN_MAX      256
#define ENTRY_HEADER 8
#define INDEX_HEADER 12

/* An empty directory has this size, for its "." and "..". */
#define EMPTY_SIZE 3

struct walk {
    const struct sqfs *fs;
    struct sqfs_cursor cursor;
    uint64_t position, end;
    uint32_t left; /* entries of this run that are still to come */
    uint32_t block, number;
};

static neg_errno walk_read(struct walk *w, void *buf, size_t size)
{
    if (w->end - w->position < size)
        return -EIO;
    w->position += size;
    return sqfs_read_metadata(w->fs, &w->cursor, buf, size);
}

static neg_errno walk_start(struct walk *w, const struct sqfs *fs,
                            const struct sqfs_inode *dir)
{
    uint64_t start = fs->super.directory_table + dir->dir.block;

    if (!S_ISDIR(dir->mode))
        return -ENOTDIR;
    *w = (struct walk){
        .fs = fs,
        .cursor = {.block = start,
                   .end = fs->super.bytes_used,
                   .offset = dir->dir.offset},
        .end = dir->size > EMPTY_SIZE ? dir->size - EMPTY_SIZE : 0,
    };
    return 0;
}

/*
 * Uses the index to begin later: at the last run that begins at `position` or before, or
 * if a name is given, with that name or one before it.
 */
static neg_errno walk_skip(struct walk *w, const struct sqfs_inode *dir,
                           uint64_t position, const char *name)
{
    struct sqfs_cursor cursor = dir->rest;
    uint8_t header[INDEX_HEADER];
    char first[SQFS_NAME_MAX + 1];

    for (unsigned i = 0; i < dir->dir.indexes; i++) {
        int rc = sqfs_read_metadata(w->fs, &cursor, header, sizeof(header));
        if (rc < 0)
            return rc;

        uint64_t at = le32(header);
        uint32_t len = le32(header + 8);

        if (len >= SQFS_NAME_MAX || at >= w->end)
            return -EIO;
        len++;
        rc = sqfs_read_metadata(w->fs, &cursor, first, len);
        if (rc < 0)
            return rc;
        first[len] = '\0';
        if (name ? strcmp(first, name) > 0 : at > position)
            break;
        w->position = at;
        w->cursor.block = w->fs->super.directory_table + le32(header + 4);
        w->cursor.offset = (uint32_t)((dir->dir.offset + at) % SQUASHFS_METADATA);
    }
    return 0;
}

static neg_errno walk_run(struct walk *w)
{
    uint8_t header[RUN_HEADER];
    int rc = walk_read(w, header, sizeof(header));

    if (rc < 0)
        return rc;
    if (le32(header) >= RUN_MAX)
        return -EIO;
    w->left = le32(header) + 1;
    w->block = le32(header + 4);
    w->number = le32(header + 8);
    return 0;
}

/* Names that would lead somewhere else, or that the kernel refuses. */
static bool is_good_name(const char *name, uint32_t len)
{
    if (memchr(name, '\0', len) || memchr(name, '/', len))
        return false;
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* 1 with an entry, 0 at the end. */
static neg_errno walk_next(struct walk *w, struct sqfs_entry *ret)
{
    uint8_t header[ENTRY_HEADER];
    int rc = 0;

    if (w->left == 0 && w->position >= w->end)
        return 0;
    if (w->left == 0)
        rc = walk_run(w);
    if (rc == 0)
        rc = walk_read(w, header, sizeof(header));
    if (rc < 0)
        return rc;
    w->left--;
    ret->ref = (uint64_t)w->block << 16 | le16(header);
    ret->number = w->number + (uint32_t)(int16_t)le16(header + 2);
    ret->type = sqfs_mode(le16(header + 4));
    ret->name_len = le16(header + 6) + 1U;
    if (ret->name_len > SQFS_NAME_MAX)
        return -EIO;
    rc = walk_read(w, ret->name, ret->name_len);
    if (rc < 0)
        return rc;
    ret->name[ret->name_len] = '\0';
    ret->next = w->position;
    return is_good_name(ret->name, ret->name_len) ? 1 : -EIO;
}

neg_errno sqfs_dir_read(const struct sqfs *fs, const struct sqfs_inode *dir,
                        uint64_t position, sqfs_entry_f tell, void *arg)
{
    struct sqfs_entry entry;
    struct walk w;
    int rc = walk_start(&w, fs, dir);

    if (rc == 0 && position > 0)
        rc = walk_skip(&w, dir, position, NULL);
    if (rc < 0)
        return rc;
    for (;;) {
        uint64_t at = w.position;

        rc = walk_next(&w, &entry);
        if (rc <= 0)
            return rc;
        if (at >= position && !tell(arg, &entry))
            return 0;
    }
}

neg_errno sqfs_dir_find(const struct sqfs *fs, const struct sqfs_inode *dir,
                        const char *name, struct sqfs_entry *ret)
{
    struct sqfs_entry entry;
    struct walk w;
    int rc = walk_start(&w, fs, dir);

    if (rc == 0)
        rc = walk_skip(&w, dir, 0, name);
    if (rc < 0)
        return rc;
    while ((rc = walk_next(&w, &entry)) > 0) {
        if (strcmp(entry.name, name) == 0) {
            *ret = entry;
            return 0;
        }
        /* Like Linux, do not rely on more of the order than this. */
        if ((unsigned char)entry.name[0] > (unsigned char)name[0])
            return -ENOENT;
    }
    return rc < 0 ? rc : -ENOENT;
}
