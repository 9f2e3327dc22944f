/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A compressed layer: pieces of any size give the same, or are all refused. */
#include "layers/inflate.h"

#include <stdlib.h>
#include <string.h>

/* A bomb makes no difference after this. */
#define MOST ((size_t)1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

struct pieces {
    const uint8_t *data;
    size_t size, at, piece;
};

static int read_piece(void *arg, const void **ret_data, size_t *ret_size,
                      struct vitrine_error *err)
{
    struct pieces *p = arg;
    size_t left = p->size - p->at;

    *ret_data = p->data + p->at;
    *ret_size = left < p->piece ? left : p->piece;
    p->at += *ret_size;
    return 0;
}

static int unpack(const uint8_t *data, size_t size, size_t piece, size_t space,
                  uint8_t *out, size_t *ret)
{
    struct pieces pieces = {.data = data, .size = size, .piece = piece};
    const struct inflate_input input = {.read = read_piece, .arg = &pieces};
    struct vitrine_error err = {0};
    struct inflate *inflate = inflate_open(MANIFEST_UNKNOWN, &input, &err);
    size_t n = 1;
    int rc = 0;

    claim(inflate);
    for (*ret = 0; rc == 0 && n > 0 && *ret < MOST; *ret += n) {
        n = MOST - *ret < space ? MOST - *ret : space;
        rc = inflate_read(inflate, out + *ret, n, &n, &err);
        if (rc < 0)
            n = 0;
        claim(n <= MOST - *ret);
    }
    claim(rc == 0 || err.text[0]);
    if (rc == 0 && n == 0)
        claim(pieces.at == size);
    inflate_close(inflate);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t a[MOST], b[MOST];
    size_t na, nb;
    int one = unpack(data, size, size + 1, 65536, a, &na);
    int other = unpack(data, size, 1 + size % 13, 1000, b, &nb);

    /* What follows the most may be wrong, and be seen by one of them. */
    if (na < MOST && nb < MOST)
        claim(one == other);
    if (one == 0 && other == 0)
        claim(na == nb && memcmp(a, b, na) == 0);
    return 0;
}
