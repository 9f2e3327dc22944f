/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Archives and what is told of them. */
#include "layers/layer.h"
#include "base/limits.h"
#include "tar.h"

#include <locale.h>
#include <sys/stat.h>

struct pieces {
    const struct tar *tar;
    size_t at, piece;
    bool ended;
};

static int read_piece(void *arg, const void **ret_data, size_t *ret_size,
                      struct vitrine_error *err)
{
    struct pieces *p = arg;
    size_t left = p->tar->size - p->at, n = left < p->piece ? left : p->piece;

    ck_assert(!p->ended);
    p->ended = n == 0;
    *ret_data = p->tar->data + p->at;
    *ret_size = n;
    p->at += n;
    return 0;
}

/* All of an archive as text: names, and a "+" behind each that has content. */
static int read_all(const struct tar *tar, size_t piece, uint64_t budget, char ret[2000],
                    struct vitrine_error *err)
{
    struct pieces pieces = {.tar = tar, .piece = piece};
    const struct layer_input input = {
        .read = read_piece, .arg = &pieces, .budget = &budget};
    struct layer *layer = layer_open(&input, err);
    struct layer_entry e;
    const void *data;
    uint64_t position;
    size_t n;
    int rc = layer ? 0 : -1;

    ret[0] = '\0';
    while (layer && (rc = layer_next(layer, &e, err)) > 0) {
        (void)snprintf(ret + strlen(ret), 2000 - strlen(ret), "%s%s", *ret ? "|" : "",
                       e.path);
        /* Of those with long names it is passed over. */
        if (S_ISREG(e.mode) && strlen(e.path) < 3)
            while ((rc = layer_data(layer, &data, &n, &position, err)) > 0)
                (void)strcat(ret, "+");
        if (rc < 0)
            break;
    }
    if (rc == 0)
        ck_assert(pieces.ended);
    layer_close(layer);
    return rc;
}

START_TEST(names_are_bytes_whatever_the_locale)
{
    static const char *const locales[] = {"C", "C.UTF-8"};
    /* Composed and not, no UTF-8 at all, a sign that is two others in some charsets. */
    static const char *const names[] = {"caf\xc3\xa9",  "cafe\xcc\x81",
                                        "\xff\x80\xfe", "\xe1\xba\x9b\xcc\xa3",
                                        "a\\b",         "\xe2\x84\xab"};
    struct vitrine_error err = {0};
    struct tar tar = {0}, pax = {0};
    uint64_t budget = 1000000;
    struct layer_entry e;

    ck_assert_ptr_nonnull(setlocale(LC_ALL, locales[_i]));
    for (size_t i = 0; i < 6; i++) {
        tar_record(&pax, "path", names[i], strlen(names[i]));
        tar_record(&pax, "linkpath", names[5 - i], strlen(names[5 - i]));
        tar_record(&pax, "uname", names[i], strlen(names[i]));
        tar_pax_end(&tar, &pax);
        tar_header(&tar, &(struct tar_entry){.name = "x", .type = '2', .target = "y"});
        tar_header(&tar, &(struct tar_entry){
                             .name = names[i], .type = '1', .target = names[5 - i]});
    }
    tar_end(&tar);
    struct pieces pieces = {.tar = &tar, .piece = 100};
    const struct layer_input input = {
        .read = read_piece, .arg = &pieces, .budget = &budget};
    struct layer *layer = layer_open(&input, &err);
    for (size_t i = 0; i < 12; i++) {
        ck_assert_msg(layer_next(layer, &e, &err) == 1, "%s", err.text);
        ck_assert_str_eq(e.path, names[i / 2]);
        ck_assert_str_eq(e.target, names[5 - i / 2]);
        ck_assert_int_eq(e.is_hardlink, i % 2);
    }
    ck_assert_int_eq(layer_next(layer, &e, &err), 0);
    layer_close(layer);
    tar_free(&tar);
}
END_TEST

