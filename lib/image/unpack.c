/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The only user of the compression libraries. Each is told where input and output end. */
#include "image/unpack.h"
#include "image/squashfs.h"

#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
#include <zlib.h>
#include <zstd.h>

/* The dictionary is at most as large as a block, 1 MiB; a header may say anything. */
#define XZ_MEMORY UINT64_C(0x2000000)

static neg_errno unpack_gzip(const uint8_t *data, size_t size, uint8_t *ret, size_t space)
{
    uLongf n = space;

    return uncompress(ret, &n, data, size) == Z_OK ? (neg_errno)n : -EIO;
}

static neg_errno unpack_lzo(const uint8_t *data, size_t size, uint8_t *ret, size_t space)
{
    lzo_uint n = space;

    return lzo1x_decompress_safe(data, size, ret, &n, NULL) == LZO_E_OK ? (neg_errno)n
                                                                        : -EIO;
}

static neg_errno unpack_xz(const uint8_t *data, size_t size, uint8_t *ret, size_t space)
{
    uint64_t memory = XZ_MEMORY;
    size_t in = 0, out = 0;
    lzma_ret rc =
        lzma_stream_buffer_decode(&memory, 0, NULL, data, &in, size, ret, &out, space);

    if (rc == LZMA_MEM_ERROR)
        return -ENOMEM;
    return rc == LZMA_OK ? (neg_errno)out : -EIO;
}

static neg_errno unpack_lz4(const uint8_t *data, size_t size, uint8_t *ret, size_t space)
{
    int n = LZ4_decompress_safe((const char *)data, (char *)ret, (int)size, (int)space);

    return n < 0 ? -EIO : n;
}

static neg_errno unpack_zstd(const uint8_t *data, size_t size, uint8_t *ret, size_t space)
{
    size_t n = ZSTD_decompress(ret, space, data, size);

    return ZSTD_isError(n) ? -EIO : (neg_errno)n;
}

neg_errno unpack_block(unsigned compressor, const uint8_t *data, size_t size,
                       uint8_t *ret, size_t space)
{
    switch (compressor) {
    case SQUASHFS_GZIP:
        return unpack_gzip(data, size, ret, space);
    case SQUASHFS_LZO:
        return unpack_lzo(data, size, ret, space);
    case SQUASHFS_XZ:
        return unpack_xz(data, size, ret, space);
    case SQUASHFS_LZ4:
        return unpack_lz4(data, size, ret, space);
    case SQUASHFS_ZSTD:
        return unpack_zstd(data, size, ret, space);
    default:
        return -ENOSYS;
    }
}
