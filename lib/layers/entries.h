/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_LAYERS_ENTRIES_H
#define VITRINE_LAYERS_ENTRIES_H

/*
 * What the layers of an image say, checked and kept in memory in the order of their
 * archives, until merge.c knows what becomes of it. Of content only its place in the
 * output is kept.
 */
#include "layers/layer.h"
#include "layers/shade.h"
#include "sqfswrite/output.h"

enum entry_kind {
    ENTRY_NODE,
    ENTRY_HARDLINK,
    ENTRY_WHITEOUT, /* `path` of lower layers does not show */
    ENTRY_OPAQUE,   /* what is below `path` in lower layers does not show */
};

struct entry {
    struct entry *next; /* of its layer */
    /* "a/b", from the root, without empty components, "." and ".."; "" is the root. */
    const char *path;
    const char *name;     /* its last component */
    const char *target;   /* of a link: as it is, or like `path` if it is a hard one */
    uint32_t number;      /* in its archive */
    enum entry_kind kind; /* the rest is of ENTRY_NODE */
    uint32_t mode, uid, gid, mtime, rdev, xattr;
    uint64_t size;              /* of a regular file */
    struct tree_packed *packed; /* of one; NULL: its content was passed over */
    bool is_needed;             /* though */
    struct tree_node *node;     /* what it became */
};

struct entries_layer {
    struct entry *first, *last;
    uint32_t numbers;
};

struct entries {
    struct output *output; /* borrowed; takes attributes */
    struct arena arena;
    struct shade shade;
    struct entries_layer *layers; /* one more than the image has, for our own */
    unsigned nlayers;             /* of the image */
    struct tree_packed *packed;   /* all of them */
    uint64_t count, names, xattrs, apparent;
};

int entries_open(struct entries *entries, struct output *output, unsigned nlayers,
                 struct vitrine_error *err);
void entries_close(struct entries *entries);

/*
 * Adds the entry that `layer` is at; layers are told from the topmost down. *ret_content
 * says whether its content is wanted, for which *ret then has a place. Texts of errors
 * name the entry.
 */
int entries_add(struct entries *entries, unsigned number, struct layer *layer,
                const struct layer_entry *told, struct entry **ret, bool *ret_content,
                struct vitrine_error *err);

/* A place for content. */
struct tree_packed *entries_packed(struct entries *entries);

/* Adds a directory, or a file with a place for content, of our own, belonging to root,
 * that replaces what layers have at this path; parents first. */
int entries_add_own(struct entries *entries, const char *path, mode_t mode,
                    struct entry **ret, struct vitrine_error *err);

#endif
