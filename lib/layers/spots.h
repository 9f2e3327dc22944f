/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_LAYERS_SPOTS_H
#define VITRINE_LAYERS_SPOTS_H

/*
 * A tree of names in memory, where a name of a directory is found at once. Names are
 * borrowed, may hold any byte, and be chosen to make this slow: the hash has a secret.
 */
#include "sqfswrite/tree.h"

struct entry;

struct spot {
    struct spot *parent, *first, *prev, *next; /* first child; siblings */
    struct spot *chain;                        /* of the same bucket */
    const char *name;                          /* not terminated */
    uint32_t hash;
    uint16_t len;
    union {
        struct { /* in shade.c: by which layer's word what lies lower does not show */
            uint16_t hidden, hidden_below, is_dir;
        } shade;
        struct { /* in merge.c */
            bool is_dir;
            uint16_t touched;    /* the last layer that made it, or something below it */
            struct entry *entry; /* NULL: a directory that only other names tell of */
        } is;
    };
};

struct spots {
    struct spot root; /* zeroed at first */
    struct arena arena;
    struct spot **buckets;
    size_t nbuckets, used, max;
    struct spot *unused; /* that were removed */
    uint64_t key[2];
};

/* No more than `max` names at a time. */
neg_errno spots_open(struct spots *spots, size_t max);
void spots_close(struct spots *spots);

struct spot *spots_find(const struct spots *spots, const struct spot *parent,
                        const char *name, size_t len);
/* Makes one that must not be there, with zeros behind its name. -E2BIG: too many. */
neg_errno spots_add(struct spots *spots, struct spot *parent, const char *name,
                    size_t len, struct spot **ret);
/* Forgets it and all below it. */
void spots_remove(struct spots *spots, struct spot *spot);

#endif
