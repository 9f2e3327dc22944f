/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_SQFS_H
#define VITRINE_IMAGE_SQFS_H

/*
 * Reading a SquashFS file system that may be hostile: part of the FUSE server, and of the
 * program that saves containers. What is
 * damaged gives -EIO, never a crash or an endless loop, and costs at most time in
 * proportion to the image's size.
 *
 * All functions are thread-safe and return neg_errno, since what a reader gets is an
 * errno; there is nobody who could be told a sentence.
 *
 * libsquashfuse is not used: up to 0.1.105 (Debian 12), and partly until 0.6, it takes
 * offsets, counts and name lengths of the image for granted and crashes on damaged
 * images, and it unpacks one block at a time.
 */
#include "base/error.h"
#include "image/squashfs.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>

#define SQFS_NAME_MAX    255
#define SQFS_SYMLINK_MAX 4095 /* the longest that FUSE can tell the kernel */
#define SQFS_NONE        UINT32_MAX

struct cache;

/* A place in metadata blocks. */
struct sqfs_cursor {
    uint64_t block; /* where the block is, from the file system's start */
    uint64_t end;   /* no block begins here or later */
    uint32_t offset;
};

/* Where the block list of a large file goes on: see sqfs-file.c. */
struct sqfs_hint {
    uint64_t inode;
    uint64_t chunk; /* 0: no hint */
    uint64_t position;
    struct sqfs_cursor cursor;
};

#define SQFS_HINTS 512

/* Constant after sqfs_open(), but for the caches and hints, which have locks. */
struct sqfs {
    int fd; /* borrowed */
    uint64_t offset;
    struct squashfs_super super;
    uint32_t *ids;
    uint64_t *fragment_index;
    uint64_t xattr_start;
    uint32_t xattr_ids; /* 0: no file has extended attributes */
    struct cache *metadata;
    struct cache *data;
    pthread_mutex_t hints_lock;
    struct sqfs_hint hints[SQFS_HINTS];
};

struct sqfs_inode {
    uint64_t ref; /* block in the inode table << 16 | offset in the block */
    mode_t mode;
    uid_t uid;
    gid_t gid;
    uint32_t mtime;
    uint32_t number;
    uint32_t nlink;
    uint32_t xattr; /* SQFS_NONE: none */
    uint32_t rdev;
    uint64_t size;
    /* Symlink: its target; file: its list of blocks; directory: its index. */
    struct sqfs_cursor rest;
    struct { /* regular file */
        uint64_t start, sparse;
        uint32_t fragment, fragment_offset;
    } file;
    struct { /* directory; its listing has size - 3 bytes */
        uint32_t block, parent;
        uint16_t offset, indexes;
    } dir;
};

struct sqfs_entry {
    uint64_t ref;
    uint64_t next; /* position behind this entry, for sqfs_dir_read() */
    uint32_t number;
    mode_t type; /* S_IFMT bits */
    uint32_t name_len;
    char name[SQFS_NAME_MAX + 1];
};

/* Returns false to stop. */
typedef bool (*sqfs_entry_f)(void *arg, const struct sqfs_entry *entry);

/* Called before something that takes its time, reading or unpacking a block. */
typedef void (*sqfs_slow_f)(void);

/*
 * sqfs.c. Opens the file system at `offset` of fd, which stays the caller's; `slow` may
 * be NULL. *fs need not be zeroed; after a failure there is nothing to close.
 */
int sqfs_open(struct sqfs *fs, int fd, uint64_t offset, sqfs_slow_f slow,
              struct vitrine_error *err);
void sqfs_close(struct sqfs *fs);
/* size bytes at position, counted from the file system's start and all inside of it. */
neg_errno sqfs_pread(const struct sqfs *fs, void *buf, size_t size, uint64_t position);
/* Moves on by size bytes, storing them unless buf is NULL. */
neg_errno sqfs_read_metadata(const struct sqfs *fs, struct sqfs_cursor *cursor, void *buf,
                             size_t size);

/* sqfs-inode.c */
neg_errno sqfs_read_inode(const struct sqfs *fs, uint64_t ref, struct sqfs_inode *ret);
/* The target of a symbolic link, with its NUL. */
neg_errno sqfs_read_link(const struct sqfs *fs, const struct sqfs_inode *inode,
                         char ret[SQFS_SYMLINK_MAX + 1]);
mode_t sqfs_mode(unsigned type);

/* sqfs-dir.c. Tells the entries from `position` on (0: all of them). */
neg_errno sqfs_dir_read(const struct sqfs *fs, const struct sqfs_inode *dir,
                        uint64_t position, sqfs_entry_f tell, void *arg);
/* Finds a name; -ENOENT if there is none. */
neg_errno sqfs_dir_find(const struct sqfs *fs, const struct sqfs_inode *dir,
                        const char *name, struct sqfs_entry *ret);

/* sqfs-file.c. Returns the number of bytes read, which is less than size at the end. */
neg_errno sqfs_file_read(struct sqfs *fs, const struct sqfs_inode *inode, uint64_t offset,
                         uint8_t *buf, size_t size);
/* The next data at `offset` or behind it, without a hole, and up to `most` bytes of it
 * (rounded up to blocks); begin and end are the file's size if there is none. */
neg_errno sqfs_file_data(struct sqfs *fs, const struct sqfs_inode *inode, uint64_t offset,
                         uint64_t most, uint64_t *ret_begin, uint64_t *ret_end);

/* sqfs-xattr.c. Both return the size of the result; with size 0 that is all they do. */
neg_errno sqfs_xattr_list(const struct sqfs *fs, const struct sqfs_inode *inode,
                          char *buf, size_t size);
neg_errno sqfs_xattr_get(const struct sqfs *fs, const struct sqfs_inode *inode,
                         const char *name, char *buf, size_t size);

/* Tells each attribute; what tell() returns below 0 ends it and is returned. */
typedef neg_errno (*sqfs_xattr_f)(void *arg, const char *name, const void *value,
                                  size_t size);
neg_errno sqfs_xattr_each(const struct sqfs *fs, const struct sqfs_inode *inode,
                          sqfs_xattr_f tell, void *arg);

#endif
