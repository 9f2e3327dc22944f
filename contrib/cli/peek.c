/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "peek.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/remove.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Where we are: the root, and what was entered from there. */
struct way {
    struct sqfs *fs;
    struct sqfs_inode dirs[PATH_MAX / 2];
    size_t depth;
    unsigned links;
};

static neg_errno enter_root(struct way *way)
{
    way->depth = 0;
    return sqfs_read_inode(way->fs, way->fs->super.root_inode, &way->dirs[0]);
}

static neg_errno follow(struct way *way, const char *path, struct sqfs_inode *ret);

/* One component of a path; *is_last: nothing but slashes comes behind it. */
static neg_errno step(struct way *way, const char *name, struct sqfs_inode *ret)
{
    char target[SQFS_SYMLINK_MAX + 1];
    struct sqfs_entry entry;
    int rc;

    *ret = way->dirs[way->depth];
    if (strcmp(name, ".") == 0)
        return 0;
    if (strcmp(name, "..") == 0) {
        way->depth -= way->depth > 0;
        *ret = way->dirs[way->depth];
        return 0;
    }
    rc = sqfs_dir_find(way->fs, &way->dirs[way->depth], name, &entry);
    if (rc == 0)
        rc = sqfs_read_inode(way->fs, entry.ref, ret);
    if (rc < 0)
        return rc;
    if (S_ISLNK(ret->mode)) {
        if (++way->links > LIMIT_SYMLINKS)
            return -ELOOP;
        rc = sqfs_read_link(way->fs, ret, target);
        return rc < 0 ? rc : follow(way, target, ret);
    }
    if (!S_ISDIR(ret->mode))
        return 0;
    if (way->depth + 1 == sizeof(way->dirs) / sizeof(*way->dirs))
        return -ENAMETOOLONG;
    way->dirs[++way->depth] = *ret;
    return 0;
}

static neg_errno follow(struct way *way, const char *path, struct sqfs_inode *ret)
{
    char name[NAME_MAX + 1];
    int rc = path[0] == '/' ? enter_root(way) : 0;

    *ret = way->dirs[way->depth];
    while (rc == 0 && *(path += strspn(path, "/"))) {
        size_t len = strcspn(path, "/");

        if (!S_ISDIR(ret->mode))
            return -ENOTDIR;
        if (len > NAME_MAX)
            return -ENAMETOOLONG;
        memcpy(name, path, len);
        name[len] = '\0';
        path += len;
        rc = step(way, name, ret);
    }
    return rc;
}

static neg_errno find(struct sqfs *fs, const char *path, struct sqfs_inode *ret)
{
    cleanup_free struct way *way = calloc(1, sizeof(*way));

    if (!way)
        return -ENOMEM;
    way->fs = fs;
    return follow(way, path, ret);
}

neg_errno peek_read(struct sqfs *fs, const char *path, size_t max, char **ret,
                    mode_t *ret_mode)
{
    struct sqfs_inode inode;
    cleanup_free char *data = NULL;
    int rc = find(fs, path, &inode);

    if (rc < 0)
        return rc;
    if (!S_ISREG(inode.mode))
        return -EINVAL;
    size_t size = inode.size < max ? (size_t)inode.size : max;
    data = malloc(size + 1);
    if (!data)
        return -ENOMEM;
    rc = sqfs_file_read(fs, &inode, 0, (uint8_t *)data, size);
    if (rc < 0)
        return rc;
    data[rc] = '\0';
    *ret = steal_ptr(&data);
    if (ret_mode)
        *ret_mode = inode.mode;
    return rc;
}

/* What is copied, and where to. */
struct copy {
    struct sqfs *fs;
    int top;
    unsigned scripts;
    int error;
};

/* Copies a file if there is one; only to have none of our own disk is a failure. */
static neg_errno copy_file(struct copy *copy, const char *path)
{
    char dir[PATH_MAX];
    cleanup_free char *data = NULL;
    mode_t mode;
    /* One byte more: a file that is too large must be seen to be. */
    int n = peek_read(copy->fs, path, LIMIT_META_FILE + 1, &data, &mode);

    if (n < 0)
        return n == -ENOMEM ? n : 0;
    for (const char *p = path + 1; (p = strchr(p, '/')); p++) {
        (void)snprintf(dir, sizeof(dir), "%.*s", (int)(p - path - 1), path + 1);
        if (mkdirat(copy->top, dir, 0700) < 0 && errno != EEXIST)
            return -errno;
    }
    cleanup_fd int fd =
        openat(copy->top, path + 1, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
               0600 | (mode & 0100));
    return fd < 0 ? -errno : fd_write_full(fd, data, (size_t)n);
}

static bool copy_script(void *arg, const struct sqfs_entry *entry)
{
    struct copy *copy = arg;
    char path[NAME_MAX + 32];

    (void)snprintf(path, sizeof(path), "/.singularity.d/env/%s", entry->name);
    copy->error = copy_file(copy, path);
    /* Some of them are not read, hence a few more. */
    return copy->error == 0 && ++copy->scripts < 2 * LIMIT_META_SCRIPTS;
}

neg_errno peek_copy_meta(struct sqfs *fs, char ret_path[PEEK_PATH])
{
    static const char *const files[] = {
        "/.vitrine/config",          "/etc/rc",         "/etc/fstab", "/etc/environment",
        "/.singularity.d/runscript", "/ch/environment",
    };
    const char *tmp = getenv("TMPDIR");
    struct copy copy = {.fs = fs};
    struct sqfs_inode dir;
    int rc = 0;

    (void)snprintf(ret_path, PEEK_PATH, "%s/vitrine-XXXXXX",
                   tmp && tmp[0] == '/' ? tmp : "/tmp");
    if (!mkdtemp(ret_path))
        return -errno;
    copy.top = open(ret_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy.top < 0)
        rc = -errno;
    for (size_t i = 0; rc == 0 && i < sizeof(files) / sizeof(*files); i++)
        rc = copy_file(&copy, files[i]);
    /* The directory may be damaged: what was read of it counts. */
    if (rc == 0 && find(fs, "/.singularity.d/env", &dir) == 0)
        (void)sqfs_dir_read(fs, &dir, 0, copy_script, &copy);
    if (rc == 0)
        rc = copy.error;
    if (rc == 0)
        return copy.top;
    if (copy.top >= 0) {
        (void)remove_content(copy.top);
        (void)close(copy.top);
    }
    (void)rmdir(ret_path);
    return rc;
}
