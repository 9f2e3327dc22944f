/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user, on a thread of its own (feed.c). */
#include "layers/inflate.h"
#include "base/limits.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#ifdef VITRINE_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

#define MAGIC 4U /* bytes that tell what it is */

struct inflate {
    struct inflate_input input;
    const uint8_t *in; /* what was read and not yet used */
    size_t left;
    uint8_t head[MAGIC]; /* the first bytes, which may come one by one */
    const uint8_t *rest; /* of the piece whose first bytes are in `head` */
    size_t rest_left;
    bool input_ended;
    bool begun;     /* the first bytes are known */
    bool is_inside; /* a member or frame has begun and not ended */
    bool finished;  /* what still comes is passed over */
    enum manifest_compression kind;
    ZSTD_DCtx *zstd;
#ifdef VITRINE_ISAL
    struct inflate_state *gzip;
#else
    z_stream gzip;
    bool has_gzip;
#endif
};

static int refill(struct inflate *inflate, struct vitrine_error *err)
{
    const void *data = NULL;

    if (inflate->rest_left > 0) {
        inflate->in = inflate->rest;
        inflate->left = inflate->rest_left;
        inflate->rest_left = 0;
        return 0;
    }
    if (inflate->input.read(inflate->input.arg, &data, &inflate->left, err) < 0)
        return -1;
    inflate->in = data;
    inflate->input_ended = inflate->left == 0;
    return 0;
}

static int damaged(const struct inflate *inflate, const char *why,
                   struct vitrine_error *err)
{
    return vitrine_fail(err, VITRINE_EFORMAT, "its %s data is damaged (%s)",
                        inflate->kind == MANIFEST_GZIP ? "gzip" : "zstd", why);
}

static int no_memory(struct vitrine_error *err)
{
    return error_from(err, VITRINE_EINTERNAL, ENOMEM, "cannot decompress");
}

#ifdef VITRINE_ISAL
static int start_gzip(struct inflate *inflate, struct vitrine_error *err)
{
    inflate->gzip = malloc(sizeof(*inflate->gzip));
    if (!inflate->gzip)
        return no_memory(err);
    isal_inflate_init(inflate->gzip);
    inflate->gzip->crc_flag = ISAL_GZIP;
    return 0;
}

static void stop_gzip(struct inflate *inflate)
{
    free(inflate->gzip);
}

static int step_gzip(struct inflate *inflate, uint8_t *out, size_t space, size_t *ret,
                     struct vitrine_error *err)
{
    struct inflate_state *s = inflate->gzip;
    uint32_t most = inflate->left < INT32_MAX ? (uint32_t)inflate->left : INT32_MAX;
    int rc;

    if (!inflate->is_inside) {
        isal_inflate_reset(s);
        s->crc_flag = ISAL_GZIP;
    }
    s->next_in = (uint8_t *)inflate->in; /* not written to */
    s->avail_in = most;
    s->next_out = out;
    s->avail_out = space < INT32_MAX ? (uint32_t)space : INT32_MAX;
    rc = isal_inflate(s);
    if (rc < 0 || rc == ISAL_NEED_DICT)
        return damaged(inflate, rc == ISAL_INCORRECT_CHECKSUM ? "wrong checksum" : "gzip",
                       err);
    *ret = (size_t)(s->next_out - out);
    inflate->in += most - s->avail_in;
    inflate->left -= most - s->avail_in;
    inflate->is_inside = s->block_state != ISAL_BLOCK_FINISH;
    return 0;
}
#else
/* By another name, as `inflate` is one of ours below. */
static int run_zlib(z_stream *s)
{
    return inflate(s, Z_NO_FLUSH);
}

static int start_gzip(struct inflate *inflate, struct vitrine_error *err)
{
    /* 16: gzip's header and checksum are wanted. */
    if (inflateInit2(&inflate->gzip, 16 + MAX_WBITS) != Z_OK)
        return no_memory(err);
    inflate->has_gzip = true;
    return 0;
}

static void stop_gzip(struct inflate *inflate)
{
    if (inflate->has_gzip)
        (void)inflateEnd(&inflate->gzip);
}

static int step_gzip(struct inflate *inflate, uint8_t *out, size_t space, size_t *ret,
                     struct vitrine_error *err)
{
    z_stream *s = &inflate->gzip;
    uInt most = inflate->left < INT_MAX ? (uInt)inflate->left : INT_MAX;
    int rc;

    if (!inflate->is_inside)
        (void)inflateReset(s);
    s->next_in = (Bytef *)inflate->in; /* not written to */
    s->avail_in = most;
    s->next_out = out;
    s->avail_out = space < INT_MAX ? (uInt)space : INT_MAX;
    rc = run_zlib(s);
    if (rc == Z_MEM_ERROR)
        return no_memory(err);
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return damaged(inflate, s->msg ? s->msg : "gzip", err);
    *ret = (size_t)(s->next_out - out);
    inflate->in += most - s->avail_in;
    inflate->left -= most - s->avail_in;
    inflate->is_inside = rc != Z_STREAM_END;
    return 0;
}
#endif

static int start_zstd(struct inflate *inflate, struct vitrine_error *err)
{
    inflate->zstd = ZSTD_createDCtx();
    if (!inflate->zstd)
        return no_memory(err);
    (void)ZSTD_DCtx_setParameter(inflate->zstd, ZSTD_d_windowLogMax,
                                 LIMIT_ZSTD_WINDOW_LOG);
    return 0;
}

