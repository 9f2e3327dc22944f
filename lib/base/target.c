/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user. */
#include "base/target.h"
#include "base/cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define TRIES 100

/* ".NAME.vitrine-" and as many letters. */
#define SUFFIX "vitrine-"
#define RANDOM 6

/* Owner of files whose owner this user namespace does not know. */
#define UNMAPPED 65534U

static neg_errno make_name(struct target *target)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    unsigned char bytes[RANDOM];
    char text[RANDOM + 1] = "";
    int room = (int)(sizeof(target->temporary) - sizeof(".." SUFFIX) - RANDOM);

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return -EIO;
    for (size_t i = 0; i < RANDOM; i++)
        text[i] = letters[bytes[i] % (sizeof(letters) - 1)];
    (void)snprintf(target->temporary, sizeof(target->temporary), ".%.*s." SUFFIX "%s",
                   room, target->name, text);
    return 0;
}

/* A file with a name that nobody has yet. */
static neg_errno open_named(struct target *target)
{
    for (int i = 0; i < TRIES; i++) {
        int rc = make_name(target);

        if (rc < 0)
            return rc;
        target->fd = openat(target->directory, target->temporary,
                            O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (target->fd >= 0)
            return 0;
        target->temporary[0] = '\0';
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

static neg_errno open_nameless(struct target *target)
{
    target->fd = openat(target->directory, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0666);
    return target->fd < 0 ? -errno : 0;
}

/* What kernels and servers say that know no O_TMPFILE. */
static bool is_unsupported(neg_errno rc)
{
    return rc == -EOPNOTSUPP || rc == -EISDIR || rc == -ENOENT || rc == -EINVAL;
}

static void discard(struct target *target)
{
    if (target->temporary[0])
        (void)unlinkat(target->directory, target->temporary, 0);
    target->temporary[0] = '\0';
}

/* In a directory like /tmp only its owner may replace a file. */
static bool may_replace(const struct stat *dir, const struct stat *old)
{
    if (!(dir->st_mode & S_ISVTX) || old->st_uid == geteuid() || dir->st_uid == geteuid())
        return true;
    return geteuid() == 0 && old->st_uid != UNMAPPED;
}

static int check_old(struct target *target, struct vitrine_error *err)
{
    struct stat st, dir;

    if (fstat(target->directory, &dir) < 0)
        return vitrine_fail_sys(err, VITRINE_EUSAGE, "its directory cannot be examined");
    if (fstatat(target->directory, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT
                   ? 0
                   : vitrine_fail_sys(err, VITRINE_EUSAGE, "it cannot be examined");
    if (S_ISDIR(st.st_mode))
        return vitrine_fail(err, VITRINE_EUSAGE, "it is a directory");
    if (S_ISLNK(st.st_mode))
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "it is a symbolic link; name the file that it leads to, or "
                            "remove it");
    if (!S_ISREG(st.st_mode))
        return vitrine_fail(err, VITRINE_EUSAGE, "it is there, and no regular file");
    if (!may_replace(&dir, &st))
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "it is somebody else's, in a directory where only its owner "
                            "may replace it");
    target->replaces = true;
    target->mode = st.st_mode & 0777;
    return 0;
}

int target_check(struct target *target, int directory, const char *name,
                 struct vitrine_error *err)
{
    int rc;

    *target = (struct target){.directory = directory, .name = name, .fd = -1};
    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0 || strlen(name) > NAME_MAX)
        return vitrine_fail(err, VITRINE_EUSAGE, "no file can have that name");
    if (check_old(target, err) < 0)
        return -1;
    rc = open_nameless(target);
    if (is_unsupported(rc)) {
        rc = open_named(target);
        discard(target);
        if (rc == 0)
            (void)close(target->fd);
        target->fd = -1;
    }
    return rc < 0 ? error_from(err, VITRINE_EUSAGE, rc,
                               "no file can be made in its directory")
                  : 0;
}

int target_open(struct target *target, struct vitrine_error *err)
{
    int rc = target->fd < 0 ? open_named(target) : 0;

    if (rc == 0 && target->replaces && fchmod(target->fd, target->mode) < 0)
        rc = -errno;
    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "no file can be made") : 0;
}

static neg_errno give_name(const struct target *target, const char *name)
{
    char self[40];

    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", target->fd);
    return linkat(AT_FDCWD, self, target->directory, name, AT_SYMLINK_FOLLOW) < 0 ? -errno
                                                                                  : 0;
}

/* A file of that name wins. In one step where the file system can do that; otherwise who
 * is killed between two leaves a second name, which is no more than that. */
static neg_errno yield(struct target *target)
{
    int dir = target->directory, rc = 0;

    if (renameat2(dir, target->temporary, dir, target->name, RENAME_NOREPLACE) == 0) {
        target->temporary[0] = '\0';
        return 0;
    }
    if (errno != EEXIST && linkat(dir, target->temporary, dir, target->name, 0) < 0)
        rc = -errno;
    if (rc == 0 || rc == -EEXIST) {
        discard(target);
        return 0;
    }
    return rc;
}

/* A link cannot replace, so a nameless file gets another name first if there is an old
 * one. */
static neg_errno place(struct target *target)
{
    int rc = -EEXIST;

    /* Where there are no links, renaming will do. */
    if (target->yields && target->temporary[0] && yield(target) == 0)
        return 0;
    if (!target->temporary[0]) {
        rc = give_name(target, target->name);
        if (rc == -EEXIST && target->yields)
            return 0;
        for (int i = 0; rc == -EEXIST && i < TRIES; i++) {
            rc = make_name(target);
            if (rc == 0)
                rc = give_name(target, target->temporary);
            if (rc < 0)
                target->temporary[0] = '\0';
        }
        if (rc < 0 || !target->temporary[0])
            return rc;
    }
    if (renameat(target->directory, target->temporary, target->directory, target->name) <
        0) {
        rc = -errno;
        discard(target);
        return rc;
    }
    target->temporary[0] = '\0';
    return 0;
}

int target_commit(struct target *target, struct vitrine_error *err)
{
    struct target now = *target;
    int rc = !target->unsynced && fdatasync(target->fd) < 0 ? -errno : 0;

    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "it cannot be put on the disk");
    /* Much may have happened since then. */
    if (check_old(&now, err) < 0)
        return -1;
    rc = place(target);
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "it cannot be given its name");
    /* From here on it is there; a file system that cannot do this has other ways. */
    if (!target->unsynced)
        (void)fsync(target->directory);
    return 0;
}

void target_abandon(const struct target *target)
{
    if (target->temporary[0])
        (void)unlinkat(target->directory, target->temporary, 0);
}

bool target_is_temporary(const char *entry, const char *name)
{
    size_t size = strlen(entry), tail = sizeof("." SUFFIX) - 1 + RANDOM;

    if (entry[0] != '.' || size <= tail + 1 ||
        strncmp(entry + size - tail, "." SUFFIX, sizeof("." SUFFIX) - 1) != 0)
        return false;
    return !name || (strlen(name) == size - tail - 1 &&
                     strncmp(entry + 1, name, size - tail - 1) == 0);
}

void target_close(struct target *target)
{
    discard(target);
    if (target->fd >= 0)
        (void)close(target->fd);
    target->fd = -1;
}
