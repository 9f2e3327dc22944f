/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user, in a process that may become root again: every byte is hostile, so
 * each number is compared before it is used and nothing is added that could wrap.
 *
 * Offsets and meanings are those of struct squashfs_super_block in Linux,
 * fs/squashfs/squashfs_fs.h. The order of the tables and their lengths are what Linux
 * itself insists on when it mounts (fs/squashfs/super.c, squashfs_fill_super(), and the
 * *_index_table() functions that it calls): what is refused here could not be mounted,
 * but gets a sentence instead of EINVAL.
 */
#include "image/squashfs.h"
#include "base/fd.h"
#include "image/bytes.h"

#include <inttypes.h>
#include <string.h>

#define MAGIC_LE      "hsqs" /* 0x73717368, little endian */
#define MAGIC_BE      "sqsh" /* up to version 3 the writer's byte order was kept */
#define MAGIC_LZMA    "shsq" /* routers' firmware */
#define MAGIC_LZMA_BE "qshs"
#define MAGIC_SIZE    4

#define BLOCK_MIN 4096U
#define BLOCK_MAX 1048576U /* SQUASHFS_FILE_MAX_SIZE */

#define VERSION_OFFSET 28 /* major, minor: at the same place since version 1 */

/* Entries of the tables that follow the directories, all behind an index of 8-byte
 * positions, one for each metadata block. */
#define FRAGMENT_ENTRY 16
#define EXPORT_ENTRY   8
#define ID_ENTRY       4
#define ID_UNPACKED    (0x8000 | ID_ENTRY) /* header of a block with one id, as it is */
#define XATTR_HEADER   16

const char *squashfs_compressor_name(unsigned compressor)
{
    switch (compressor) {
    case SQUASHFS_GZIP:
        return "gzip";
    case SQUASHFS_LZMA:
        return "lzma";
    case SQUASHFS_LZO:
        return "lzo";
    case SQUASHFS_XZ:
        return "xz";
    case SQUASHFS_LZ4:
        return "lz4";
    case SQUASHFS_ZSTD:
        return "zstd";
    default:
        return NULL;
    }
}

static bool has_magic(const uint8_t *data, size_t size, const char *magic)
{
    return size >= MAGIC_SIZE && memcmp(data, magic, MAGIC_SIZE) == 0;
}

bool squashfs_has_magic(const uint8_t *data, size_t size)
{
    return has_magic(data, size, MAGIC_LE) || has_magic(data, size, MAGIC_BE) ||
           has_magic(data, size, MAGIC_LZMA) || has_magic(data, size, MAGIC_LZMA_BE);
}

static int check_version(const uint8_t *data, struct vitrine_error *err)
{
    const uint8_t *v = data + VERSION_OFFSET;
    unsigned major = le16(v), minor = le16(v + 2);

    if (has_magic(data, MAGIC_SIZE, MAGIC_LZMA) ||
        has_magic(data, MAGIC_SIZE, MAGIC_LZMA_BE))
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "it is SquashFS in a form that only routers' firmware uses");
    if (has_magic(data, MAGIC_SIZE, MAGIC_BE)) {
        major = (unsigned)v[0] << 8 | v[1];
        minor = (unsigned)v[2] << 8 | v[3];
    }
    if (major < 4 && major > 0)
        return vitrine_fail(
            err, VITRINE_EUNSUPPORTED,
            "it is written by SquashFS %u.x, which Linux no longer reads; "
            "make it again with mksquashfs 4",
            major);
    if (major != 4 || minor != 0 || !has_magic(data, MAGIC_SIZE, MAGIC_LE))
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "its SquashFS version is %u.%u, and only 4.0 is known; it is "
                            "damaged or too new",
                            major, minor);
    return 0;
}

static int check_compressor(uint16_t compressor, struct vitrine_error *err)
{
    if (!squashfs_compressor_name(compressor))
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it has the unknown compressor %u; it is damaged or too new",
                            (unsigned)compressor);
    if (compressor == SQUASHFS_LZMA)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "it is compressed with lzma, which Linux cannot read; make "
                            "it again with mksquashfs -comp zstd");
    return 0;
}

static void decode(const uint8_t *data, struct squashfs_super *s)
{
    s->inodes = le32(data + 4);
    s->mkfs_time = le32(data + 8);
    s->block_size = le32(data + 12);
    s->fragments = le32(data + 16);
    s->compressor = le16(data + 20);
    s->block_log = le16(data + 22);
    s->flags = le16(data + 24);
    s->ids = le16(data + 26);
    s->root_inode = le64(data + 32);
    s->bytes_used = le64(data + 40);
    s->id_table = le64(data + 48);
    s->xattr_table = le64(data + 56);
    s->inode_table = le64(data + 64);
    s->directory_table = le64(data + 72);
    s->fragment_table = le64(data + 80);
    s->export_table = le64(data + 88);
}

