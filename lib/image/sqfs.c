/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file system as a whole: metadata blocks and the tables that are kept in memory.
 * Runs as the user. For the format see Documentation/filesystems/squashfs.rst of Linux
 * and fs/squashfs/squashfs_fs.h.
 */
#include "image/sqfs.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "image/bytes.h"
#include "image/cache.h"
#include "image/unpack.h"

#include <string.h>

/* 4 MiB of unpacked metadata: the directories and inodes of some 100,000 files. */
#define METADATA_BLOCKS 512

/* The page cache has what was read before; this is for neighbours in one block, which
 * mostly come soon. 64 tasks reading different blocks of 1 MiB still find half of theirs.
 */
#define DATA_MEMORY (32U * 1024 * 1024)

#define METADATA_HEADER   2
#define METADATA_UNPACKED 0x8000U /* flag in the header: the block is stored as it is */

neg_errno sqfs_pread(const struct sqfs *fs, void *buf, size_t size, uint64_t position)
{
    uint64_t end = fs->super.bytes_used;
    int rc;

    if (position > end || end - position < size)
        return -EIO;
    rc = fd_pread_full(fs->fd, buf, size, (off_t)(fs->offset + position));
    return rc == -ENODATA ? -EIO : rc;
}

/* A header that gives the size, and that many bytes. */
static neg_errno load_metadata(void *arg, struct cache_block *block)
{
    const struct sqfs *fs = arg;
    uint8_t buf[METADATA_HEADER + SQUASHFS_METADATA];
    size_t space = sizeof(buf);
    int rc;

    /* One call for both; the last blocks have less than that behind them. */
    if (block->key > fs->super.bytes_used)
        return -EIO;
    if (fs->super.bytes_used - block->key < space)
        space = (size_t)(fs->super.bytes_used - block->key);
    if (space < METADATA_HEADER)
        return -EIO;
    rc = sqfs_pread(fs, buf, space, block->key);
    if (rc < 0)
        return rc;

    uint32_t header = le16(buf), size = header & ~METADATA_UNPACKED;

    if (size == 0 || size > SQUASHFS_METADATA || size > space - METADATA_HEADER)
        return -EIO;
    block->packed = METADATA_HEADER + size;
    if (header & METADATA_UNPACKED) {
        memcpy(block->data, buf + METADATA_HEADER, size);
        block->size = size;
        return 0;
    }
    rc = unpack_block(fs->super.compressor, buf + METADATA_HEADER, size, block->data,
                      SQUASHFS_METADATA);
    if (rc < 0)
        return rc;
    block->size = (uint32_t)rc;
    return 0;
}

neg_errno sqfs_read_metadata(const struct sqfs *fs, struct sqfs_cursor *cursor, void *buf,
                             size_t size)
{
    uint8_t *out = buf;

    /* Ends, because each turn either takes a byte or goes to a later block. */
    while (size > 0) {
        const struct cache_block *block;

        if (cursor->block >= cursor->end)
            return -EIO;
        int rc =
            cache_get(fs->metadata, cursor->block, load_metadata, (void *)fs, &block);
        if (rc < 0)
            return rc;
        if (cursor->offset > block->size) {
            cache_put(fs->metadata, block);
            return -EIO;
        }
        size_t n = block->size - cursor->offset;
        if (n > size)
            n = size;
        if (out) {
            memcpy(out, block->data + cursor->offset, n);
            out += n;
        }
        size -= n;
        cursor->offset += (uint32_t)n;
        if (cursor->offset == block->size) {
            cursor->block += block->packed;
            cursor->offset = 0;
        }
        cache_put(fs->metadata, block);
    }
    return 0;
}

/*
 * Positions of the metadata blocks that hold `entries` entries: squashfs_parse() has
 * checked that this index lies inside of the image, so its size is bounded by that.
 */
