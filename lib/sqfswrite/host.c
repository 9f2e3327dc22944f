/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What directories of the host contribute. Runs as the user. His other processes may
 * change them meanwhile.
 */
#include "base/cleanup.h"
#include "sqfswrite/host.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <sqfs/error.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define OVERLAY "user.overlay."

/* "/proc/self/fd/1234/" and a name. */
#define PATH_SPACE (NAME_MAX + 40)

neg_errno host_open(struct host *host, struct output *output)
{
    struct stat st;

    *host = (struct host){.output = output};
    host->names = malloc(XATTR_LIST_MAX);
    host->value = malloc(XATTR_SIZE_MAX);
    if (fstat(output->file.fd, &st) == 0) {
        host->own_dev = st.st_dev;
        host->own_ino = st.st_ino;
    }
    return host->names && host->value ? 0 : -ENOMEM;
}

void host_close(struct host *host)
{
    tree_packed_free(host->packed);
    arena_free(&host->arena);
    map_free(&host->seen);
    free(host->names);
    free(host->value);
}

bool host_is_mounted(int fd)
{
    struct statx stx;

    return statx(fd, "", AT_EMPTY_PATH, 0, &stx) == 0 &&
           (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

struct source {
    int fd;
    const char *path; /* or NULL */
};

static ssize_t get(const struct source *s, const char *name, char *value)
{
    return s->path ? lgetxattr(s->path, name, value, XATTR_SIZE_MAX)
                   : fgetxattr(s->fd, name, value, XATTR_SIZE_MAX);
}

static void read_mark(const struct source *s, const char *name, char *value,
                      struct marks *marks)
{
    if (strcmp(name, OVERLAY "redirect") == 0 || strcmp(name, OVERLAY "metacopy") == 0)
        marks->foreign = true;
    if (strcmp(name, OVERLAY "opaque") == 0 && get(s, name, value) == 1) {
        marks->opaque = value[0] == 'y';
        marks->xwhiteouts = value[0] == 'x';
    }
}

/* The least name behind `last`, so that their order is always the same. */
static const char *next_name(const char *names, size_t size, const char *last)
{
    const char *best = NULL;

    for (const char *name = names; name < names + size; name += strlen(name) + 1)
        if ((!last || strcmp(name, last) > 0) && (!best || strcmp(name, best) < 0))
            best = name;
    return best;
}

static int copy_xattrs(struct host *host, const struct source *s, size_t size,
                       uint32_t *ret, struct vitrine_error *err)
{
    sqfs_xattr_writer_t *writer = host->output->xattrs;
    int rc = sqfs_xattr_writer_begin(writer, 0);

    for (const char *name = NULL;
         rc == 0 && (name = next_name(host->names, size, name));) {
        if (!output_has_xattr(name))
            continue;
        ssize_t n = get(s, name, host->value);
        /* Listed, but gone, or not for this user; EOVERFLOW: file capabilities that count
         * in another user namespace. */
        if (n < 0 && (errno == ENODATA || errno == EPERM || errno == EACCES ||
                      errno == ENOENT || errno == EOPNOTSUPP || errno == EOVERFLOW))
            continue;
        if (n < 0)
            return vitrine_fail_sys(err, VITRINE_EINTERNAL,
                                    "its attribute %s cannot be read", name);
        rc = sqfs_xattr_writer_add(writer, name, host->value, (size_t)n);
    }
    if (rc == 0)
        rc = sqfs_xattr_writer_end(writer, ret);
    return rc == 0 ? 0 : output_fail(host->output, rc, err);
}

int host_xattrs(struct host *host, int fd, const char *path, struct tree_node *node,
                struct marks *ret_marks, struct vitrine_error *err)
{
    const struct source s = {.fd = fd, .path = path};
    struct marks marks = {0};
    ssize_t n = path ? llistxattr(path, host->names, XATTR_LIST_MAX)
                     : flistxattr(fd, host->names, XATTR_LIST_MAX);

    if (n < 0 && errno != EOPNOTSUPP && errno != ENOENT)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "its attributes cannot be read");
    if (n <= 0)
        n = 0;
    for (const char *name = host->names; ret_marks && name < host->names + n;
         name += strlen(name) + 1)
        read_mark(&s, name, host->value, &marks);
    if (marks.foreign)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "the writable layer is of an overlay with redirect_dir or "
                            "metacopy, which cannot be saved");
    if (ret_marks)
        *ret_marks = marks;
    return n > 0 ? copy_xattrs(host, &s, (size_t)n, &node->xattr, err) : 0;
}

struct tree_node *host_node(struct host *host, const struct stat *st)
{
    struct tree_node *node = arena_take(&host->arena, sizeof(*node));

