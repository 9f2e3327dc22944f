/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/remove.h"
#include "base/cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Deeper directories are moved up first, since each level holds a descriptor. */
#define DEPTH_MAX 24

struct remover {
    int top;
    dev_t dev;
    unsigned moved; /* directories, which get this number as their name */
    neg_errno first;
};

static void note(struct remover *r, neg_errno rc)
{
    if (rc < 0 && r->first == 0)
        r->first = rc;
}

static void empty(struct remover *r, int dir, int depth);

/* A process that is not dumpable, as tasks before their exec are, cannot use
 * /proc/self/fd. That a link is put in the place of the directory is no harm to anybody
 * but the owner, who alone could do it, and whose rights these are. */
static int make_open(int parent, const char *name, int path)
{
    char link[64];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
    if (chmod(link, 0700) == 0)
        return 0;
    return geteuid() != 0 ? fchmodat(parent, name, 0700, 0) : -1;
}

/* The mode may keep even the owner out. */
static int open_dir(int parent, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int dir = openat(parent, name, flags);

    if (dir >= 0 || errno != EACCES)
        return dir;
    cleanup_fd int path =
        openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (path < 0 || make_open(parent, name, path) < 0)
        return -1;
    return openat(parent, name, flags);
}

static neg_errno move_up(struct remover *r, int parent, const char *name)
{
    char number[32];

    for (;;) {
        (void)snprintf(number, sizeof(number), "moved.%u", r->moved++);
        if (renameat(parent, name, r->top, number) == 0)
            return 0;
        if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
            return -errno;
    }
}

static void remove_dir(struct remover *r, int parent, const char *name, int depth)
{
    struct stat st;

    if (depth == DEPTH_MAX) {
        note(r, move_up(r, parent, name));
        return;
    }
    cleanup_fd int dir = open_dir(parent, name);
    if (dir < 0 || fstat(dir, &st) < 0) {
        note(r, -errno);
        return;
    }
    if (st.st_dev != r->dev) {
        note(r, -EBUSY);
        return;
    }
    empty(r, dir, depth);
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0)
        note(r, -errno);
}

/* Without rights over a directory, its owner takes them. */
static void make_usable(int dir)
{
    struct stat st;

    if (fstat(dir, &st) == 0 && (st.st_mode & S_IRWXU) != S_IRWXU)
        (void)fchmod(dir, 0700);
}

static void empty(struct remover *r, int dir, int depth)
{
    make_usable(dir);
    cleanup_fd int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *stream = copy < 0 ? NULL : fdopendir(copy);

    if (!stream) {
        note(r, -errno);
        return;
    }
    (void)steal_fd(&copy);
    for (struct dirent *entry; (entry = readdir(stream));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(dir, entry->d_name, 0) == 0)
            continue;
        if (errno == EISDIR || errno == EPERM)
            remove_dir(r, dir, entry->d_name, depth + 1);
        else if (errno != ENOENT)
            note(r, -errno);
    }
}

neg_errno remove_content(int dir)
{
    struct remover r = {.top = dir};
    struct stat st;
    unsigned before;

    if (fstat(dir, &st) < 0)
        return -errno;
    r.dev = st.st_dev;
    /* Again as long as something was moved up meanwhile. */
    do {
        before = r.moved;
        r.first = 0;
        empty(&r, dir, 0);
    } while (r.moved != before);
    return r.first;
}
