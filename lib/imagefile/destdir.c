/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "imagefile/destdir.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/remove.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define SUFFIX ".vitrine-"
#define RANDOM "XXXXXX"
#define TRIES  100

/* "/proc/self/fd/1234/" and a name. */
#define PATH_SPACE (NAME_MAX + 40)

static int open_existing(struct destdir *dest, const char *path,
                         struct vitrine_error *err)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 && errno == ENOTDIR)
        return vitrine_fail(err, VITRINE_EUSAGE, "it is there, and no directory");
    if (fd < 0)
        return vitrine_fail_sys(err, VITRINE_EUSAGE, "it cannot be opened");
    if (fstat(fd, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_EUSAGE, "it cannot be examined");
    /* Somebody could exchange a file that root has just made for one of his own, to which
     * root would then give its owner and its capabilities. */
    if (geteuid() == 0 && (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH))))
        return vitrine_fail(err, VITRINE_EPOLICY,
                            "others than root can write to it; name a new one");
    if (!fd_is_empty_dir(fd))
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "it is not empty; name one that is, or a new one");
    if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
        return vitrine_fail_sys(err, VITRINE_EUSAGE, "nothing can be made in it");
    dest->fd = steal_fd(&fd);
    dest->in_place = true;
    return 0;
}

/* Whose lock it is, he lives; with the lock, it is this process' own to remove. */
static void remove_leftover(const struct destdir *dest, const char *name)
{
    struct stat st;
    cleanup_fd int fd =
        openat(dest->parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() ||
        flock(fd, LOCK_EX | LOCK_NB) < 0)
        return;
    (void)remove_content(fd);
    (void)unlinkat(dest->parent, name, AT_REMOVEDIR);
}

/* ".NAME.vitrine-", with as much of NAME as there is room for. */
static size_t make_prefix(const struct destdir *dest, char ret[NAME_MAX + 1])
{
    int room = (int)(NAME_MAX - strlen("." SUFFIX RANDOM));

    return (size_t)snprintf(ret, NAME_MAX + 1, ".%.*s" SUFFIX, room, dest->name);
}

static void remove_leftovers(const struct destdir *dest)
{
    char prefix[NAME_MAX + 1];
    size_t len = make_prefix(dest, prefix);
    cleanup_fd int copy = openat(dest->parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *stream = copy < 0 ? NULL : fdopendir(copy);

    if (!stream)
        return;
    (void)steal_fd(&copy);
    for (const struct dirent *entry; (entry = readdir(stream));)
        if (strncmp(entry->d_name, prefix, len) == 0 &&
            strlen(entry->d_name) == len + strlen(RANDOM))
            remove_leftover(dest, entry->d_name);
}

/* 1: another process took it for a leftover before it had its lock. */
static int make_temporary(struct destdir *dest, struct vitrine_error *err)
{
    char path[PATH_SPACE], prefix[NAME_MAX + 1];
    struct stat st;

    (void)make_prefix(dest, prefix);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s" RANDOM, dest->parent,
                   prefix);
    if (!mkdtemp(path))
        return vitrine_fail_sys(err, VITRINE_EUSAGE, "no directory can be made there");
    memcpy(dest->temporary, strrchr(path, '/') + 1, strlen(strrchr(path, '/')));
    cleanup_fd int fd = openat(dest->parent, dest->temporary,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "it cannot be opened");
    if (fd < 0 || (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) ||
        fstat(fd, &st) < 0 || st.st_nlink == 0)
        return 1;
    dest->fd = steal_fd(&fd);
    return 0;
}

static int open_new(struct destdir *dest, const char *path, struct vitrine_error *err)
{
    char parent[PATH_MAX];
    int rc = path_split(path, parent, dest->name);

    if (rc < 0)
        return error_from(err, VITRINE_EUSAGE, rc, "no directory can be made there");
    dest->parent = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Who may not list it may still make something in it. */
    if (dest->parent < 0 && errno == EACCES)
        dest->parent = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dest->parent < 0)
        return vitrine_fail_sys(err, VITRINE_EUSAGE, "its parent cannot be opened");
    remove_leftovers(dest);
    rc = 1;
    for (int i = 0; rc == 1 && i < TRIES; i++)
        rc = make_temporary(dest, err);
    if (rc == 0)
        return 0;
    (void)close(dest->parent);
    return rc < 0
               ? -1
               : vitrine_fail(err, VITRINE_EINTERNAL, "no directory can be made there");
}

int destdir_open(struct destdir *dest, const char *path, struct vitrine_error *err)
{
    struct stat st;

    *dest = (struct destdir){.fd = -1, .parent = -1};
    if (stat(path, &st) == 0)
        return open_existing(dest, path, err);
    if (lstat(path, &st) == 0)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "it is a symbolic link that leads "
                            "nowhere");
    if (errno != ENOENT)
        return vitrine_fail_sys(err, VITRINE_EUSAGE, "it cannot be examined");
    return open_new(dest, path, err);
}

int destdir_commit(struct destdir *dest, struct vitrine_error *err)
{
    int rc = 0;

    if (!dest->in_place) {
        rc = renameat2(dest->parent, dest->temporary, dest->parent, dest->name,
                       RENAME_NOREPLACE);
        /* A file system that cannot do this: then an empty directory is replaced. */
        if (rc < 0 && errno == EINVAL)
            rc = renameat(dest->parent, dest->temporary, dest->parent, dest->name);
    }
    if (rc < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "it cannot be given its name");
    dest->committed = true;
    return 0;
}

void destdir_close(struct destdir *dest)
{
    if (!dest->committed)
        (void)remove_content(dest->fd);
    if (!dest->committed && !dest->in_place)
        (void)unlinkat(dest->parent, dest->temporary, AT_REMOVEDIR);
    (void)close(dest->fd);
    if (dest->parent >= 0)
        (void)close(dest->parent);
}
