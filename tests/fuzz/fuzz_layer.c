/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Up to four layers, compressed or not: they become an image whose tree can be read, or
 * there is an error. The first byte says how many; two more before each but the last how
 * long it is.
 */
#include "image/sqfs.h"
#include "layers/build.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LAYERS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

struct memory {
    struct source base;
    const uint8_t *data[LAYERS];
    size_t sizes[LAYERS], at;
    unsigned order[2 * LAYERS], wanted, current;
};

static int want(struct source *source, const struct manifest_blob *layers, size_t n,
                struct vitrine_error *err)
{
    struct memory *memory = (struct memory *)source;

    claim(memory->wanted + n <= sizeof(memory->order) / sizeof(*memory->order));
    for (size_t i = 0; i < n; i++)
        memory->order[memory->wanted++] = (unsigned)(layers[i].digest[0] - '0');
    return 0;
}

static int read_some(struct source *source, const void **ret_data, size_t *ret_size,
                     struct vitrine_error *err)
{
    struct memory *memory = (struct memory *)source;

    claim(memory->current < memory->wanted);
    unsigned number = memory->order[memory->current];
    *ret_data = memory->data[number] + memory->at;
    *ret_size = memory->sizes[number] - memory->at;
    memory->at += *ret_size;
    if (*ret_size == 0) {
        memory->at = 0;
        memory->current++;
    }
    return 0;
}

static uint64_t arrived(struct source *source)
{
    return 0;
}

static void stop(struct source *source)
{
}

static const struct source_ops ops = {
    .want = want, .read = read_some, .arrived = arrived, .stop = stop};

struct walk {
    struct sqfs *fs;
    unsigned entries;
};

static void walk_dir(struct walk *walk, const struct sqfs_inode *dir);

static bool walk_entry(void *arg, const struct sqfs_entry *entry)
{
    struct walk *walk = arg;
    struct sqfs_inode inode;
    uint8_t buf[4096];

    walk->entries++;
    claim(entry->name_len > 0 && strcmp(entry->name, ".") != 0 &&
          strcmp(entry->name, "..") != 0 && !strchr(entry->name, '/'));
    claim(sqfs_read_inode(walk->fs, entry->ref, &inode) == 0);
    if (S_ISREG(inode.mode))
        claim(sqfs_file_read(walk->fs, &inode, 0, buf, sizeof(buf)) >= 0);
    if (S_ISDIR(inode.mode))
        walk_dir(walk, &inode);
    return true;
}

static void walk_dir(struct walk *walk, const struct sqfs_inode *dir)
{
    claim(sqfs_dir_read(walk->fs, dir, 0, walk_entry, walk) == 0);
}

static void check_image(int fd)
{
    static struct sqfs fs;
    struct walk walk = {.fs = &fs};
    struct vitrine_error err = {0};
    struct sqfs_inode inode;
    struct sqfs_entry entry;
    uint8_t buf[2];

    claim(sqfs_open(&fs, fd, 0, NULL, &err) == 0);
    claim(sqfs_read_inode(&fs, fs.super.root_inode, &inode) == 0 && S_ISDIR(inode.mode));
    walk_dir(&walk, &inode);
    claim(walk.entries >= 2);
    claim(sqfs_dir_find(&fs, &inode, ".vitrine", &entry) == 0);
    claim(sqfs_read_inode(&fs, entry.ref, &inode) == 0 && S_ISDIR(inode.mode));
    claim(sqfs_dir_find(&fs, &inode, "config", &entry) == 0);
    claim(sqfs_read_inode(&fs, entry.ref, &inode) == 0 && S_ISREG(inode.mode));
    claim(sqfs_file_read(&fs, &inode, 0, buf, sizeof(buf)) == 1 && buf[0] == 'c');
    sqfs_close(&fs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest_blob blobs[LAYERS] = {0};
    struct manifest manifest = {.layers = blobs};
    struct memory memory = {.base = {.ops = &ops}};
    struct build build = {.source = &memory.base,
                          .manifest = &manifest,
                          .config = "c",
                          .config_size = 1,
                          .threads = 1};
    struct vitrine_error err = {0};

    if (size == 0)
        return 0;
    manifest.nlayers = data[0] % LAYERS + 1U;
    data++;
    size--;
    for (size_t i = 0; i < manifest.nlayers; i++) {
        size_t n = size;

        if (i + 1 < manifest.nlayers && size >= 2) {
            n = (size_t)data[0] | (size_t)data[1] << 8;
            data += 2;
            size -= 2;
            n = n < size ? n : size;
        }
        memory.data[i] = data;
        memory.sizes[i] = n;
        blobs[i].digest[0] = (char)('0' + i);
        blobs[i].compression = MANIFEST_UNKNOWN;
        data += n;
        size -= n;
    }
    int fd = memfd_create("image", MFD_CLOEXEC);
    claim(fd >= 0);
    if (build_image(&build, fd, &err) == 0)
        check_image(fd);
    else
        claim(err.code != VITRINE_OK && err.text[0]);
    (void)close(fd);
    return 0;
}
