/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories, and the inodes in them, in the order of their names. */
#include "base/cleanup.h"
#include "base/limits.h"
#include "imagefile/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* An index has an entry for each metadata block of a directory, in which at least 31
 * names are: with every 16th looked up, each of its entries is used. */
#define LOOKUP_EVERY 16U

struct entry {
    const char *name;
    uint64_t ref;
    uint32_t number;
    mode_t type;
};

struct listing {
    struct arena arena;
    struct entry *entries;
    size_t n, space;
    int error;
    bool unsorted;
};

static bool collect(void *arg, const struct sqfs_entry *entry)
{
    struct listing *list = arg;
    char *name = arena_text(&list->arena, entry->name);

    if (name && list->n == list->space) {
        size_t space = list->space ? list->space * 2 : 64;
        struct entry *entries =
            reallocarray(list->entries, space, sizeof(*list->entries));

        if (!entries)
            name = NULL;
        else
            list->entries = entries;
        list->space = entries ? space : list->space;
    }
    if (!name || list->n == LIMIT_SAVE_ENTRIES) {
        list->error = -ENOMEM;
        return false;
    }
    if (list->n > 0 && strcmp(list->entries[list->n - 1].name, name) >= 0)
        list->unsorted = true;
    list->entries[list->n++] = (struct entry){
        .name = name, .ref = entry->ref, .number = entry->number, .type = entry->type};
    return !list->unsorted;
}

/* The index leads to what the listing has. */
static int check_lookups(struct verify *v, const struct verify_place *place,
                         const struct sqfs_inode *dir, const struct listing *list,
                         struct vitrine_error *err)
{
    struct sqfs_entry found;

    for (size_t i = 0; dir->dir.indexes > 0 && i < list->n; i += LOOKUP_EVERY) {
        if (watch_look(v->watch, err) < 0)
            return -1;
        if (sqfs_dir_find(v->fs, dir, list->entries[i].name, &found) < 0 ||
            found.ref != list->entries[i].ref)
            return verify_fail(place, err, "its index does not lead to what is in it");
    }
    return 0;
}

static int read_listing(struct verify *v, const struct verify_place *place,
                        const struct sqfs_inode *dir, struct listing *list,
                        struct vitrine_error *err)
{
    int rc = sqfs_dir_read(v->fs, dir, 0, collect, list);

    if (list->unsorted)
        return verify_fail(place, err, "its names are not sorted, at number %zu",
                           list->n);
    if (rc == 0)
        rc = list->error;
    if (rc == -ENOMEM)
        return error_from(err, VITRINE_EINTERNAL, rc, "it has too many files");
    if (rc < 0)
        return verify_fail(place, err, "the directory cannot be read, behind name %zu",
                           list->n);
    return check_lookups(v, place, dir, list, err);
}

/* 1: it was seen before, by another name. */
static int note_inode(struct verify *v, const struct verify_place *place,
                      const struct sqfs_inode *inode, struct vitrine_error *err)
{
    struct verify_inode *known;

    if (inode->number == 0 || inode->number > v->fs->super.inodes)
        return verify_fail(place, err, "its inode has the number %" PRIu32 " of %" PRIu32,
                           inode->number, v->fs->super.inodes);
    known = &v->inodes[inode->number];
    if (known->ref > 0 && known->ref - 1 != inode->ref)
        return verify_fail(place, err, "another file has its inode's number %" PRIu32,
                           inode->number);
    known->names++;
    if (known->ref > 0)
        return S_ISDIR(inode->mode)
                   ? verify_fail(place, err, "this directory is in two places")
                   : 1;
    known->ref = inode->ref + 1;
    /* What writers count for directories differs. */
    known->links = S_ISDIR(inode->mode) ? 1 : inode->nlink;
    if (known->links == 1)
        return 0;
    cleanup_free char *path = verify_path(place);
    v->paths[inode->number] = path ? arena_text(&v->arena, path) : NULL;
    return 0;
}

static int visit_dir(struct verify *v, const struct verify_place *place, unsigned depth,
                     const struct sqfs_inode *dir, struct vitrine_error *err);

static int visit(struct verify *v, const struct verify_place *place, unsigned depth,
                 const struct sqfs_inode *inode, struct vitrine_error *err)
{
    const char *wrong;
    int rc = note_inode(v, place, inode, err);

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    wrong = verify_xattrs(v, inode->xattr);
    if (wrong)
        return verify_fail(place, err, "%s", wrong);
    if (S_ISDIR(inode->mode))
        return visit_dir(v, place, depth, inode, err);
    if (S_ISREG(inode->mode))
        return verify_file(v, place, inode, err);
    if (S_ISLNK(inode->mode) && sqfs_read_link(v->fs, inode, (char *)v->scratch) < 0)
        return verify_fail(place, err, "its target cannot be read");
    return 0;
}

static int visit_entry(struct verify *v, const struct verify_place *place, unsigned depth,
                       const struct sqfs_inode *dir, const struct entry *entry,
                       struct vitrine_error *err)
{
    struct sqfs_inode inode;

    if (watch_look(v->watch, err) < 0)
        return -1;
    if (sqfs_read_inode(v->fs, entry->ref, &inode) < 0)
        return verify_fail(place, err, "its inode cannot be read");
    if ((inode.mode & S_IFMT) != entry->type)
        return verify_fail(place, err, "its type is not that which its directory tells");
    if (inode.number != entry->number)
        return verify_fail(
            place, err, "its inode's number is %" PRIu32 ", its directory tells %" PRIu32,
            inode.number, entry->number);
    if (S_ISDIR(inode.mode) && inode.dir.parent != dir->number)
        return verify_fail(place, err, "it says that it is in another directory");
    return visit(v, place, depth, &inode, err);
}

static int visit_dir(struct verify *v, const struct verify_place *place, unsigned depth,
                     const struct sqfs_inode *dir, struct vitrine_error *err)
{
    struct listing list = {0};
    int rc;

    if (depth > LIMIT_SAVE_DEPTH)
        return verify_fail(place, err, "directories are nested more than %d deep",
                           LIMIT_SAVE_DEPTH);
    rc = read_listing(v, place, dir, &list, err);
    for (size_t i = 0; rc == 0 && i < list.n && !atomic_load(&v->failed); i++) {
        const struct verify_place own = {.up = place, .name = list.entries[i].name};

        rc = visit_entry(v, &own, depth + 1, dir, &list.entries[i], err);
    }
    arena_free(&list.arena);
    free(list.entries);
    return rc;
}

int verify_tree(struct verify *v, struct vitrine_error *err)
{
    const struct verify_place place = {.name = ""};
    struct sqfs_inode root;

    if (sqfs_read_inode(v->fs, v->fs->super.root_inode, &root) < 0 || !S_ISDIR(root.mode))
        return verify_fail(&place, err, "the root directory cannot be read");
    return visit(v, &place, 0, &root, err);
}
