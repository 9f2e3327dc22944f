/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compressed layers, whole, cut and damaged, in pieces of any size. */
#include "layers/inflate.h"
#include "base/limits.h"
#include "tar.h"

#include <zlib.h>
#include <zstd.h>

#define SIZE 300000

struct pieces {
    const uint8_t *data;
    size_t size, at, piece;
    bool was_read; /* to its end */
};

static int read_piece(void *arg, const void **ret_data, size_t *ret_size,
                      struct vitrine_error *err)
{
    struct pieces *p = arg;
    size_t n = p->size - p->at < p->piece ? p->size - p->at : p->piece;

    ck_assert(!p->was_read);
    p->was_read = n == 0;
    *ret_data = p->data + p->at;
    *ret_size = n;
    p->at += n;
    return 0;
}

/* What comes out, or -1; always read to its end when there is no error. */
static int unpack(const struct tar *in, enum manifest_compression kind, size_t piece,
                  size_t space, struct tar *ret, struct vitrine_error *err)
{
    struct pieces pieces = {.data = in->data, .size = in->size, .piece = piece};
    const struct inflate_input input = {.read = read_piece, .arg = &pieces};
    struct inflate *inflate = inflate_open(kind, &input, err);
    uint8_t *buf = malloc(space);
    size_t n = 0;
    int rc;

    *ret = (struct tar){.data = malloc(SIZE * 2)};
    ck_assert_ptr_nonnull(inflate);
    do {
        rc = inflate_read(inflate, buf, space, &n, err);
        if (rc < 0)
            break;
        ck_assert_uint_le(ret->size + n, SIZE * 2);
        memcpy(ret->data + ret->size, buf, n);
        ret->size += n;
    } while (rc == 0 && n > 0);
    if (rc == 0) {
        ck_assert(pieces.was_read);
        ck_assert_int_eq(inflate_read(inflate, buf, space, &n, err), 0);
        ck_assert_uint_eq(n, 0);
    } else {
        ck_assert_str_ne(err->text, "");
    }
    inflate_close(inflate);
    free(buf);
    return rc;
}

static uint8_t plain[SIZE];

static void make_plain(void)
{
    srand(1);
    for (size_t i = 0; i < SIZE; i++)
        plain[i] = (uint8_t)(i % 1000 < 500 ? rand() : (int)(i / 1000));
}

static void add_gzip(struct tar *tar, const void *data, size_t size)
{
    z_stream s = {0};
    uLong most;

    ck_assert_int_eq(deflateInit2(&s, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, 0), Z_OK);
    most = deflateBound(&s, size) + 100;
    uint8_t *out = malloc(most);
    s.next_in = (Bytef *)data;
    s.avail_in = (uInt)size;
    s.next_out = out;
    s.avail_out = (uInt)most;
    ck_assert_int_eq(deflate(&s, Z_FINISH), Z_STREAM_END);
    tar_raw(tar, out, s.total_out);
    (void)deflateEnd(&s);
    free(out);
}

static void add_zstd(struct tar *tar, const void *data, size_t size, int window)
{
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    size_t most = ZSTD_compressBound(size) + 100;
    uint8_t *out = malloc(most);
    ZSTD_outBuffer to = {.dst = out, .size = most};
    ZSTD_inBuffer from = {.src = data, .size = size};

    (void)ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
    if (window)
        (void)ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, window);
    /* In two steps, or it would know the size, and want no window. */
    ck_assert_uint_eq(
        ZSTD_isError(ZSTD_compressStream2(ctx, &to, &from, ZSTD_e_continue)), 0);
    ck_assert_uint_eq(ZSTD_compressStream2(ctx, &to, &from, ZSTD_e_end), 0);
    tar_raw(tar, out, to.pos);
    (void)ZSTD_freeCCtx(ctx);
    free(out);
}

/* Two members or frames, and a frame to be passed over before and between. */
static void make(struct tar *tar, enum manifest_compression kind)
{
    static const uint8_t skippable[] = {0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3};

    make_plain();
    *tar = (struct tar){0};
    if (kind == MANIFEST_GZIP) {
        add_gzip(tar, plain, 100001);
        add_gzip(tar, "", 0);
        add_gzip(tar, plain + 100001, SIZE - 100001);
    } else if (kind == MANIFEST_ZSTD) {
        tar_raw(tar, skippable, sizeof(skippable));
        add_zstd(tar, plain, 100001, 0);
        tar_raw(tar, skippable, sizeof(skippable));
        add_zstd(tar, plain + 100001, SIZE - 100001, 20);
    } else {
        tar_raw(tar, plain, SIZE);
    }
}

static const enum manifest_compression kinds[] = {MANIFEST_PLAIN, MANIFEST_GZIP,
                                                  MANIFEST_ZSTD};

START_TEST(pieces_of_all_sizes_give_the_same)
{
    static const size_t pieces[] = {1, 2, 7, 1000, 65536, SIZE * 2};
    struct vitrine_error err = {0};
    struct tar in, out;

    make(&in, kinds[_i]);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        size_t space = pieces[5 - i];

        ck_assert_msg(unpack(&in, MANIFEST_UNKNOWN, pieces[i], space, &out, &err) == 0,
                      "%zu: %s", pieces[i], err.text);
        ck_assert_uint_eq(out.size, SIZE);
        ck_assert_mem_eq(out.data, plain, SIZE);
        tar_free(&out);
    }
    tar_free(&in);
}
END_TEST