    if (!node)
        return NULL;
    node->mode = st->st_mode;
    node->uid = host->root_owned ? 0 : st->st_uid;
    node->gid = host->root_owned ? 0 : st->st_gid;
    node->xattr = TREE_NO_XATTR;
    if (st->st_mtime > 0)
        node->mtime = st->st_mtime < UINT32_MAX ? (uint32_t)st->st_mtime : UINT32_MAX;
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
        node->rdev = tree_device(major(st->st_rdev), minor(st->st_rdev));
    if (node->mtime > host->newest)
        host->newest = node->mtime;
    return node;
}

/* What has vanished (1), but for who cannot have it. */
static int vanished(const struct host *host, struct vitrine_error *err)
{
    return host->is_strict ? vitrine_fail(err, VITRINE_EINTERNAL,
                                          "it was removed while it was being packed")
                           : 1;
}

static int unreadable(struct vitrine_error *err)
{
    return vitrine_fail_sys(
        err, errno == EACCES || errno == EPERM ? VITRINE_EPERM : VITRINE_EINTERNAL,
        "it cannot be read");
}

static int check_unchanged(const struct host *host, int fd, const struct stat *before,
                           struct vitrine_error *err)
{
    struct stat st;

    if (!host->is_strict)
        return 0;
    if (fstat(fd, &st) < 0)
        return unreadable(err);
    if (st.st_size == before->st_size && st.st_mtim.tv_sec == before->st_mtim.tv_sec &&
        st.st_mtim.tv_nsec == before->st_mtim.tv_nsec)
        return 0;
    return vitrine_fail(err, VITRINE_EINTERNAL,
                        "it was changed while it was being packed");
}

/* 1: it has vanished. A file that lies on another device is something mounted there, and
 * stays empty. */
static int read_file(struct host *host, struct tree_node *node, int dir, dev_t dev,
                     const char *name, bool is_upper, struct vitrine_error *err)
{
    cleanup_fd int fd =
        openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct tree_packed *packed = arena_take(&host->arena, sizeof(*packed));
    struct marks marks;
    struct stat st;

    if (!packed)
        return output_fail(host->output, SQFS_ERROR_ALLOC, err);
    node->file.packed = packed;
    packed->next = host->packed;
    host->packed = packed;
    if (fd < 0 && errno == ENOENT)
        return vanished(host, err);
    if (fd < 0 || fstat(fd, &st) < 0)
        return unreadable(err);
    if (!S_ISREG(st.st_mode))
        return vitrine_fail(err, VITRINE_EINTERNAL,
                            "it was replaced while it was being saved");
    if (st.st_dev != dev)
        return 0;
    if (host_xattrs(host, fd, NULL, node, is_upper ? &marks : NULL, err) < 0)
        return -1;
    if (st.st_size > 0 &&
        output_pack(host->output, fd, (uint64_t)st.st_size, packed, err) < 0)
        return -1;
    return check_unchanged(host, fd, &st, err);
}

static int read_link(struct host *host, struct tree_node *node, int dir, const char *name,
                     struct vitrine_error *err)
{
    ssize_t n = readlinkat(dir, name, host->value, PATH_MAX);

    if (n < 0 && errno == ENOENT)
        return vanished(host, err);
    if (n < 0)
        return unreadable(err);
    if (n == 0 || n >= PATH_MAX)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED, "its target is too long");
    host->value[n] = '\0';
    node->target = arena_text(&host->arena, host->value);
    return node->target ? 0 : output_fail(host->output, SQFS_ERROR_ALLOC, err);
}

static int fill(struct host *host, struct tree_node *node, int dir, dev_t dev,
                const char *name, bool is_upper, struct vitrine_error *err)
{
    char path[PATH_SPACE];
    int rc = 0;

    if (S_ISREG(node->mode))
        return read_file(host, node, dir, dev, name, is_upper, err);
    if (S_ISLNK(node->mode))
        rc = read_link(host, node, dir, name, err);
    if (rc != 0)
        return rc;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
    return host_xattrs(host, -1, path, node, NULL, err);
}

int host_add(struct host *host, struct tree_node *parent, int dir, dev_t dev,
             const char *name, const struct stat *st, bool is_upper,
             struct vitrine_error *err)
{
    struct tree_node *node;
    union map_value known;
    int rc = 0;

    if (st->st_nlink > 1 && map_find(&host->seen, st->st_dev, st->st_ino, &known)) {
        node = known.node;
    } else {
        node = host_node(host, st);
        if (!node)
            return output_fail(host->output, SQFS_ERROR_ALLOC, err);
        rc = fill(host, node, dir, dev, name, is_upper, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        if (st->st_nlink > 1)
            rc = map_add(&host->seen, st->st_dev, st->st_ino,
                         (union map_value){.node = node});
    }
    if (rc == 0)
        rc = tree_add(&host->arena, parent, name, node);
    return rc < 0 ? output_fail(host->output, SQFS_ERROR_ALLOC, err) : 0;
}