static neg_errno read_index(const struct sqfs *fs, uint64_t position, uint64_t entries,
                            uint64_t entry_size, uint64_t **ret)
{
    size_t blocks =
        (size_t)((entries * entry_size + SQUASHFS_METADATA - 1) / SQUASHFS_METADATA);
    uint64_t *index = calloc(blocks, sizeof(*index));
    int rc;

    if (!index)
        return -ENOMEM;
    rc = sqfs_pread(fs, index, blocks * sizeof(*index), position);
    if (rc < 0) {
        free(index);
        return rc;
    }
    for (size_t i = 0; i < blocks; i++)
        index[i] = le64((const uint8_t *)&index[i]);
    *ret = index;
    return 0;
}

static neg_errno read_ids(struct sqfs *fs)
{
    cleanup_free uint64_t *index = NULL;
    size_t per_block = SQUASHFS_METADATA / sizeof(uint32_t);
    int rc = read_index(fs, fs->super.id_table, fs->super.ids, sizeof(uint32_t), &index);

    if (rc < 0)
        return rc;
    fs->ids = calloc(fs->super.ids, sizeof(*fs->ids));
    if (!fs->ids)
        return -ENOMEM;
    for (size_t i = 0; i < fs->super.ids; i += per_block) {
        struct sqfs_cursor cursor = {.block = index[i / per_block],
                                     .end = fs->super.bytes_used};
        size_t n = fs->super.ids - i < per_block ? fs->super.ids - i : per_block;

        rc = sqfs_read_metadata(fs, &cursor, fs->ids + i, n * sizeof(*fs->ids));
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < fs->super.ids; i++)
        fs->ids[i] = le32((const uint8_t *)&fs->ids[i]);
    return 0;
}

static neg_errno read_xattr_header(struct sqfs *fs)
{
    uint8_t header[16];
    int rc;

    if (fs->super.xattr_table == SQUASHFS_NO_TABLE)
        return 0;
    rc = sqfs_pread(fs, header, sizeof(header), fs->super.xattr_table);
    if (rc < 0)
        return rc;
    fs->xattr_start = le64(header);
    fs->xattr_ids = le32(header + 8);
    return 0;
}

static neg_errno load_tables(struct sqfs *fs, sqfs_slow_f slow)
{
    size_t data_blocks = DATA_MEMORY / fs->super.block_size;
    int rc;

    fs->metadata = cache_new(METADATA_BLOCKS, SQUASHFS_METADATA, slow);
    fs->data = cache_new(data_blocks, fs->super.block_size, slow);
    if (!fs->metadata || !fs->data)
        return -ENOMEM;
    rc = read_ids(fs);
    if (rc == 0 && fs->super.fragments > 0)
        rc = read_index(fs, fs->super.fragment_table, fs->super.fragments, 16,
                        &fs->fragment_index);
    if (rc == 0)
        rc = read_xattr_header(fs);
    return rc;
}

int sqfs_open(struct sqfs *fs, int fd, uint64_t offset, sqfs_slow_f slow,
              struct vitrine_error *err)
{
    uint8_t data[SQUASHFS_SUPER_SIZE];
    struct stat st;
    int rc;

    memset(fs, 0, sizeof(*fs));
    fs->fd = fd;
    fs->offset = offset;
    if (fstat(fd, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot examine it");
    if (offset > INT64_MAX || st.st_size < 0)
        return vitrine_fail(err, VITRINE_EFORMAT, "it has no file system at that offset");
    rc = fd_pread_full(fd, data, sizeof(data), (off_t)offset);
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot read it");
    if (squashfs_parse(data, sizeof(data), offset, (uint64_t)st.st_size, &fs->super,
                       err) < 0)
        return -1;
    rc = pthread_mutex_init(&fs->hints_lock, NULL);
    if (rc != 0)
        return error_from(err, VITRINE_EINTERNAL, -rc, "cannot make a lock");
    rc = load_tables(fs, slow);
    if (rc < 0) {
        sqfs_close(fs);
        return error_from(err, VITRINE_EFORMAT, rc, "cannot read its tables");
    }
    return 0;
}

void sqfs_close(struct sqfs *fs)
{
    cache_free(fs->metadata);
    cache_free(fs->data);
    free(fs->ids);
    free(fs->fragment_index);
    (void)pthread_mutex_destroy(&fs->hints_lock);
    memset(fs, 0, sizeof(*fs));
}