static int step_zstd(struct inflate *inflate, uint8_t *out, size_t space, size_t *ret,
                     struct vitrine_error *err)
{
    ZSTD_inBuffer from = {.src = inflate->in, .size = inflate->left};
    ZSTD_outBuffer to = {.dst = out, .size = space};
    size_t rc = ZSTD_decompressStream(inflate->zstd, &to, &from);

    if (ZSTD_isError(rc))
        return damaged(inflate, ZSTD_getErrorName(rc), err);
    *ret = to.pos;
    inflate->in += from.pos;
    inflate->left -= from.pos;
    inflate->is_inside = rc != 0;
    return 0;
}

static int step_plain(struct inflate *inflate, uint8_t *out, size_t space, size_t *ret)
{
    size_t n = inflate->left < space ? inflate->left : space;

    if (n > 0)
        memcpy(out, inflate->in, n);
    inflate->in += n;
    inflate->left -= n;
    *ret = n;
    return 0;
}

static enum manifest_compression detect(const uint8_t *head, size_t size)
{
    static const uint8_t gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
    /* A frame to be passed over, whose first byte has 16 values; pzstd begins with it. */
    static const uint8_t skippable[] = {0x2a, 0x4d, 0x18};

    if (size >= sizeof(gzip) && memcmp(head, gzip, sizeof(gzip)) == 0)
        return MANIFEST_GZIP;
    if (size >= sizeof(zstd) && (memcmp(head, zstd, sizeof(zstd)) == 0 ||
                                 ((head[0] & 0xf0U) == 0x50 &&
                                  memcmp(head + 1, skippable, sizeof(skippable)) == 0)))
        return MANIFEST_ZSTD;
    return MANIFEST_PLAIN;
}

static int begin(struct inflate *inflate, struct vitrine_error *err)
{
    size_t n = 0;

    while (n < MAGIC && !inflate->input_ended) {
        if (refill(inflate, err) < 0)
            return -1;
        while (n < MAGIC && inflate->left > 0) {
            inflate->head[n++] = *inflate->in++;
            inflate->left--;
        }
    }
    inflate->rest = inflate->in;
    inflate->rest_left = inflate->left;
    inflate->in = inflate->head;
    inflate->left = n;
    inflate->begun = true;
    if (inflate->kind != MANIFEST_PLAIN)
        inflate->kind = detect(inflate->head, n);
    if (inflate->kind == MANIFEST_GZIP)
        return start_gzip(inflate, err);
    return inflate->kind == MANIFEST_ZSTD ? start_zstd(inflate, err) : 0;
}

/* Between two members: padding with zeros, which tape drives and some tools leave, is
 * where gzip(1) and zstd(1) end. The former does so with other bytes, too. */
static bool is_padding(const struct inflate *inflate)
{
    if (inflate->kind == MANIFEST_GZIP)
        return inflate->in[0] != 0x1f;
    return inflate->kind == MANIFEST_ZSTD && inflate->in[0] == 0;
}

static int step(struct inflate *inflate, uint8_t *out, size_t space, size_t *ret,
                struct vitrine_error *err)
{
    if (inflate->kind == MANIFEST_GZIP)
        return step_gzip(inflate, out, space, ret, err);
    if (inflate->kind == MANIFEST_ZSTD)
        return step_zstd(inflate, out, space, ret, err);
    return step_plain(inflate, out, space, ret);
}

/* Behind the last byte that counts. */
static int drain(struct inflate *inflate, struct vitrine_error *err)
{
    inflate->finished = true;
    while (!inflate->input_ended)
        if (refill(inflate, err) < 0)
            return -1;
    inflate->left = 0;
    return 0;
}

int inflate_read(struct inflate *inflate, void *buf, size_t space, size_t *ret_size,
                 struct vitrine_error *err)
{
    size_t done = 0;

    if (!inflate->begun && begin(inflate, err) < 0)
        return -1;
    while (done < space && !inflate->finished) {
        size_t before, n = 0;

        while (inflate->left == 0 && (!inflate->input_ended || inflate->rest_left > 0))
            if (refill(inflate, err) < 0)
                return -1;
        if (!inflate->is_inside && (inflate->left == 0 || is_padding(inflate))) {
            if (drain(inflate, err) < 0)
                return -1;
            break;
        }
        before = inflate->left;
        if (step(inflate, (uint8_t *)buf + done, space - done, &n, err) < 0)
            return -1;
        if (n == 0 && inflate->left == before && before == 0 && inflate->is_inside)
            return damaged(inflate, "it ends too early", err);
        if (n == 0 && inflate->left == before && inflate->is_inside)
            return damaged(inflate, "it does not go on", err);
        done += n;
    }
    *ret_size = done;
    return 0;
}

struct inflate *inflate_open(enum manifest_compression compression,
                             const struct inflate_input *input, struct vitrine_error *err)
{
    struct inflate *inflate = calloc(1, sizeof(*inflate));

    if (!inflate) {
        (void)no_memory(err);
        return NULL;
    }
    inflate->input = *input;
    inflate->kind = compression;
    return inflate;
}

void inflate_close(struct inflate *inflate)
{
    if (!inflate)
        return;
    stop_gzip(inflate);
    (void)ZSTD_freeDCtx(inflate->zstd);
    free(inflate);
}
