/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user. */
#include "layers/plant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A directory that only other names tell of. */
#define IMPLICIT_MODE (S_IFDIR | 0755)

struct gardener {
    struct entries *entries;
    struct merge_result *result;
    char name[256];
};

static int compare(const void *a, const void *b)
{
    const struct spot *x = *(const struct spot *const *)a;
    const struct spot *y = *(const struct spot *const *)b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->name, y->name, len);

    return order ? order : (int)x->len - (int)y->len;
}

/* The children of a directory in the order of their names; NULL: no memory. */
static const struct spot **sort(const struct spot *dir, size_t *ret_n)
{
    const struct spot **list;
    size_t n = 0;

    for (const struct spot *spot = dir->first; spot; spot = spot->next)
        n++;
    list = calloc(n + 1, sizeof(const struct spot *));
    if (!list)
        return NULL;
    *ret_n = n;
    n = 0;
    for (const struct spot *spot = dir->first; spot; spot = spot->next)
        list[n++] = spot;
    if (n > 1)
        qsort(list, n, sizeof(const struct spot *), compare);
    return list;
}

static int fill(struct gardener *g, struct tree_node *node, struct entry *entry)
{
    node->mode = entry->mode;
    node->uid = entry->uid;
    node->gid = entry->gid;
    node->mtime = entry->mtime;
    node->rdev = entry->rdev;
    node->xattr = entry->xattr;
    if (entry->mtime > g->result->newest)
        g->result->newest = entry->mtime;
    if (S_ISLNK(entry->mode))
        node->target = entry->target;
    if (!S_ISREG(entry->mode))
        return 0;
    if (!entry->packed) {
        entry->packed = entries_packed(g->entries);
        entry->is_needed = g->result->needs = true;
    }
    node->file.packed = entry->packed;
    return entry->packed ? 0 : -ENOMEM;
}

/* Other names of a file lead to the same node. */
static neg_errno make(struct gardener *g, const struct spot *spot, struct tree_node **ret)
{
    struct entry *entry = spot->is.entry;
    struct tree_node *node = entry ? entry->node : NULL;

    *ret = node;
    if (node)
        return 0;
    *ret = node = arena_take(&g->entries->arena, sizeof(*node));
    if (!node)
        return -ENOMEM;
    if (entry) {
        entry->node = node;
        return fill(g, node, entry);
    }
    node->mode = IMPLICIT_MODE;
    node->xattr = TREE_NO_XATTR;
    return 0;
}

static neg_errno plant_dir(struct gardener *g, const struct spot *dir,
                           struct tree_node *node)
{
    size_t n = 0;
    const struct spot **list = sort(dir, &n);
    int rc = list ? 0 : -ENOMEM;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct tree_node *child;

        rc = make(g, list[i], &child);
        memcpy(g->name, list[i]->name, list[i]->len);
        g->name[list[i]->len] = '\0';
        if (rc == 0)
            rc = tree_add(&g->entries->arena, node, g->name, child);
        if (rc == 0 && list[i]->is.is_dir)
            rc = plant_dir(g, list[i], child);
    }
    free(list);
    return rc;
}

int plant(struct entries *entries, const struct spot *root, struct merge_result *ret,
          struct vitrine_error *err)
{
    struct gardener g = {.entries = entries, .result = ret};
    int rc;

    *ret = (struct merge_result){0};
    rc = make(&g, root, &ret->root);
    if (rc == 0)
        rc = plant_dir(&g, root, ret->root);
    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "the image has too many files")
                  : 0;
}
