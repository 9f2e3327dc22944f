/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_SQUASHFS_H
#define VITRINE_IMAGE_SQUASHFS_H

/* The superblock of a SquashFS 4.0 file system. */
#include "vitrine.h"

#include <stdbool.h>
#include <stdint.h>

#define SQUASHFS_SUPER_SIZE 96
#define SQUASHFS_METADATA   8192 /* a metadata block holds this much when unpacked */
#define SQUASHFS_NO_TABLE   UINT64_MAX

/* Of its flags: the compressor's options follow the superblock. */
#define SQUASHFS_HAS_OPTIONS 0x0400U

enum squashfs_compressor {
    SQUASHFS_GZIP = 1,
    SQUASHFS_LZMA, /* known, but read by neither the kernel nor us */
    SQUASHFS_LZO,
    SQUASHFS_XZ,
    SQUASHFS_LZ4,
    SQUASHFS_ZSTD,
};

/* What squashfs_parse() has checked; table positions count from the file system's start.
 */
struct squashfs_super {
    uint64_t root_inode; /* block in the inode table << 16 | offset in the block */
    uint64_t bytes_used;
    uint64_t id_table;
    uint64_t xattr_table; /* or SQUASHFS_NO_TABLE */
    uint64_t inode_table;
    uint64_t directory_table;
    uint64_t fragment_table; /* means nothing without fragments */
    uint64_t export_table;   /* or SQUASHFS_NO_TABLE */
    uint32_t inodes;
    uint32_t mkfs_time;
    uint32_t block_size;
    uint32_t fragments;
    uint16_t compressor; /* enum squashfs_compressor */
    uint16_t block_log;
    uint16_t flags;
    uint16_t ids;
};

/* "gzip" and so on, or NULL if there is no such compressor. */
const char *squashfs_compressor_name(unsigned compressor);

/* Whether the bytes begin like SquashFS, of whatever version and byte order. */
bool squashfs_has_magic(const uint8_t *data, size_t size);

/*
 * Checks the superblock in data, which lies at `offset` in a file of file_size bytes. On
 * failure the text is a reason that goes behind "cannot use image X: ".
 */
int squashfs_parse(const uint8_t *data, size_t size, uint64_t offset, uint64_t file_size,
                   struct squashfs_super *ret, struct vitrine_error *err);

/*
 * Whether everything in the file system, users and groups alike, has one and the same id,
 * and which. false also if that cannot be told without unpacking; mksquashfs does not
 * compress so little.
 */
bool squashfs_only_id(int fd, const struct squashfs_super *super, uint64_t offset,
                      uint32_t *ret);

#endif