START_TEST(all_that_an_entry_says_is_told)
{
    struct vitrine_error err = {0};
    struct tar tar = {0}, pax = {0};
    uint64_t budget = 1000000;
    struct layer_entry e;
    const char *name;
    const void *value;
    size_t size;

    tar_record(&pax, "SCHILY.xattr.user.bytes", "\0\1\2", 3);
    tar_record(&pax, "LIBARCHIVE.xattr.user.more", "dHdv", 4);
    tar_record(&pax, "mtime", "-5.5", 4);
    tar_record(&pax, "uid", "3000000000", 10);
    tar_pax_end(&tar, &pax);
    tar_header(&tar, &(struct tar_entry){.name = "dev",
                                         .type = '3',
                                         .mode = 07666,
                                         .gid = 5,
                                         .major = 1,
                                         .minor = 300});
    tar_pax(&tar, "mtime", "99999999999", 11);
    tar_file(&tar, "new", "x", 1);
    tar_end(&tar);
    struct pieces pieces = {.tar = &tar, .piece = 100};
    const struct layer_input input = {
        .read = read_piece, .arg = &pieces, .budget = &budget};
    struct layer *layer = layer_open(&input, &err);
    ck_assert_int_eq(layer_next(layer, &e, &err), 1);
    ck_assert_uint_eq(e.mode, S_IFCHR | 07666);
    ck_assert_uint_eq(e.uid, 3000000000U);
    ck_assert_uint_eq(e.gid, 5);
    ck_assert_uint_eq(e.major, 1);
    ck_assert_uint_eq(e.minor, 300);
    ck_assert_uint_eq(e.mtime, 0);
    ck_assert(layer_xattr(layer, &name, &value, &size));
    ck_assert_str_eq(name, "user.more");
    ck_assert_uint_eq(size, 3);
    ck_assert_mem_eq(value, "two", 3);
    ck_assert(layer_xattr(layer, &name, &value, &size));
    ck_assert_str_eq(name, "user.bytes");
    ck_assert_uint_eq(size, 3);
    ck_assert_mem_eq(value, "\0\1\2", 3);
    ck_assert(!layer_xattr(layer, &name, &value, &size));
    ck_assert_int_eq(layer_next(layer, &e, &err), 1);
    ck_assert_uint_eq(e.mtime, UINT32_MAX);
    ck_assert_uint_eq(e.size, 1);
    layer_close(layer);
    tar_free(&tar);
}
END_TEST

static void make(struct tar *tar)
{
    static char big[5000];

    tar_file(tar, "a", "1", 1);
    tar_file(tar, "big", big, sizeof(big));
    tar_file(tar, "bb", big, sizeof(big));
    tar_file(tar, "empty", "", 0);
    tar_end(tar);
}

START_TEST(what_is_behind_the_end_is_read)
{
    static char noise[100000];
    struct vitrine_error err = {0};
    struct tar tar = {0};
    char text[2000];

    memset(noise, 'x', sizeof(noise));
    make(&tar);
    tar_raw(&tar, noise, sizeof(noise));
    ck_assert_msg(read_all(&tar, 1000, 1000000, text, &err) == 0, "%s", err.text);
    ck_assert_str_eq(text, "a+|big|bb++++++|empty");
    tar_free(&tar);
}
END_TEST

START_TEST(no_bytes_and_only_zeros_are_an_empty_layer)
{
    struct vitrine_error err = {0};
    struct tar tar = {0};
    char text[2000];

    ck_assert_msg(read_all(&tar, 1000, 1000000, text, &err) == 0, "%s", err.text);
    tar_end(&tar);
    ck_assert_msg(read_all(&tar, 1000, 1000000, text, &err) == 0, "%s", err.text);
    ck_assert_str_eq(text, "");
    tar_free(&tar);
}
END_TEST

START_TEST(what_is_cut_in_an_entry_is_an_error)
{
    struct vitrine_error err = {0};
    struct tar tar = {0};
    char text[2000];

    make(&tar);
    for (size_t size = 700; size < 7 * TAR_BLOCK + 5000; size += 300) {
        struct tar cut = {.data = tar.data, .size = size};
        size_t block = size % TAR_BLOCK;

        /* Between two entries nobody can tell. */
        if (block == 0)
            continue;
        err.text[0] = '\0';
        if (read_all(&cut, 1000, 1000000, text, &err) == 0)
            ck_assert_msg(size < 2 * TAR_BLOCK, "%zu: %s", size, text);
        else
            ck_assert_msg(strstr(err.text, "tar"), "%s", err.text);
    }
    tar_free(&tar);
}
END_TEST

