/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_LAYERS_H
#define VITRINE_TESTS_LAYERS_H

/* A source whose layers are in memory, and what becomes of them, as text. */
#include "image/sqfs.h"
#include "layers/build.h"
#include "tar.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LAYERS_MAX 64

struct memory {
    struct source base;
    struct tar *layers; /* the lowest first */
    unsigned order[LAYERS_MAX * 2], nwanted, current;
    size_t at, piece; /* bytes that are given at a time; 0: all */
    uint64_t arrived;
    unsigned fails_in; /* the layer whose end is an error, plus 1 */
    unsigned stops;
    volatile bool stopped;
};

static inline int memory_want(struct source *source, const struct manifest_blob *layers,
                              size_t n, struct vitrine_error *err)
{
    struct memory *memory = (struct memory *)source;

    for (size_t i = 0; i < n; i++)
        memory->order[memory->nwanted++] = (unsigned)strtoul(layers[i].digest, NULL, 10);
    return 0;
}

static inline int memory_read(struct source *source, const void **ret_data,
                              size_t *ret_size, struct vitrine_error *err)
{
    struct memory *memory = (struct memory *)source;
    unsigned number = memory->order[memory->current];
    const struct tar *layer = &memory->layers[number];
    size_t n = layer->size - memory->at;

    if (memory->stopped)
        return vitrine_fail(err, VITRINE_EINTERNAL, "stopped");
    if (memory->piece && n > memory->piece)
        n = memory->piece;
    *ret_data = layer->data + memory->at;
    *ret_size = n;
    memory->at += n;
    memory->arrived += n;
    if (n > 0)
        return 0;
    if (memory->fails_in == number + 1)
        return vitrine_fail(err, VITRINE_EFORMAT, "the digest is wrong");
    memory->at = 0;
    memory->current++;
    return 0;
}

static inline uint64_t memory_arrived(struct source *source)
{
    return ((struct memory *)source)->arrived;
}

static inline void memory_stop(struct source *source)
{
    ((struct memory *)source)->stopped = true;
    ((struct memory *)source)->stops++;
}

static const struct source_ops memory_ops = {.want = memory_want,
                                             .read = memory_read,
                                             .arrived = memory_arrived,
                                             .stop = memory_stop};

/* Builds an image of them; the descriptor, or -1. */
static inline int build_memory(struct memory *memory, unsigned n, unsigned threads,
                               const struct vitrine_watch *watch,
                               struct vitrine_error *err)
{
    struct manifest_blob blobs[LAYERS_MAX] = {0};
    struct manifest manifest = {.layers = blobs, .nlayers = n};
    struct build build = {
        .source = &memory->base,
        .manifest = &manifest,
        .config = "env=A=B",
        .config_size = sizeof("env=A=B"),
        .config_json = "{}",
        .config_json_size = 2,
        .threads = threads,
        .watch = watch,
    };
    int fd = memfd_create("image", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    memory->base.ops = &memory_ops;
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(blobs[i].digest, sizeof(blobs[i].digest), "%u", i);
        blobs[i].size = memory->layers[i].size;
        blobs[i].compression = MANIFEST_UNKNOWN;
    }
    if (build_image(&build, fd, err) == 0)
        return fd;
    ck_assert_str_ne(err->text, "");
    ck_assert_int_ne(err->code, VITRINE_OK);
    (void)close(fd);
    return -1;
}

/* ---- what is in an image ---------------------------------------------------------- */

struct teller {
    struct sqfs fs;
    FILE *out;
    char path[PATH_MAX];
};

static inline void tell_dir(struct teller *t, const struct sqfs_inode *dir);

static inline void tell_node(struct teller *t, const struct sqfs_inode *inode)
{
    char text[SQFS_SYMLINK_MAX + 1] = "";

    (void)fprintf(t->out, "%s%s", ftell(t->out) > 0 ? "|" : "", t->path + 1);
    if (S_ISDIR(inode->mode)) {
        (void)fprintf(t->out, "/%s", inode->mtime == 0 ? "?" : "");
    } else if (S_ISLNK(inode->mode)) {
        ck_assert_int_eq(sqfs_read_link(&t->fs, inode, text), 0);
        (void)fprintf(t->out, ">%s", text);
    } else if (S_ISREG(inode->mode)) {
        int n = sqfs_file_read(&t->fs, inode, 0, (uint8_t *)text, sizeof(text) - 1);

        ck_assert_int_ge(n, 0);
        text[n] = '\0';
        (void)fprintf(t->out, "=%s", text);
    } else {
        (void)fprintf(t->out, "!");
    }
    if (!S_ISDIR(inode->mode) && inode->nlink > 1)
        (void)fprintf(t->out, "(%u)", inode->nlink);
    if (S_ISDIR(inode->mode))
        tell_dir(t, inode);
}

static inline bool tell_entry(void *arg, const struct sqfs_entry *entry)
{
    struct teller *t = arg;
    size_t len = strlen(t->path);
    struct sqfs_inode inode;

    ck_assert_int_eq(sqfs_read_inode(&t->fs, entry->ref, &inode), 0);
    (void)snprintf(t->path + len, sizeof(t->path) - len, "/%s", entry->name);
    if (strcmp(t->path, "/.vitrine") != 0)
        tell_node(t, &inode);
    t->path[len] = '\0';
    return true;
}

static inline void tell_dir(struct teller *t, const struct sqfs_inode *dir)
{
    ck_assert_int_eq(sqfs_dir_read(&t->fs, dir, 0, tell_entry, t), 0);
}

/* All but /.vitrine: "dir/|dir/file=content(names)|link>target|fifo!"; "?" behind a
 * directory that no layer tells of. */
static inline char *tell_image(int fd)
{
    static struct teller t;
    struct vitrine_error err = {0};
    struct sqfs_inode root;
    char *text = NULL;
    size_t size;

    t.path[0] = '\0';
    t.out = open_memstream(&text, &size);
    ck_assert_msg(sqfs_open(&t.fs, fd, 0, NULL, &err) == 0, "%s", err.text);
    ck_assert_int_eq(sqfs_read_inode(&t.fs, t.fs.super.root_inode, &root), 0);
    tell_dir(&t, &root);
    sqfs_close(&t.fs);
    (void)fclose(t.out);
    return text;
}

/* One file or directory of it. */
static inline void find_inode(struct sqfs *fs, const char *path, struct sqfs_inode *ret)
{
    char *copy = strdup(path), *rest = copy, *name;
    struct sqfs_entry entry;

    ck_assert_int_eq(sqfs_read_inode(fs, fs->super.root_inode, ret), 0);
    while ((name = strsep(&rest, "/"))) {
        ck_assert_msg(sqfs_dir_find(fs, ret, name, &entry) == 0, "%s", path);
        ck_assert_int_eq(sqfs_read_inode(fs, entry.ref, ret), 0);
    }
    free(copy);
}

#endif
