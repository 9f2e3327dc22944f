/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user. What leads nowhere is an error, as it is where layers are unpacked.
 */
#include "layers/merge.h"
#include "base/limits.h"
#include "layers/lookup.h"
#include "layers/plant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct merge {
    struct entries *entries;
    struct spots spots;
    struct lookup lookup;
    uint16_t layer; /* plus 1; 0 is what nothing has touched */
};

static int no_memory(struct vitrine_error *err)
{
    return error_from(err, VITRINE_EINTERNAL, ENOMEM, "the image has too many files");
}

/* This is of this layer, as is all that it lies in: its whiteouts do not mean them. */
static void touch(const struct merge *m, struct spot *spot)
{
    for (; spot && spot->is.touched != m->layer; spot = spot->parent)
        spot->is.touched = m->layer;
}

static void remove_spot(struct merge *m, struct spot *spot)
{
    m->lookup.last = NULL;
    spots_remove(&m->spots, spot);
}

/* Removes of what is below `dir` all that this layer has not touched. */
static void prune(struct merge *m, struct spot *dir)
{
    struct spot *next;

    for (struct spot *spot = dir->first; spot; spot = next) {
        next = spot->next;
        m->lookup.taken++;
        if (spot->is.touched == m->layer)
            prune(m, spot);
        else
            remove_spot(m, spot);
    }
}

/* The length of the directory's part of its path. */
static size_t dir_length(const char *path, const char *name)
{
    return name > path ? (size_t)(name - path) - 1 : 0;
}

static int apply_whiteout(struct merge *m, const struct entry *entry,
                          struct vitrine_error *err)
{
    size_t len = entry->kind == ENTRY_OPAQUE ? strlen(entry->path)
                                             : dir_length(entry->path, entry->name);
    struct spot *spot = NULL;

    if (lookup_dir(&m->lookup, entry->path, len, &spot, err) < 0)
        return -1;
    if (spot && entry->kind == ENTRY_OPAQUE) {
        prune(m, spot);
        return 0;
    }
    if (spot)
        spot = spots_find(&m->spots, spot, entry->name, strlen(entry->name));
    if (spot && spot->is.touched == m->layer)
        prune(m, spot);
    else if (spot)
        remove_spot(m, spot);
    return 0;
}

/* What a hard link leads to. A symbolic link as its last component is not followed. */
static int find_target(struct merge *m, const struct entry *link, struct entry **ret,
                       struct vitrine_error *err)
{
    const char *slash = strrchr(link->target, '/');
    const char *name = slash ? slash + 1 : link->target;
    struct spot *spot = NULL;

    if (lookup_dir(&m->lookup, link->target, dir_length(link->target, name), &spot, err) <
        0)
        return -1;
    if (spot)
        spot = spots_find(&m->spots, spot, name, strlen(name));
    if (!spot)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is a hard link to %.300s, which is not there",
                            link->target);
    if (spot->is.is_dir)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is a hard link to %.300s, which is a directory",
                            link->target);
    *ret = spot->is.entry;
    return 0;
}

static int apply_node(struct merge *m, struct entry *entry, struct vitrine_error *err)
{
    bool is_dir = entry->kind == ENTRY_NODE && S_ISDIR(entry->mode);
    const char *name = entry->name;
    struct spot *parent = NULL, *spot;
    int rc = 0;

    if (!*entry->path) {
        m->spots.root.is.entry = entry;
        touch(m, &m->spots.root);
        return 0;
    }
    if (lookup_make_dir(&m->lookup, entry->path, dir_length(entry->path, name), &parent,
                        err) < 0)
        return -1;
    spot = spots_find(&m->spots, parent, name, strlen(name));
    if (spot && !(is_dir && spot->is.is_dir)) {
        remove_spot(m, spot);
        spot = NULL;
    }
    if (entry->kind == ENTRY_HARDLINK && find_target(m, entry, &entry, err) < 0)
        return -1;
    if (!spot)
        rc = spots_add(&m->spots, parent, name, strlen(name), &spot);
    if (rc < 0)
        return rc == -E2BIG ? vitrine_fail(err, VITRINE_EUNSUPPORTED,
                                           "the image has more than %d files",
                                           LIMIT_IMPORT_ENTRIES)
                            : no_memory(err);
    spot->is.is_dir = is_dir;
    spot->is.entry = entry;
    touch(m, spot);
    return 0;
}

static int apply_layer(struct merge *m, unsigned number, struct vitrine_error *err)
{
    m->layer = (uint16_t)(number + 1);
    for (struct entry *entry = m->entries->layers[number].first; entry;
         entry = entry->next) {
        int rc = entry->kind <= ENTRY_HARDLINK ? apply_node(m, entry, err)
                                               : apply_whiteout(m, entry, err);

        if (rc == 0 && m->lookup.taken > LIMIT_IMPORT_STEPS)
            rc =
                vitrine_fail(err, VITRINE_EUNSUPPORTED,
                             "its links, or directories that are emptied, take more than "
                             "%d steps",
                             LIMIT_IMPORT_STEPS);
        if (rc < 0)
            return vitrine_wrap(err, "%.300s", entry->path);
    }
    return 0;
}

int merge_layers(struct entries *entries, const char *const *names,
                 struct merge_result *ret, struct vitrine_error *err)
{
    struct merge *m = calloc(1, sizeof(*m));
    int rc = 0;

    if (!m)
        return no_memory(err);
    m->entries = entries;
    m->lookup.spots = &m->spots;
    if (spots_open(&m->spots, LIMIT_IMPORT_ENTRIES) < 0)
        rc = no_memory(err);
    m->spots.root.is.is_dir = true;
    /* The last one is our own. */
    for (unsigned i = 0; rc == 0 && i <= entries->nlayers; i++) {
        rc = apply_layer(m, i, err);
        if (rc < 0 && i < entries->nlayers)
            (void)vitrine_wrap(err, "layer %s", names[i]);
    }
    if (rc == 0)
        rc = plant(entries, &m->spots.root, ret, err);
    spots_close(&m->spots);
    free(m);
    return rc;
}