/* Bytes of the index of a table; neither factor comes near to wrapping. */
static uint64_t index_size(uint64_t entries, uint64_t entry_size)
{
    uint64_t blocks = (entries * entry_size + SQUASHFS_METADATA - 1) / SQUASHFS_METADATA;

    return blocks * sizeof(uint64_t);
}

/* From the last table to the first, each must end where the one behind it begins. */
static const char *misplaced_table(const struct squashfs_super *s)
{
    uint64_t next = s->bytes_used;

    if (s->xattr_table != SQUASHFS_NO_TABLE) {
        if (s->xattr_table > next || next - s->xattr_table < XATTR_HEADER)
            return "attribute";
        next = s->xattr_table;
    }
    if (s->id_table > next || next - s->id_table < index_size(s->ids, ID_ENTRY))
        return "owner";
    next = s->id_table;
    if (s->export_table != SQUASHFS_NO_TABLE) {
        if (s->export_table > next ||
            next - s->export_table < index_size(s->inodes, EXPORT_ENTRY))
            return "export";
        next = s->export_table;
    }
    if (s->fragments > 0) {
        if (s->fragment_table > next ||
            next - s->fragment_table < index_size(s->fragments, FRAGMENT_ENTRY))
            return "fragment";
        next = s->fragment_table;
    }
    if (s->directory_table > next)
        return "directory";
    if (s->inode_table >= s->directory_table || s->inode_table < SQUASHFS_SUPER_SIZE)
        return "inode";
    return NULL;
}

static int check_sizes(const struct squashfs_super *s, struct vitrine_error *err)
{
    if (s->block_size < BLOCK_MIN || s->block_size > BLOCK_MAX ||
        (s->block_size & (s->block_size - 1)) || s->block_log > 31 ||
        s->block_size != UINT32_C(1) << s->block_log)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is damaged: its block size is %" PRIu32
                            " (logarithm %u); copy it again",
                            s->block_size, (unsigned)s->block_log);
    if (s->inodes == 0)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is damaged: it has no inodes; copy it again");
    if (s->ids == 0)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is damaged: it has no owners; copy it again");
    return 0;
}

int squashfs_parse(const uint8_t *data, size_t size, uint64_t offset, uint64_t file_size,
                   struct squashfs_super *ret, struct vitrine_error *err)
{
    struct squashfs_super s;
    uint64_t available = file_size > offset ? file_size - offset : 0;
    const char *table;

    if (!squashfs_has_magic(data, size))
        return vitrine_fail(err, VITRINE_EFORMAT, "it is no SquashFS file system");
    if (size < SQUASHFS_SUPER_SIZE || available < SQUASHFS_SUPER_SIZE)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is truncated within the first %d bytes of its SquashFS "
                            "file system; copy it again",
                            SQUASHFS_SUPER_SIZE);
    if (check_version(data, err) < 0)
        return -1;
    decode(data, &s);
    if (check_compressor(s.compressor, err) < 0 || check_sizes(&s, err) < 0)
        return -1;
    /* A size that no file can have is damage, not a truncated copy. */
    if (s.bytes_used < SQUASHFS_SUPER_SIZE || s.bytes_used > INT64_MAX - offset)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is damaged: its size is %" PRIu64 " bytes; copy it again",
                            s.bytes_used);
    if (s.bytes_used > available)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is truncated: the SquashFS file system needs %" PRIu64
                            " bytes, the file has %" PRIu64 "; copy it again",
                            offset + s.bytes_used, file_size);
    table = misplaced_table(&s);
    if (table)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is damaged: its %s table is out of place; copy it again",
                            table);
    if ((s.root_inode >> 16) >= s.directory_table - s.inode_table ||
        (s.root_inode & 0xffff) >= SQUASHFS_METADATA)
        return vitrine_fail(
            err, VITRINE_EFORMAT,
            "it is damaged: its root directory is out of place; copy it again");
    *ret = s;
    return 0;
}

bool squashfs_only_id(int fd, const struct squashfs_super *super, uint64_t offset,
                      uint32_t *ret)
{
    uint8_t position[sizeof(uint64_t)], block[sizeof(uint16_t) + ID_ENTRY];

    if (super->ids != 1 || fd_pread_full(fd, position, sizeof(position),
                                         (off_t)(offset + super->id_table)) < 0)
        return false;
    uint64_t at = le64(position);
    if (at > super->id_table || super->id_table - at < sizeof(block) ||
        fd_pread_full(fd, block, sizeof(block), (off_t)(offset + at)) < 0 ||
        le16(block) != ID_UNPACKED)
        return false;
    *ret = le32(block + sizeof(uint16_t));
    return true;
}
