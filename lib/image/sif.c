/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user, in a process that may become root again: every byte is hostile.
 *
 * The format, version 1, is defined by github.com/apptainer/sif, pkg/sif (sif.go,
 * descriptor.go): little endian, nothing aligned.
 *
 *   header, 128 bytes                     descriptor, 585 bytes
 *     0  launch script, 32                  0  data type, 4
 *    32  "SIF_MAGIC\0", 10                  4  used, 1
 *    42  version "01\0", 3                  5  id, 4; group, 4; link, 4
 *    45  architecture, 3                   17  offset, 8
 *    48  uuid, 16; times, 2 * 8            25  size, 8
 *    80  descriptors free, 8               33  size with padding, 8; times, 2 * 8
 *    88  descriptors in all, 8             57  uid, 8; gid, 8; name, 128
 *    96  offset of descriptors, 8         201  by data type, 384; of a partition:
 *   104  size of descriptors, 8                file system, 4; kind of partition, 4;
 *   112  offset, size of data, 2 * 8           architecture, 3
 */
#include "image/sif.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "image/arch.h"
#include "image/bytes.h"

#include <inttypes.h>
#include <string.h>

#define MAGIC_OFFSET       32
#define MAGIC              "SIF_MAGIC" /* with its NUL */
#define VERSION_OFFSET     42
#define VERSION            "01" /* with its NUL */
#define DESCRIPTORS_OFFSET 88
#define TABLE_OFFSET       96

#define ENTRY_USED   4
#define ENTRY_OFFSET 17
#define ENTRY_SIZE   25
#define ENTRY_EXTRA  201

enum sif_data {
    SIF_DATA_PARTITION = 0x4004,
    SIF_DATA_OCI_ROOT = 0x400a,
};

enum sif_part { SIF_PART_PRIMARY = 2 };

enum sif_fs {
    SIF_FS_SQUASHFS = 1,
    SIF_FS_EXT3,
    SIF_FS_ARCHIVE,
    SIF_FS_RAW,
    SIF_FS_ENCRYPTED,
    SIF_FS_GOCRYPTFS,
};

bool sif_has_magic(const uint8_t *data, size_t size)
{
    return size >= MAGIC_OFFSET + sizeof(MAGIC) &&
           memcmp(data + MAGIC_OFFSET, MAGIC, sizeof(MAGIC)) == 0;
}

int sif_parse_header(const uint8_t *data, size_t size, uint64_t file_size,
                     struct sif_header *ret, struct vitrine_error *err)
{
    if (!sif_has_magic(data, size))
        return vitrine_fail(err, VITRINE_EFORMAT, "it is no SIF file");
    if (size < SIF_HEADER_SIZE)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is truncated within the header of its SIF file; copy it "
                            "again");
    if (memcmp(data + VERSION_OFFSET, VERSION, sizeof(VERSION)) != 0)
        return vitrine_fail(
            err, VITRINE_EFORMAT, "its SIF version is \"%.*s\", and only \"%s\" is known",
            (int)sizeof(VERSION), (const char *)data + VERSION_OFFSET, VERSION);

    uint64_t count = le64(data + DESCRIPTORS_OFFSET);
    uint64_t table = le64(data + TABLE_OFFSET);

    if (count == 0 || count > LIMIT_SIF_DESCRIPTORS || table < SIF_HEADER_SIZE)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is damaged: its SIF header tells of %" PRIu64
                            " descriptors at %" PRIu64 "; copy it again",
                            count, table);
    if (table > file_size || file_size - table < count * SIF_DESCRIPTOR_SIZE)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is truncated within its SIF descriptors; copy it again");
    *ret = (struct sif_header){.table = table, .descriptors = (uint32_t)count};
    return 0;
}

static int check_fs(uint32_t fs, struct vitrine_error *err)
{
    switch (fs) {
    case SIF_FS_SQUASHFS:
        return 0;
    case SIF_FS_ENCRYPTED:
    case SIF_FS_GOCRYPTFS:
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is encrypted; decrypt it with apptainer first (apptainer "
                            "build --sandbox DIRECTORY IMAGE)");
    case SIF_FS_EXT3:
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "its SIF file holds an ext3 file system; build it again with "
                            "apptainer, which uses SquashFS");
    case SIF_FS_ARCHIVE:
    case SIF_FS_RAW:
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "its SIF file holds %s instead of a SquashFS file system",
                            fs == SIF_FS_RAW ? "raw data" : "an archive");
    default:
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "its SIF file holds the unknown file system type %" PRIu32
                            "; it is damaged or too new",
                            fs);
    }
}

