/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user, in vitrine-save; each thread has a copy of its own. */
#include "save/lzo.h"

#include <lzo/lzo1x.h>
#include <sqfs/error.h>
#include <stdlib.h>
#include <string.h>

/* The most that lzo1x makes of data that does not compress. */
#define WORST(size) ((size) + (size) / 16 + 64 + 3)

struct lzo {
    sqfs_compressor_t base;
    uint32_t block_size;
    bool unpack;
    uint8_t
        *space; /* WORST(block_size) for the result, which may not fit where it goes */
    uint8_t *work;
};

static void destroy(sqfs_object_t *object)
{
    struct lzo *lzo = (struct lzo *)object;

    free(lzo->space);
    free(lzo->work);
    free(lzo);
}

static sqfs_object_t *copy(const sqfs_object_t *object)
{
    const struct lzo *lzo = (const struct lzo *)object;

    return (sqfs_object_t *)lzo_compressor_new(lzo->block_size, lzo->unpack);
}

static void get_configuration(const sqfs_compressor_t *cmp, sqfs_compressor_config_t *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->id = SQFS_COMP_LZO;
    ret->block_size = ((const struct lzo *)cmp)->block_size;
}

static int no_options(sqfs_compressor_t *cmp, sqfs_file_t *file)
{
    return 0;
}

/* 0: it does not get smaller. */
static sqfs_s32 do_block(sqfs_compressor_t *cmp, const sqfs_u8 *in, sqfs_u32 size,
                         sqfs_u8 *out, sqfs_u32 space)
{
    struct lzo *lzo = (struct lzo *)cmp;
    lzo_uint n = space;

    if (lzo->unpack)
        return lzo1x_decompress_safe(in, size, out, &n, NULL) == LZO_E_OK
                   ? (sqfs_s32)n
                   : SQFS_ERROR_COMPRESSOR;
    if (size > lzo->block_size)
        return SQFS_ERROR_ARG_INVALID;
    if (lzo1x_1_15_compress(in, size, lzo->space, &n, lzo->work) != LZO_E_OK)
        return SQFS_ERROR_COMPRESSOR;
    if (n >= size || n > space)
        return 0;
    memcpy(out, lzo->space, n);
    return (sqfs_s32)n;
}

sqfs_compressor_t *lzo_compressor_new(uint32_t block_size, bool unpack)
{
    /* Metadata comes in blocks of 8 KiB, whatever the block size. */
    uint32_t most = block_size > 8192 ? block_size : 8192;
    struct lzo *lzo = calloc(1, sizeof(*lzo));

    if (!lzo)
        return NULL;
    lzo->base = (sqfs_compressor_t){
        .base = {.destroy = destroy, .copy = copy},
        .get_configuration = get_configuration,
        .write_options = no_options,
        .read_options = no_options,
        .do_block = do_block,
    };
    lzo->block_size = most;
    lzo->unpack = unpack;
    lzo->space = malloc(WORST(most));
    lzo->work = malloc(LZO1X_1_15_MEM_COMPRESS);
    if (!lzo->space || !lzo->work) {
        destroy((sqfs_object_t *)lzo);
        return NULL;
    }
    return &lzo->base;
}
