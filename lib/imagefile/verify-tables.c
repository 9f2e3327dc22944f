/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables, each of which has an index of where its metadata blocks are. Linux insists on
 * how those lie (fs/squashfs/{id,fragment,export,xattr_id}.c), so we do.
 */
#include "image/bytes.h"
#include "imagefile/verify.h"

#include <errno.h>
#include <inttypes.h>

#define FRAGMENT_ENTRY 16U
#define EXPORT_ENTRY   8U
#define ID_ENTRY       4U
#define XATTR_ENTRY    16U
#define XATTR_HEADER   16U /* before the index */

/* A metadata block with its header. */
#define BLOCK_MAX (SQUASHFS_METADATA + 2U)

struct table {
    const char *name;
    uint64_t end;   /* of its blocks */
    uint64_t index; /* position */
    uint64_t entries;
    unsigned entry_size;
};

static uint64_t count_blocks(const struct table *table)
{
    return (table->entries * table->entry_size + SQUASHFS_METADATA - 1) /
           SQUASHFS_METADATA;
}

/* Where metadata block `i` is. */
static neg_errno read_index(const struct sqfs *fs, const struct table *table, uint64_t i,
                            uint64_t *ret)
{
    uint8_t data[8];
    int rc = sqfs_pread(fs, data, sizeof(data), table->index + i * sizeof(data));

    if (rc == 0)
        *ret = le64(data);
    return rc;
}

/* The blocks follow each other, and the index follows the last of them. */
static int check_index(const struct verify *v, const struct table *table,
                       struct vitrine_error *err)
{
    uint64_t blocks = count_blocks(table);

    for (uint64_t i = 0; i < blocks; i++) {
        uint64_t start = 0, next = table->end;

        if (read_index(v->fs, table, i, &start) < 0 ||
            (i + 1 < blocks && read_index(v->fs, table, i + 1, &next) < 0))
            return vitrine_fail(err, VITRINE_EFORMAT, "its table of %s cannot be read",
                                table->name);
        if (start >= next || next - start > BLOCK_MAX)
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "the blocks of its table of %s are out of place",
                                table->name);
    }
    return 0;
}

static struct table export_table(const struct sqfs *fs)
{
    const struct squashfs_super *super = &fs->super;
    bool there = super->export_table != SQUASHFS_NO_TABLE;

    return (struct table){"inodes", super->export_table, super->export_table,
                          there ? super->inodes : 0, EXPORT_ENTRY};
}

int verify_indexes(const struct verify *v, struct vitrine_error *err)
{
    const struct squashfs_super *super = &v->fs->super;
    const struct table tables[] = {
        {"owners", super->id_table, super->id_table, super->ids, ID_ENTRY},
        {"fragments", super->fragment_table, super->fragment_table, super->fragments,
         FRAGMENT_ENTRY},
        {"attributes", super->xattr_table, super->xattr_table + XATTR_HEADER,
         v->fs->xattr_ids, XATTR_ENTRY},
        export_table(v->fs),
    };

    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        if (check_index(v, &tables[i], err) < 0)
            return -1;
    return 0;
}

/* Only that it can be read counts. */
static neg_errno tell_xattr(void *arg, const char *name, const void *value, size_t size)
{
    struct verify *v = arg;

    return watch_look(v->watch, NULL) < 0 ? -ECANCELED : 0;
}

const char *verify_xattrs(struct verify *v, uint32_t set)
{
    const struct sqfs_inode inode = {.xattr = set};

    if (set == SQFS_NONE || v->fs->xattr_ids == 0)
        return NULL;
    if (set >= v->fs->xattr_ids)
        return "its attributes do not exist";
    if (v->sets[set / 8] & 1U << set % 8)
        return NULL;
    if (sqfs_xattr_each(v->fs, &inode, tell_xattr, v) < 0)
        return "its attributes cannot be read";
    v->sets[set / 8] |= (uint8_t)(1U << set % 8);
    return NULL;
}

/* What no file uses. */
static int verify_unused(struct verify *v, struct vitrine_error *err)
{
    const char *wrong;

    for (uint32_t i = 0; i < v->fs->super.fragments; i++) {
        if (watch_look(v->watch, err) < 0)
            return -1;
        if ((wrong = verify_fragment(v, i)))
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "fragment %" PRIu32 ", which no file uses: %s", i, wrong);
    }
    for (uint32_t i = 0; i < v->fs->xattr_ids; i++) {
        if (watch_look(v->watch, err) < 0)
            return -1;
        if (verify_xattrs(v, i))
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "attributes %" PRIu32 ", which no file has, cannot be "
                                "read",
                                i);
    }
    return 0;
}

/* File handles lead from numbers to inodes. */
static int verify_export(struct verify *v, struct vitrine_error *err)
{
    const struct table table = export_table(v->fs);
    const unsigned per_block = SQUASHFS_METADATA / EXPORT_ENTRY;
    struct sqfs_cursor cursor = {0};
    uint8_t entry[EXPORT_ENTRY];

    for (uint32_t i = 0; i < table.entries; i++) {
        if (i % per_block == 0) {
            cursor = (struct sqfs_cursor){.end = v->fs->super.bytes_used};
            if (watch_look(v->watch, err) < 0)
                return -1;
            if (read_index(v->fs, &table, i / per_block, &cursor.block) < 0)
                cursor.block = cursor.end;
        }
        if (sqfs_read_metadata(v->fs, &cursor, entry, sizeof(entry)) < 0)
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "its table of inodes cannot be "
                                "read");
        if (v->inodes[i + 1].ref > 0 && v->inodes[i + 1].ref - 1 != le64(entry))
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "its table of inodes leads to a wrong place for number "
                                "%" PRIu32,
                                i + 1);
    }
    return 0;
}

static int verify_counts(const struct verify *v, struct vitrine_error *err)
{
    for (uint32_t i = 1; i <= v->fs->super.inodes; i++) {
        const struct verify_inode *inode = &v->inodes[i];

        if (inode->ref == 0)
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "inode %" PRIu32 " of %" PRIu32 " is in no directory", i,
                                v->fs->super.inodes);
        if (inode->names != inode->links)
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "%s: it should have %" PRIu32 " names, and has %" PRIu32,
                                v->paths[i] ? v->paths[i] : "?", inode->links,
                                inode->names);
    }
    return 0;
}

int verify_rest(struct verify *v, struct vitrine_error *err)
{
    if (verify_unused(v, err) < 0 || verify_export(v, err) < 0)
        return -1;
    return verify_counts(v, err);
}
