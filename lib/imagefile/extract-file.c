/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Regular files: made by the thread that walks, their content unpacked and written by
 * others, large ones in pieces; who does the last of it gives them their attributes.
 */
#include "base/fd.h"
#include "imagefile/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE (UINT64_C(4) * 1024 * 1024)

struct file {
    struct sqfs_inode inode;
    const struct extract_dir *where;
    int fd;
    atomic_uint pieces; /* that are left, and one for who makes them */
    char name[];
};

struct piece {
    struct file *file;
    uint64_t begin, end;
};

/* The first failure is the one that is told. */
static void fail(struct extract *x, const struct file *file, struct vitrine_error *err)
{
    (void)extract_wrap(file->where, file->name, err);
    (void)pthread_mutex_lock(&x->lock);
    if (!atomic_load(&x->failed))
        x->err = *err;
    atomic_store(&x->failed, true);
    (void)pthread_mutex_unlock(&x->lock);
}

/* One piece less; the file is finished with the last. */
static void leave(struct extract *x, struct file *file)
{
    struct vitrine_error err;
    int rc = 0;

    if (atomic_fetch_sub(&file->pieces, 1) > 1)
        return;
    if (!atomic_load(&x->failed))
        rc = extract_attrs(x, file->fd, -1, NULL, &file->inode, false, &err);
    /* Servers of files tell only now what could not be written. */
    if (close(file->fd) < 0 && rc == 0)
        rc = vitrine_fail_sys(&err, VITRINE_EINTERNAL, "it cannot be written");
    if (rc < 0)
        fail(x, file, &err);
    free(file);
}

static int write_piece(struct extract *x, const struct piece *piece, uint8_t *buf,
                       struct vitrine_error *err)
{
    uint64_t position = piece->begin;

    while (position < piece->end && !atomic_load(&x->failed)) {
        uint64_t left = piece->end - position;
        size_t most = left < EXTRACT_BUFFER ? (size_t)left : EXTRACT_BUFFER;
        int n = sqfs_file_read(x->fs, &piece->file->inode, position, buf, most);

        if (n <= 0)
            return error_from(err, VITRINE_EFORMAT, n < 0 ? n : -EIO,
                              "the image is damaged there");
        int rc = fd_pwrite_full(piece->file->fd, buf, (size_t)n, (off_t)position);
        if (rc < 0)
            return error_from(err, VITRINE_EINTERNAL, rc, "it cannot be written");
        position += (uint64_t)n;
        atomic_fetch_add(&x->bytes, (unsigned long long)n);
    }
    return 0;
}

void extract_work(void *arg, void *item, void *scratch)
{
    struct extract *x = arg;
    struct piece *piece = item;
    struct vitrine_error err;

    if (write_piece(x, piece, scratch, &err) < 0)
        fail(x, piece->file, &err);
    leave(x, piece->file);
    free(piece);
}

static int add_piece(struct extract *x, struct file *file, uint64_t begin, uint64_t end,
                     struct vitrine_error *err)
{
    struct piece *piece = malloc(sizeof(*piece));

    if (!piece)
        return error_from(err, VITRINE_EINTERNAL, -ENOMEM, "it cannot be written");
    *piece = (struct piece){.file = file, .begin = begin, .end = end};
    atomic_fetch_add(&file->pieces, 1);
    do {
        x->watch->progress.bytes_done = atomic_load(&x->bytes);
        if (watch_look(x->watch, err) < 0) {
            atomic_fetch_sub(&file->pieces, 1);
            free(piece);
            return -1;
        }
    } while (!workers_have_room(x->workers));
    workers_add(x->workers, piece);
    return 0;
}

/* All but its holes. */
static int add_pieces(struct extract *x, struct file *file, struct vitrine_error *err)
{
    const struct sqfs_inode *inode = &file->inode;
    uint64_t begin, end = 0;

    while (end < inode->size && !atomic_load(&x->failed)) {
        bool is_first = end == 0;
        int rc = sqfs_file_data(x->fs, inode, end, PIECE, &begin, &end);

        if (rc < 0)
            return error_from(err, VITRINE_EFORMAT, rc, "the image is damaged there");
        /* With its size first, what is not written is a hole. */
        if (is_first && (begin > 0 || end < inode->size) &&
            ftruncate(file->fd, (off_t)inode->size) < 0)
            return vitrine_fail_sys(err, VITRINE_EINTERNAL, "it cannot be made so large");
        if (begin < end && add_piece(x, file, begin, end, err) < 0)
            return -1;
    }
    return 0;
}

int extract_file(struct extract *x, int dir, const struct extract_dir *where,
                 const char *name, const struct sqfs_inode *inode,
                 struct vitrine_error *err)
{
    struct file *file = malloc(sizeof(*file) + strlen(name) + 1);
    int rc;

    if (!file)
        return error_from(err, VITRINE_EINTERNAL, -ENOMEM, "it cannot be made");
    file->inode = *inode;
    file->where = where;
    memcpy(file->name, name, strlen(name) + 1);
    atomic_init(&file->pieces, 1);
    file->fd =
        openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file->fd < 0) {
        free(file);
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "it cannot be made");
    }
    rc = add_pieces(x, file, err);
    if (rc < 0)
        atomic_store(&x->failed, true);
    leave(x, file);
    return rc;
}