START_TEST(what_is_said_does_not_count_but_for_plain)
{
    struct vitrine_error err = {0};
    struct tar in, out;

    make(&in, MANIFEST_ZSTD);
    ck_assert_int_eq(unpack(&in, MANIFEST_GZIP, 5000, 5000, &out, &err), 0);
    ck_assert_uint_eq(out.size, SIZE);
    tar_free(&out);
    ck_assert_int_eq(unpack(&in, MANIFEST_PLAIN, 5000, 5000, &out, &err), 0);
    ck_assert_uint_eq(out.size, in.size);
    ck_assert_mem_eq(out.data, in.data, in.size);
    tar_free(&out);
    tar_free(&in);
    ck_assert_int_eq(unpack(&in, MANIFEST_UNKNOWN, 5000, 5000, &out, &err), 0);
    ck_assert_uint_eq(out.size, 0);
    tar_free(&out);
}
END_TEST

START_TEST(padding_is_read_and_passed_over)
{
    static const uint8_t zeros[5000];
    struct vitrine_error err = {0};
    struct tar in, out;

    make(&in, kinds[1 + _i]);
    tar_raw(&in, zeros, sizeof(zeros));
    if (kinds[1 + _i] == MANIFEST_GZIP)
        tar_raw(&in, "and whatever", 12);
    ck_assert_int_eq(unpack(&in, MANIFEST_UNKNOWN, 999, 4096, &out, &err), 0);
    ck_assert_uint_eq(out.size, SIZE);
    tar_free(&out);
    tar_free(&in);
}
END_TEST

START_TEST(what_is_cut_is_damaged)
{
    struct vitrine_error err = {0};
    struct tar in, out;
    size_t whole;

    make(&in, kinds[1 + _i]);
    whole = in.size;
    /* Between two members nobody can tell. */
    for (in.size = whole - 1; in.size > whole - 1000; in.size -= 7) {
        err.text[0] = '\0';
        ck_assert_int_eq(unpack(&in, MANIFEST_UNKNOWN, 4096, 4096, &out, &err), -1);
        ck_assert_msg(strstr(err.text, "damaged"), "%s", err.text);
        tar_free(&out);
    }
    tar_free(&in);
}
END_TEST

START_TEST(what_is_changed_is_damaged)
{
    struct vitrine_error err = {0};
    struct tar in, out;

    make(&in, kinds[1 + _i]);
    for (size_t i = 0; i < 200; i++) {
        /* In the second half, which is one member. */
        size_t at = in.size / 2 + i * (in.size / 2) / 200;

        in.data[at] ^= 0x10;
        if (unpack(&in, MANIFEST_UNKNOWN, 4096, 4096, &out, &err) == 0)
            /* Some bytes of a header say nothing. */
            ck_assert_mem_eq(out.data, plain, out.size < SIZE ? out.size : SIZE);
        tar_free(&out);
        in.data[at] ^= 0x10;
    }
    tar_free(&in);
}
END_TEST

START_TEST(a_wrong_checksum_is_damage)
{
    struct vitrine_error err = {0};
    struct tar in, out;

    make(&in, kinds[1 + _i]);
    in.data[in.size - (kinds[1 + _i] == MANIFEST_GZIP ? 6 : 2)] ^= 1;
    ck_assert_int_eq(unpack(&in, MANIFEST_UNKNOWN, 4096, 4096, &out, &err), -1);
    ck_assert_msg(strstr(err.text, "damaged"), "%s", err.text);
    tar_free(&out);
    tar_free(&in);
}
END_TEST

START_TEST(a_window_may_be_as_large_as_zstd_makes_them)
{
    struct vitrine_error err = {0};
    struct tar in = {0}, out;

    make_plain();
    add_zstd(&in, plain, SIZE, LIMIT_ZSTD_WINDOW_LOG);
    ck_assert_int_eq(unpack(&in, MANIFEST_ZSTD, 4096, 4096, &out, &err), 0);
    ck_assert_uint_eq(out.size, SIZE);
    tar_free(&out);
    tar_free(&in);
    add_zstd(&in, plain, SIZE, LIMIT_ZSTD_WINDOW_LOG + 1);
    ck_assert_int_eq(unpack(&in, MANIFEST_ZSTD, 4096, 4096, &out, &err), -1);
    ck_assert_msg(strstr(err.text, "zstd"), "%s", err.text);
    tar_free(&out);
    tar_free(&in);
}
END_TEST

static int read_error(void *arg, const void **ret_data, size_t *ret_size,
                      struct vitrine_error *err)
{
    return vitrine_fail(err, VITRINE_EINTERNAL, "the line is dead");
}

START_TEST(why_the_input_fails_is_told)
{
    const struct inflate_input input = {.read = read_error};
    struct vitrine_error err = {0};
    struct inflate *inflate = inflate_open(MANIFEST_GZIP, &input, &err);
    char buf[10];
    size_t n;

    ck_assert_int_eq(inflate_read(inflate, buf, sizeof(buf), &n, &err), -1);
    ck_assert_str_eq(err.text, "the line is dead");
    inflate_close(inflate);
    inflate_close(NULL);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("inflate");
    TCase *tc = tcase_create("inflate");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, pieces_of_all_sizes_give_the_same, 0, 3);
    tcase_add_test(tc, what_is_said_does_not_count_but_for_plain);
    tcase_add_loop_test(tc, padding_is_read_and_passed_over, 0, 2);
    tcase_add_loop_test(tc, what_is_cut_is_damaged, 0, 2);
    tcase_add_loop_test(tc, what_is_changed_is_damaged, 0, 2);
    tcase_add_loop_test(tc, a_wrong_checksum_is_damage, 0, 2);
    tcase_add_test(tc, a_window_may_be_as_large_as_zstd_makes_them);
    tcase_add_test(tc, why_the_input_fails_is_told);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
