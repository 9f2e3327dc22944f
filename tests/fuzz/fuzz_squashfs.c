/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A superblock: what is accepted has every number where it must be. */
#include "image/squashfs.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

static void check(const struct squashfs_super *s, uint64_t offset, uint64_t file_size)
{
    uint64_t end = s->bytes_used;

    claim(offset <= file_size && end <= file_size - offset);
    claim(s->block_size >= 4096 && s->block_size <= 1048576);
    claim(s->block_size == UINT32_C(1) << s->block_log);
    claim(squashfs_compressor_name(s->compressor) != NULL);
    claim(s->inodes > 0 && s->ids > 0);
    if (s->xattr_table != SQUASHFS_NO_TABLE) {
        claim(s->xattr_table < end && end - s->xattr_table >= 16);
        end = s->xattr_table;
    }
    claim(s->id_table < end && end - s->id_table >= (s->ids + 2047UL) / 2048 * 8);
    if (s->export_table != SQUASHFS_NO_TABLE)
        claim(s->export_table < s->id_table);
    if (s->fragments > 0)
        claim(s->directory_table <= s->fragment_table && s->fragment_table < s->id_table);
    claim(s->inode_table >= SQUASHFS_SUPER_SIZE && s->inode_table < s->directory_table);
    claim(s->directory_table <= s->id_table);
    claim(s->root_inode >> 16 < s->directory_table - s->inode_table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t places[][2] = {
        {0, 0}, /* the file is the input */
        {0, UINT64_C(1) << 40},
        {4096, UINT64_C(1) << 20},
        {0, INT64_MAX},
        {INT64_MAX - 1000, INT64_MAX},
        {UINT64_MAX, UINT64_MAX},
    };

    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        uint64_t offset = places[i][0], file_size = i == 0 ? size : places[i][1];
        struct squashfs_super super;
        struct vitrine_error err = {0};

        if (squashfs_parse(data, size, offset, file_size, &super, &err) == 0)
            check(&super, offset, file_size);
        else
            claim(err.code != VITRINE_OK && err.text[0] != '\0');
    }
    return 0;
}
