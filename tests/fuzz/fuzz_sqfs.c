/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A whole file system, as the FUSE server reads it: all that can be asked of it. */
#include "image/sqfs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A damaged tree may lead in circles, which only the kernel would notice. */
#define INODES_MAX 200

struct walk {
    struct sqfs fs;
    uint64_t refs[INODES_MAX];
    size_t used;
    uint64_t next; /* position behind the last entry */
};

static void claim(bool true_)
{
    if (!true_)
        abort();
}

static bool remember(void *arg, const struct sqfs_entry *entry)
{
    struct walk *w = arg;

    claim(entry->next > w->next && entry->name_len == strlen(entry->name));
    claim(entry->name_len > 0 && !strchr(entry->name, '/'));
    w->next = entry->next;
    if (w->used < INODES_MAX)
        w->refs[w->used++] = entry->ref;
    return w->used < INODES_MAX;
}

static bool find_again(void *arg, const struct sqfs_entry *entry)
{
    struct sqfs_entry *ret = arg;

    *ret = *entry;
    return false;
}

static void ask_dir(struct walk *w, const struct sqfs_inode *inode)
{
    struct sqfs_entry first, found;

    w->next = 0;
    (void)sqfs_dir_read(&w->fs, inode, 0, remember, w);
    (void)sqfs_dir_read(&w->fs, inode, w->next, find_again, &first);
    (void)sqfs_dir_read(&w->fs, inode, inode->size / 2, find_again, &first);
    first.name_len = 0;
    if (sqfs_dir_read(&w->fs, inode, 0, find_again, &first) == 0 && first.name_len > 0 &&
        sqfs_dir_find(&w->fs, inode, first.name, &found) == 0)
        claim(strcmp(found.name, first.name) == 0);
    (void)sqfs_dir_find(&w->fs, inode, "no such name", &found);
}

static void ask_file(struct walk *w, const struct sqfs_inode *inode)
{
    static uint8_t buf[70000];
    const uint64_t places[] = {0, 4095, inode->size / 2,
                               inode->size > 100 ? inode->size - 100 : 0,
                               inode->size + 1};

    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        int n = sqfs_file_read(&w->fs, inode, places[i], buf, sizeof(buf));

        claim(n <= (int)sizeof(buf));
        claim(n <= 0 || places[i] + (uint64_t)n <= inode->size);
    }
}

static void ask_xattrs(struct walk *w, const struct sqfs_inode *inode)
{
    static char names[65536], value[65536];
    int n = sqfs_xattr_list(&w->fs, inode, NULL, 0);

    claim(n <= (int)sizeof(names));
    if (n <= 0)
        return;
    claim(sqfs_xattr_list(&w->fs, inode, names, (size_t)n) == n);
    claim(names[n - 1] == '\0');
    (void)sqfs_xattr_get(&w->fs, inode, names, value, 1);
    n = sqfs_xattr_get(&w->fs, inode, names, value, sizeof(value));
    claim(n <= (int)sizeof(value));
    (void)sqfs_xattr_get(&w->fs, inode, "user.no-such-name", value, sizeof(value));
}

static void ask(struct walk *w, uint64_t ref)
{
    char target[SQFS_SYMLINK_MAX + 1];
    struct sqfs_inode inode;

    if (sqfs_read_inode(&w->fs, ref, &inode) < 0)
        return;
    claim((inode.mode & S_IFMT) != 0 && inode.size <= INT64_MAX);
    if (sqfs_read_link(&w->fs, &inode, target) == 0)
        claim(strlen(target) == inode.size);
    ask_file(w, &inode);
    ask_dir(w, &inode);
    ask_xattrs(w, &inode);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct walk w;
    struct vitrine_error err = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    claim(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    if (sqfs_open(&w.fs, fd, 0, NULL, &err) == 0) {
        w.refs[0] = w.fs.super.root_inode;
        w.used = 1;
        for (size_t i = 0; i < w.used; i++)
            ask(&w, w.refs[i]);
        sqfs_close(&w.fs);
    } else {
        claim(err.code != VITRINE_OK && err.text[0] != '\0');
    }
    (void)close(fd);
    return 0;
}