START_TEST(other_formats_and_damage_are_errors)
{
    static const char *const bad[] = {
        "#mtree\n./a type=file\n",
        "070707000000000000100644000000000000000001000000000000000000000200000000000a",
        "PK\003\004aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "!<arch>\ndebian-binary   1342943816  0     0     100644  4         `\n2.0\n",
        "just some words",
    };
    struct vitrine_error err = {0};
    struct tar tar = {0};
    char text[2000];

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        tar_raw(&tar, bad[i], strlen(bad[i]));
        tar_pad(&tar);
        ck_assert_int_eq(read_all(&tar, 1000, 1000000, text, &err), -1);
        ck_assert_msg(strstr(err.text, "no sound tar archive"), "%s", err.text);
        tar_free(&tar);
    }
    make(&tar);
    tar.data[TAR_BLOCK * 2 + 150] ^= 1;
    ck_assert_int_eq(read_all(&tar, 1000, 1000000, text, &err), -1);
    tar_free(&tar);
    /* Half an attribute must not be passed over in silence. */
    tar_pax(&tar, "path", "a", 1);
    memcpy(tar.data + TAR_BLOCK, "99", 2);
    tar_file(&tar, "b", "", 0);
    tar_end(&tar);
    ck_assert_int_eq(read_all(&tar, 1000, 1000000, text, &err), -1);
    tar_free(&tar);
}
END_TEST

START_TEST(owners_that_linux_has_not_are_refused)
{
    static const char *const owners[] = {"4294967295", "4294967296", "-1"};
    struct vitrine_error err = {0};
    struct tar tar = {0};
    char text[2000];

    tar_pax(&tar, _i % 2 ? "uid" : "gid", owners[_i / 2], strlen(owners[_i / 2]));
    tar_file(&tar, "f", "", 0);
    tar_end(&tar);
    ck_assert_int_eq(read_all(&tar, 1000, 1000000, text, &err), -1);
    tar_free(&tar);
}
END_TEST

START_TEST(a_budget_ends)
{
    struct vitrine_error err = {0};
    struct tar tar = {0};
    char text[2000];

    make(&tar);
    ck_assert_int_eq(read_all(&tar, 1000, tar.size, text, &err), 0);
    ck_assert_int_eq(read_all(&tar, 1000, tar.size - 1, text, &err), -1);
    ck_assert_msg(strstr(err.text, "unpack to more than"), "%s", err.text);
    tar_free(&tar);
}
END_TEST

/* 0: a long name; 1: an attribute; 2: the map of a sparse file, in its data. */
START_TEST(headers_have_a_limit)
{
    size_t size = LIMIT_IMPORT_HEADER + 10000000;
    struct vitrine_error err = {0};
    char *much = malloc(size), text[2000];
    struct tar tar = {0}, pax = {0};

    for (size_t i = 0; i < size; i++)
        much[i] = _i == 2 ? (i % 2 ? '\n' : '1') : 'x';
    if (_i == 0) {
        tar_header(&tar, &(struct tar_entry){.name = "l", .type = 'L', .size = size});
        tar_raw(&tar, much, size);
        tar_pad(&tar);
    } else if (_i == 1) {
        tar_pax(&tar, "SCHILY.xattr.user.a", much, size);
    } else {
        tar_record(&pax, "GNU.sparse.major", "1", 1);
        tar_record(&pax, "GNU.sparse.minor", "0", 1);
        tar_record(&pax, "GNU.sparse.realsize", "1", 1);
        tar_pax_end(&tar, &pax);
        memcpy(much, "9999999\n", 8);
    }
    tar_file(&tar, "f", _i == 2 ? much : "", _i == 2 ? size : 0);
    tar_end(&tar);
    ck_assert_int_eq(read_all(&tar, 65536, UINT64_MAX, text, &err), -1);
    /* libarchive has limits of its own for the others. */
    if (_i == 2)
        ck_assert_msg(strstr(err.text, "headers"), "%s", err.text);
    tar_free(&tar);
    free(much);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("layer");
    TCase *tc = tcase_create("layer");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, names_are_bytes_whatever_the_locale, 0, 2);
    tcase_add_test(tc, all_that_an_entry_says_is_told);
    tcase_add_test(tc, what_is_behind_the_end_is_read);
    tcase_add_test(tc, no_bytes_and_only_zeros_are_an_empty_layer);
    tcase_add_test(tc, what_is_cut_in_an_entry_is_an_error);
    tcase_add_test(tc, other_formats_and_damage_are_errors);
    tcase_add_loop_test(tc, owners_that_linux_has_not_are_refused, 0, 6);
    tcase_add_test(tc, a_budget_ends);
    tcase_add_loop_test(tc, headers_have_a_limit, 0, 3);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
