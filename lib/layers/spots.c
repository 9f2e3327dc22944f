/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/spots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS_FIRST 1024U

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

struct sip {
    uint64_t a, b, c, d;
};

static void sip_round(struct sip *s)
{
    s->a += s->b;
    s->b = rotate(s->b, 13) ^ s->a;
    s->a = rotate(s->a, 32);
    s->c += s->d;
    s->d = rotate(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = rotate(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = rotate(s->b, 17) ^ s->c;
    s->c = rotate(s->c, 32);
}

static void sip_take(struct sip *s, uint64_t word)
{
    s->d ^= word;
    sip_round(s);
    s->a ^= word;
}

/* SipHash-1-3 of the parent's address and the name. */
static uint32_t hash(const struct spots *spots, const struct spot *parent,
                     const char *name, size_t len)
{
    struct sip s = {
        .a = spots->key[0] ^ UINT64_C(0x736f6d6570736575),
        .b = spots->key[1] ^ UINT64_C(0x646f72616e646f6d),
        .c = spots->key[0] ^ UINT64_C(0x6c7967656e657261),
        .d = spots->key[1] ^ UINT64_C(0x7465646279746573),
    };
    uint64_t word = (uintptr_t)parent;
    size_t at = 0;

    sip_take(&s, word);
    for (; len - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, name + at, sizeof(word));
        sip_take(&s, word);
    }
    word = 0;
    memcpy(&word, name + at, len - at);
    sip_take(&s, word | (uint64_t)len << 56);
    s.c ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(&s);
    uint64_t sum = s.a ^ s.b ^ s.c ^ s.d;
    return (uint32_t)(sum ^ sum >> 32);
}

neg_errno spots_open(struct spots *spots, size_t max)
{
    *spots = (struct spots){.max = max};
    if (getrandom(spots->key, sizeof(spots->key), 0) != (ssize_t)sizeof(spots->key))
        return -EIO;
    spots->buckets = calloc(BUCKETS_FIRST, sizeof(struct spot *));
    spots->nbuckets = BUCKETS_FIRST;
    return spots->buckets ? 0 : -ENOMEM;
}

void spots_close(struct spots *spots)
{
    arena_free(&spots->arena);
    free(spots->buckets);
    *spots = (struct spots){0};
}

struct spot *spots_find(const struct spots *spots, const struct spot *parent,
                        const char *name, size_t len)
{
    uint32_t key = hash(spots, parent, name, len);
    struct spot *spot = spots->buckets[key & (spots->nbuckets - 1)];

    while (spot && (spot->hash != key || spot->parent != parent || spot->len != len ||
                    memcmp(spot->name, name, len) != 0))
        spot = spot->chain;
    return spot;
}

static neg_errno grow(struct spots *spots)
{
    size_t n = spots->nbuckets * 2;
    struct spot **buckets = calloc(n, sizeof(struct spot *));

    if (!buckets)
        return -ENOMEM;
    for (size_t i = 0; i < spots->nbuckets; i++) {
        struct spot *next;

        for (struct spot *spot = spots->buckets[i]; spot; spot = next) {
            next = spot->chain;
            spot->chain = buckets[spot->hash & (n - 1)];
            buckets[spot->hash & (n - 1)] = spot;
        }
    }
    free(spots->buckets);
    spots->buckets = buckets;
    spots->nbuckets = n;
    return 0;
}

neg_errno spots_add(struct spots *spots, struct spot *parent, const char *name,
                    size_t len, struct spot **ret)
{
    struct spot *spot = spots->unused, **bucket;

    if (spots->used == spots->max)
        return -E2BIG;
    if (spots->used >= spots->nbuckets && grow(spots) < 0)
        return -ENOMEM;
    if (spot)
        spots->unused = spot->chain;
    else if (!(spot = arena_take(&spots->arena, sizeof(*spot))))
        return -ENOMEM;
    *spot = (struct spot){.parent = parent,
                          .next = parent->first,
                          .name = name,
                          .len = (uint16_t)len,
                          .hash = hash(spots, parent, name, len)};
    if (parent->first)
        parent->first->prev = spot;
    parent->first = spot;
    bucket = &spots->buckets[spot->hash & (spots->nbuckets - 1)];
    spot->chain = *bucket;
    *bucket = spot;
    spots->used++;
    *ret = spot;
    return 0;
}

/* One without children. */
static void remove_leaf(struct spots *spots, struct spot *spot)
{
    struct spot **link = &spots->buckets[spot->hash & (spots->nbuckets - 1)];

    while (*link != spot)
        link = &(*link)->chain;
    *link = spot->chain;
    if (spot->prev)
        spot->prev->next = spot->next;
    else
        spot->parent->first = spot->next;
    if (spot->next)
        spot->next->prev = spot->prev;
    spot->chain = spots->unused;
    spots->unused = spot;
    spots->used--;
}

void spots_remove(struct spots *spots, struct spot *spot)
{
    struct spot *at = spot, *up;

    do {
        while (at->first)
            at = at->first;
        up = at->parent;
        remove_leaf(spots, at);
        if (at == spot)
            break;
        at = up;
    } while (true);
}
