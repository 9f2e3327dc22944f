/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a file is besides its content. An ordinary user can give it no owner but himself,
 * and some attributes not at all; that is counted, and no failure.
 */
#include "imagefile/extract.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* "/proc/self/fd/1234/" and a name. */
#define PATH_SPACE (NAME_MAX + 40)

struct file {
    struct extract *x;
    int fd; /* or -1 */
    int dir;
    const char *name;
    uint64_t lost;
};

static int give_owner(const struct file *f, uid_t uid, gid_t gid)
{
    return f->fd >= 0 ? fchown(f->fd, uid, gid)
                      : fchownat(f->dir, f->name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

/* EINVAL: a user namespace that does not know the id. */
static int set_owner(const struct file *f, const struct sqfs_inode *inode,
                     struct vitrine_error *err)
{
    if (give_owner(f, inode->uid, inode->gid) == 0)
        return 0;
    if (errno != EPERM && errno != EINVAL)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "its owner cannot be set");
    atomic_fetch_add(&f->x->lost.owners, 1);
    /* A group of his is better than none. */
    (void)give_owner(f, (uid_t)-1, inode->gid);
    return 0;
}

/* Some file systems say "no space" of attributes that are too large for them. */
static bool is_full(int fd)
{
    struct statvfs st;

    return fstatvfs(fd, &st) == 0 && (st.f_bavail == 0 || (st.f_files && !st.f_favail));
}

static neg_errno set_xattr(void *arg, const char *name, const void *value, size_t size)
{
    struct file *f = arg;
    char path[PATH_SPACE];
    int rc;

    if (f->fd >= 0) {
        rc = fsetxattr(f->fd, name, value, size, 0);
    } else {
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", f->dir, f->name);
        rc = lsetxattr(path, name, value, size, 0);
    }
    if (rc == 0)
        return 0;
    switch (errno) {
    case ENOSPC:
        if (is_full(f->fd >= 0 ? f->fd : f->dir))
            return -ENOSPC;
        break;
    case EPERM:
    case EACCES:
    case EOPNOTSUPP:
    case E2BIG:
    case ERANGE:
    case EINVAL: /* of security.capability, when it is none */
        break;
    default:
        return -errno;
    }
    f->lost++;
    return 0;
}

static int set_xattrs(struct file *f, const struct sqfs_inode *inode,
                      struct vitrine_error *err)
{
    if (inode->xattr == SQFS_NONE)
        return 0;
    int rc = sqfs_xattr_each(f->x->fs, inode, set_xattr, f);
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "its attributes cannot be set");
    if (f->lost > 0)
        atomic_fetch_add(&f->x->lost.xattrs, 1);
    return 0;
}

#define SET_BITS ((mode_t)(S_ISUID | S_ISGID))

mode_t extract_mode(struct extract *x, const struct stat *st,
                    const struct sqfs_inode *inode)
{
    mode_t mode = inode->mode & 07777;

    /* Whoever runs a program that is set-user-ID would have the rights of who unpacked
     * it, and not of the owner that the image means. */
    if (st->st_uid != inode->uid)
        mode &= ~(mode_t)S_ISUID;
    if (st->st_gid != inode->gid)
        mode &= ~(mode_t)S_ISGID;
    if (mode != (inode->mode & 07777))
        atomic_fetch_add(&x->lost.bits, 1);
    return mode;
}

/* Of what cannot be opened. In a directory of many, something else may be there by now,
 * and chmod(2) would follow a link. */
static int change_mode(const struct file *f, mode_t type, mode_t mode)
{
    char path[PATH_SPACE];
    struct stat st;
    cleanup_fd int fd = openat(f->dir, f->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    if ((st.st_mode & S_IFMT) != type || st.st_nlink > 1) {
        errno = ESTALE;
        return -1;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return chmod(path, mode);
}

static int set_mode(const struct file *f, const struct sqfs_inode *inode,
                    struct vitrine_error *err)
{
    mode_t mode = inode->mode & 07777;
    struct stat st;
    int rc = 0;

    if (mode & SET_BITS) {
        rc = f->fd >= 0 ? fstat(f->fd, &st)
                        : fstatat(f->dir, f->name, &st, AT_SYMLINK_NOFOLLOW);
        if (rc == 0)
            mode = extract_mode(f->x, &st, inode);
    }
    if (rc == 0)
        rc =
            f->fd >= 0 ? fchmod(f->fd, mode) : change_mode(f, inode->mode & S_IFMT, mode);
    return rc == 0 ? 0
                   : vitrine_fail_sys(err, VITRINE_EINTERNAL, "its mode cannot be set");
}

static int set_times(const struct file *f, const struct sqfs_inode *inode,
                     struct vitrine_error *err)
{
    const struct timespec times[2] = {{.tv_sec = inode->mtime}, {.tv_sec = inode->mtime}};
    int rc = f->fd >= 0 ? futimens(f->fd, times)
                        : utimensat(f->dir, f->name, times, AT_SYMLINK_NOFOLLOW);

    return rc == 0 ? 0
                   : vitrine_fail_sys(err, VITRINE_EINTERNAL, "its time cannot be set");
}

int extract_attrs(struct extract *x, int fd, int dir, const char *name,
                  const struct sqfs_inode *inode, bool late, struct vitrine_error *err)
{
    struct file f = {.x = x, .fd = fd, .dir = dir, .name = name};

    /* In this order, as a new owner takes capabilities and set-user-ID bits away. */
    if (set_owner(&f, inode, err) < 0 || set_xattrs(&f, inode, err) < 0)
        return -1;
    if (!late && !S_ISLNK(inode->mode) && set_mode(&f, inode, err) < 0)
        return -1;
    return set_times(&f, inode, err);
}

void extract_tell_lost(const struct extract *x)
{
    const struct {
        unsigned long long n;
        const char *what;
    } kinds[] = {
        {x->lost.owners, "owners"},
        {x->lost.bits, "set-ID bits"},
        {x->lost.xattrs, "attributes"},
        {x->lost.devices, "device nodes"},
    };
    char text[512] = "";
    size_t at = 0;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (kinds[i].n > 0)
            at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s (%llu)",
                                   at > 0 ? ", " : "", kinds[i].what, kinds[i].n);
    if (at > 0)
        watch_remark(x->watch, "this user may not make all as it is in the image: %s",
                     text);
}
