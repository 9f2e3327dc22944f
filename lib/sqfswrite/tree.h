/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SQFSWRITE_TREE_H
#define VITRINE_SQFSWRITE_TREE_H

/*
 * The tree in memory, until its inodes are written: about 150 bytes for a file.
 * Nothing of it is freed before all of it is.
 */
#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

#define TREE_NO_XATTR UINT32_MAX

struct tree_chunk;

struct arena {
    struct tree_chunk *chunks;
    size_t used, size; /* of the first chunk */
};

/* Zeroed memory; NULL: there is none. */
void *arena_take(struct arena *arena, size_t size);
char *arena_text(struct arena *arena, const char *text);
void arena_free(struct arena *arena);

struct tree_node;

/* From two numbers to one of these. */
union map_value {
    struct tree_node *node;
    uint64_t position;
    uint32_t set;
    const void *other;
};

struct map_slot {
    uint64_t a, b;
    union map_value value;
    bool used;
};

struct map {
    struct map_slot *slots;
    size_t size, used;
};

bool map_find(const struct map *map, uint64_t a, uint64_t b, union map_value *ret);
/* The pair must not be there yet. */
neg_errno map_add(struct map *map, uint64_t a, uint64_t b, union map_value value);
void map_free(struct map *map);

/* Blocks of a file that are all holes and were not read. */
struct tree_hole {
    uint64_t block, count;
};

/* A file whose content was read and compressed. */
struct tree_packed {
    struct sqfs_inode_generic_t *inode; /* libsquashfs' view of the blocks that are no
                                           holes; NULL if there are none */
    uint64_t size;
    struct tree_hole *holes;
    size_t nholes;
    struct tree_packed *next; /* of all such files */
};

neg_errno tree_add_hole(struct tree_packed *packed, uint64_t block, uint64_t count);

/* A list of them: what the arena does not free. */
void tree_packed_free(struct tree_packed *list);

struct tree_entry;

/* One inode of the output. */
struct tree_node {
    uint32_t mode, uid, gid, mtime;
    uint32_t links; /* how many entries lead to it */
    uint32_t xattr; /* of the output */
    uint32_t rdev;  /* as SquashFS stores it */
    uint32_t number;
    uint64_t ref; /* where it is in the output, once it is written */
    union {
        struct {
            struct tree_entry *first, *last;
            struct tree_node *parent; /* NULL: the root */
            uint32_t subdirs;
        } dir;
        struct {
            struct tree_packed *packed; /* NULL: its content comes from elsewhere */
            uint64_t elsewhere;         /* and this says from where (write.h) */
        } file;
        const char *target;
    };
};

/* A name; those of a directory are in the order of strcmp(3). */
struct tree_entry {
    struct tree_entry *next;
    struct tree_node *node;
    char name[];
};

/* For tree_node.rdev. */
uint32_t tree_device(uint32_t major, uint32_t minor);

/* Puts `node` behind the other entries of `dir`. */
neg_errno tree_add(struct arena *arena, struct tree_node *dir, const char *name,
                   struct tree_node *node);

#endif