static int check_arch(const uint8_t *code, struct vitrine_error *err)
{
    char text[3] = {(char)code[0], (char)code[1], '\0'};
    const struct arch *arch = arch_by_sif(text);

    /* Unknown here ("00") is known by the programs inside: image_check_arch(). */
    if (!arch || arch_runs_here(arch))
        return 0;
    return vitrine_fail(err, VITRINE_EUNSUPPORTED, "it is built for %s, this node is %s",
                        arch->name, arch_here());
}

static const uint8_t *find_primary(const uint8_t *table, uint32_t descriptors,
                                   struct vitrine_error *err)
{
    const uint8_t *found = NULL;
    bool oci = false;

    for (uint32_t i = 0; i < descriptors; i++) {
        const uint8_t *d = table + (size_t)i * SIF_DESCRIPTOR_SIZE;

        if (!d[ENTRY_USED])
            continue;
        if (le32(d) == SIF_DATA_OCI_ROOT)
            oci = true;
        if (le32(d) != SIF_DATA_PARTITION ||
            le32(d + ENTRY_EXTRA + 4) != SIF_PART_PRIMARY)
            continue;
        /* The format allows one. Two tools could take different ones for it. */
        if (found) {
            (void)vitrine_fail(err, VITRINE_EFORMAT,
                               "it is damaged: its SIF file has two primary system "
                               "partitions; copy it again");
            return NULL;
        }
        found = d;
    }
    if (!found && oci)
        (void)vitrine_fail(err, VITRINE_EUNSUPPORTED,
                           "its SIF file holds OCI layers, not a system partition; pull "
                           "the image again without --oci");
    else if (!found)
        (void)vitrine_fail(err, VITRINE_EFORMAT,
                           "its SIF file has no primary system partition");
    return found;
}

int sif_find_system(const uint8_t *table, uint32_t descriptors, uint64_t file_size,
                    struct sif_partition *ret, struct vitrine_error *err)
{
    const uint8_t *d = find_primary(table, descriptors, err);

    if (!d || check_fs(le32(d + ENTRY_EXTRA), err) < 0 ||
        check_arch(d + ENTRY_EXTRA + 8, err) < 0)
        return -1;

    uint64_t offset = le64(d + ENTRY_OFFSET), size = le64(d + ENTRY_SIZE);

    if (offset < SIF_HEADER_SIZE || offset > INT64_MAX || size == 0 ||
        size > INT64_MAX - offset)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is damaged: its system partition is %" PRIu64
                            " bytes at %" PRIu64 "; copy it again",
                            size, offset);
    if (offset + size > file_size)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is truncated: its system partition ends at %" PRIu64
                            ", the file has %" PRIu64 " bytes; copy it again",
                            offset + size, file_size);
    *ret = (struct sif_partition){.offset = offset, .size = size};
    return 0;
}

int sif_read(int fd, uint64_t file_size, struct sif_partition *ret,
             struct vitrine_error *err)
{
    uint8_t head[SIF_HEADER_SIZE];
    size_t size = file_size < sizeof(head) ? (size_t)file_size : sizeof(head);
    struct sif_header header;
    int rc = fd_pread_full(fd, head, size, 0);

    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot read its SIF header");
    if (sif_parse_header(head, size, file_size, &header, err) < 0)
        return -1;

    /* The analyzer does not see that vitrine_fail() returns -1. */
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
    size_t table_size = (size_t)header.descriptors * SIF_DESCRIPTOR_SIZE;
    cleanup_free uint8_t *table = malloc(table_size);

    if (!table)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot read its SIF header");
    rc = fd_pread_full(fd, table, table_size, (off_t)header.table);
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot read its SIF header");
    return sif_find_system(table, header.descriptors, file_size, ret, err);
}
