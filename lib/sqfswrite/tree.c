/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user. */
#include "sqfswrite/tree.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK_SIZE ((size_t)256 * 1024)
#define MAP_FIRST  1024U

struct tree_chunk {
    struct tree_chunk *next;
    alignas(max_align_t) char data[];
};

void *arena_take(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + sizeof(uint64_t) - 1) / sizeof(uint64_t) * sizeof(uint64_t);
    if (!arena->chunks || arena->size - arena->used < size) {
        size_t space = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        struct tree_chunk *chunk = calloc(1, sizeof(*chunk) + space);

        if (!chunk)
            return NULL;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
        arena->size = space;
        arena->used = 0;
    }
    void *taken = arena->chunks->data + arena->used;
    arena->used += size;
    return taken;
}

char *arena_text(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_take(arena, size);

    if (copy)
        memcpy(copy, text, size);
    return copy;
}

void arena_free(struct arena *arena)
{
    while (arena->chunks) {
        struct tree_chunk *next = arena->chunks->next;

        free(arena->chunks);
        arena->chunks = next;
    }
    arena->used = arena->size = 0;
}

/* The slot of the pair, or the free one where it belongs: some slots always are free. */
static struct map_slot *find_slot(struct map_slot *slots, size_t size, uint64_t a,
                                  uint64_t b)
{
    uint64_t hash = (a * UINT64_C(0x9e3779b97f4a7c15) ^ b) * UINT64_C(0xd6e8feb86659fd93);
    size_t at = (size_t)(hash >> 32) & (size - 1);

    while (slots[at].used && (slots[at].a != a || slots[at].b != b))
        at = (at + 1) & (size - 1);
    return &slots[at];
}

bool map_find(const struct map *map, uint64_t a, uint64_t b, union map_value *ret)
{
    const struct map_slot *slot;

    if (map->size == 0)
        return false;
    slot = find_slot(map->slots, map->size, a, b);
    if (slot->used)
        *ret = slot->value;
    return slot->used;
}

static neg_errno map_grow(struct map *map)
{
    size_t size = map->size ? map->size * 2 : MAP_FIRST;
    struct map_slot *slots = calloc(size, sizeof(*slots));

    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < map->size; i++)
        if (map->slots[i].used)
            *find_slot(slots, size, map->slots[i].a, map->slots[i].b) = map->slots[i];
    free(map->slots);
    map->slots = slots;
    map->size = size;
    return 0;
}

neg_errno map_add(struct map *map, uint64_t a, uint64_t b, union map_value value)
{
    if (map->used + 1 > map->size / 4 * 3) {
        int rc = map_grow(map);

        if (rc < 0)
            return rc;
    }
    *find_slot(map->slots, map->size, a, b) =
        (struct map_slot){.a = a, .b = b, .value = value, .used = true};
    map->used++;
    return 0;
}

void map_free(struct map *map)
{
    free(map->slots);
    *map = (struct map){0};
}

/* As the kernel's new_encode_dev(). */
uint32_t tree_device(uint32_t major, uint32_t minor)
{
    return (minor & 0xffU) | major << 8 | (minor & ~0xffU) << 12;
}

neg_errno tree_add(struct arena *arena, struct tree_node *dir, const char *name,
                   struct tree_node *node)
{
    size_t size = strlen(name) + 1;
    struct tree_entry *entry = arena_take(arena, sizeof(*entry) + size);

    if (!entry)
        return -ENOMEM;
    memcpy(entry->name, name, size);
    entry->node = node;
    if (dir->dir.last)
        dir->dir.last->next = entry;
    else
        dir->dir.first = entry;
    dir->dir.last = entry;
    node->links++;
    if (S_ISDIR(node->mode)) {
        dir->dir.subdirs++;
        node->dir.parent = dir;
    }
    return 0;
}

neg_errno tree_add_hole(struct tree_packed *packed, uint64_t block, uint64_t count)
{
    /* Grows at each power of two. */
    if ((packed->nholes & (packed->nholes - 1)) == 0) {
        size_t space = packed->nholes ? packed->nholes * 2 : 1;
        struct tree_hole *holes =
            reallocarray(packed->holes, space, sizeof(*packed->holes));

        if (!holes)
            return -ENOMEM;
        packed->holes = holes;
    }
    packed->holes[packed->nholes++] = (struct tree_hole){.block = block, .count = count};
    return 0;
}

void tree_packed_free(struct tree_packed *list)
{
    for (; list; list = list->next) {
        free(list->inode);
        free(list->holes);
    }
}
