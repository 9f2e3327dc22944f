/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user; each thread has a copy of its own. */
#include "sqfswrite/compressor.h"

#include <lz4.h>
#include <lzo/lzo1x.h>
#include <sqfs/error.h>
#include <sqfs/io.h>
#include <stdlib.h>
#include <string.h>

/* The most that lzo1x makes of data that does not compress. */
#define WORST(size) ((size) + (size) / 16 + 64 + 3)

#define METADATA 8192U

struct own {
    sqfs_compressor_t base;
    SQFS_COMPRESSOR id;
    uint32_t block_size;
    bool unpack;
    uint8_t *space; /* lzo: for the result, which may not fit where it goes */
    uint8_t *work;
};

static sqfs_compressor_t *make(SQFS_COMPRESSOR id, uint32_t block_size, bool unpack);

static void destroy(sqfs_object_t *object)
{
    struct own *own = (struct own *)object;

    free(own->space);
    free(own->work);
    free(own);
}

static sqfs_object_t *copy(const sqfs_object_t *object)
{
    const struct own *own = (const struct own *)object;

    return (sqfs_object_t *)make(own->id, own->block_size, own->unpack);
}

static void get_configuration(const sqfs_compressor_t *cmp, sqfs_compressor_config_t *ret)
{
    const struct own *own = (const struct own *)cmp;

    memset(ret, 0, sizeof(*ret));
    ret->id = (sqfs_u16)own->id;
    ret->block_size = own->block_size;
}

static int write_options(sqfs_compressor_t *cmp, sqfs_file_t *file)
{
    /* The kernel wants to be told of lz4 that it is the legacy format. */
    static const uint8_t lz4[] = {8, 0x80, 1, 0, 0, 0, 0, 0, 0, 0};
    int rc;

    if (((struct own *)cmp)->id != SQFS_COMP_LZ4)
        return 0;
    rc = file->write_at(file, sizeof(sqfs_super_t), lz4, sizeof(lz4));
    return rc == 0 ? (int)sizeof(lz4) : rc;
}

static int read_options(sqfs_compressor_t *cmp, sqfs_file_t *file)
{
    return 0;
}

static sqfs_s32 unpack(const struct own *own, const sqfs_u8 *in, sqfs_u32 size,
                       sqfs_u8 *out, sqfs_u32 space)
{
    lzo_uint n = space;

    if (own->id == SQFS_COMP_LZ4) {
        int rc =
            LZ4_decompress_safe((const char *)in, (char *)out, (int)size, (int)space);

        return rc < 0 ? SQFS_ERROR_COMPRESSOR : rc;
    }
    return lzo1x_decompress_safe(in, size, out, &n, NULL) == LZO_E_OK
               ? (sqfs_s32)n
               : SQFS_ERROR_COMPRESSOR;
}

/* 0: it does not get smaller. */
static sqfs_s32 do_block(sqfs_compressor_t *cmp, const sqfs_u8 *in, sqfs_u32 size,
                         sqfs_u8 *out, sqfs_u32 space)
{
    struct own *own = (struct own *)cmp;
    lzo_uint n = 0;

    if (own->unpack)
        return unpack(own, in, size, out, space);
    if (size > own->block_size)
        return SQFS_ERROR_ARG_INVALID;
    if (own->id == SQFS_COMP_LZ4) {
        int rc =
            LZ4_compress_default((const char *)in, (char *)out, (int)size, (int)space);

        return rc > 0 && (sqfs_u32)rc < size ? rc : 0;
    }
    if (lzo1x_1_15_compress(in, size, own->space, &n, own->work) != LZO_E_OK)
        return SQFS_ERROR_COMPRESSOR;
    if (n >= size || n > space)
        return 0;
    memcpy(out, own->space, n);
    return (sqfs_s32)n;
}

static sqfs_compressor_t *make(SQFS_COMPRESSOR id, uint32_t block_size, bool unpack)
{
    struct own *own = calloc(1, sizeof(*own));

    if (!own)
        return NULL;
    own->base = (sqfs_compressor_t){
        .base = {.destroy = destroy, .copy = copy},
        .get_configuration = get_configuration,
        .write_options = write_options,
        .read_options = read_options,
        .do_block = do_block,
    };
    own->id = id;
    own->unpack = unpack;
    /* Metadata comes in blocks of 8 KiB, whatever the block size. */
    own->block_size = block_size > METADATA ? block_size : METADATA;
    if (id == SQFS_COMP_LZO && !unpack) {
        own->space = malloc(WORST(own->block_size));
        own->work = malloc(LZO1X_1_15_MEM_COMPRESS);
        if (!own->space || !own->work) {
            destroy((sqfs_object_t *)own);
            return NULL;
        }
    }
    return &own->base;
}

sqfs_compressor_t *compressor_lzo(uint32_t block_size, bool unpack)
{
    return make(SQFS_COMP_LZO, block_size, unpack);
}

sqfs_compressor_t *compressor_lz4(uint32_t block_size, bool unpack)
{
    return make(SQFS_COMP_LZ4, block_size, unpack);
}
