/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as whom the cache belongs to. Opens it, finds images and puts new ones there. */
#include "store/store.h"
#include "base/cleanup.h"
#include "base/target.h"
#include "store/private.h"

#include <fcntl.h>
#include <string.h>

/* Entries of the cache; -1 until they are open. */
#define STORE_NONE                                                                       \
    (struct store)                                                                       \
    {                                                                                    \
        .dir = -1, .images = -1, .locks = -1, .records = -1, .leases = -1, .grants = -1  \
    }

struct store_file {
    struct target target;
    const struct store *store;
    char key[STORE_NAME_MAX];
    char name[STORE_NAME_MAX];
};

/* Makes `path` and what is missing above it. */
static int make_path(const char *path, struct vitrine_error *err)
{
    char part[PATH_MAX];

    for (const char *p = path + 1;; p++) {
        if (*p && *p != '/')
            continue;
        memcpy(part, path, (size_t)(p - path));
        part[p - path] = '\0';
        /* On a file system that is not written to, what is there is not EEXIST. */
        if (mkdir(part, 0700) < 0 && errno != EEXIST && access(part, F_OK) < 0)
            return vitrine_fail_sys(err, VITRINE_EINTERNAL,
                                    "cannot make %s, a directory of the cache of images",
                                    part);
        if (!*p)
            return 0;
    }
}

static int check_directory(int fd, const char *path, const char *name,
                           struct vitrine_error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot examine %s/%s", path,
                                name);
    if (st.st_uid != geteuid())
        return vitrine_fail(err, VITRINE_EPOLICY,
                            "%s/%s belongs to user id %u and not to %u, so images in it "
                            "could be somebody else's: have the cache (CacheDir in "
                            "vitrine.conf) in a directory of your own",
                            path, name, (unsigned)st.st_uid, (unsigned)geteuid());
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return vitrine_fail(err, VITRINE_EPOLICY,
                            "%s/%s can be written by others (mode %04o), who could "
                            "exchange the images in it: remove it, or take their right "
                            "away with \"chmod go-w\" if you trust its images",
                            path, name, (unsigned)st.st_mode & 07777);
    return 0;
}

static int open_directory(struct store *store, const char *name, int *ret,
                          struct vitrine_error *err)
{
    if (mkdirat(store->dir, name, 0700) < 0 && errno != EEXIST && errno != EROFS)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot make %s/%s", store->path,
                                name);
    *ret = openat(store->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*ret < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot open %s/%s", store->path,
                                name);
    return check_directory(*ret, store->path, name, err);
}

int store_open(const char *path, uint64_t limit, bool is_shared, struct store *ret,
               struct vitrine_error *err)
{
    *ret = STORE_NONE;
    ret->limit = limit;
    ret->is_shared = is_shared;
    if (path[0] != '/' || strlen(path) >= sizeof(ret->path) - STORE_NAME_MAX)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "the cache of images cannot be in \"%.200s\", which is no "
                            "usable absolute path",
                            path);
    (void)snprintf(ret->path, sizeof(ret->path), "%s", path);
    if (make_path(path, err) < 0)
        return -1;
    ret->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ret->dir < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL,
                                "cannot open %s, where the cache of images is", path);
    if (check_directory(ret->dir, path, "", err) < 0 ||
        open_directory(ret, "images", &ret->images, err) < 0 ||
        open_directory(ret, "locks", &ret->locks, err) < 0 ||
        open_directory(ret, "records", &ret->records, err) < 0 ||
        open_directory(ret, "leases", &ret->leases, err) < 0)
        return -1;
    return is_shared ? open_directory(ret, "grants", &ret->grants, err) : 0;
}

void store_close(struct store *store)
{
    const int fds[] = {store->dir,     store->images, store->locks,
                       store->records, store->leases, store->grants};

    for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    *store = STORE_NONE;
}

/* To open a directory has an NFS client ask whether its entries have changed; otherwise
 * that a name is not there is believed for up to a minute. */
void store_refresh(struct store *store)
{
    static const char *const names[] = {"images", "locks", "records"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        cleanup_fd int fd =
            openat(store->dir, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
}

void store_name(const char *key, char ret[STORE_NAME_MAX])
{
    (void)snprintf(ret, STORE_NAME_MAX, "sha256-%.64s.sqfs", key + strlen("sha256:"));
}

int store_lease_name(const char *key, const char *who, char ret[NAME_MAX + 1],
                     struct vitrine_error *err)
{
    size_t n = strspn(who, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                           "0123456789-._+");

    if (n == 0 || who[n] || n > 150)
        return vitrine_fail(err, VITRINE_EINTERNAL, "\"%.200s\" cannot have a lease",
                            who);
    (void)snprintf(ret, NAME_MAX + 1, "sha256-%.64s.%s", key + strlen("sha256:"), who);
    return 0;
}

/* Gives an empty file the time, made if it is missing. `when` NULL: now, by the clock of
 * the file system. */
neg_errno store_stamp(int dir, const char *name, const struct timespec *when)
{
    const struct timespec times[2] = {when ? *when : (struct timespec){0},
                                      when ? *when : (struct timespec){0}};

    if (utimensat(dir, name, when ? times : NULL, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    if (errno != ENOENT)
        return -errno;
    cleanup_fd int fd =
        openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 || futimens(fd, when ? times : NULL) < 0 ? -errno : 0;
}

/* A cache that cannot be written to, or is full, can be used all the same. */
static void stamp_used(const struct store *store, const char *key)
{
    char name[NAME_MAX + 1];

    if (store_lease_name(key, STORE_USED, name, NULL) == 0)
        (void)store_stamp(store->leases, name, NULL);
}

int store_find(const struct store *store, const char *key, int *ret_fd, bool *ret_found,
               struct vitrine_error *err)
{
    char name[STORE_NAME_MAX];
    struct stat st;

    store_name(key, name);
    /* Before it is opened: see remove_image() in collect.c. */
    if (fstatat(store->images, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        stamp_used(store, key);
    cleanup_fd int fd =
        openat(store->images, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        *ret_found = false;
        return 0;
    }
    if (fd < 0 || fstat(fd, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot open %s/images/%s",
                                store->path, name);
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return vitrine_fail(
            err, VITRINE_EPOLICY,
            "%s/images/%s is no image that this cache has made: remove it", store->path,
            name);
    if (ret_fd)
        *ret_fd = steal_fd(&fd);
    *ret_found = true;
    return 0;
}

int store_create(const struct store *store, const char *key, struct store_file **ret,
                 int *ret_fd, struct vitrine_error *err)
{
    cleanup_free struct store_file *file = calloc(1, sizeof(*file));

    if (!file)
        return error_from(err, VITRINE_EINTERNAL, -ENOMEM, "no image can be begun");
    file->store = store;
    (void)snprintf(file->key, sizeof(file->key), "%s", key);
    store_name(key, file->name);
    if (target_check(&file->target, store->images, file->name, err) < 0 ||
        target_open(&file->target, err) < 0) {
        target_close(&file->target);
        return vitrine_wrap(err, "cannot begin %s/images/%s", store->path, file->name);
    }
    file->target.yields = true;
    *ret_fd = file->target.fd;
    *ret = steal_ptr(&file);
    return 0;
}

int store_commit(struct store_file *file, struct vitrine_error *err)
{
    int rc =
        fchmod(file->target.fd, file->store->is_shared ? 0400 : 0444) < 0 ? -errno : 0;

    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot change the mode of %s",
                          file->name);
    if (target_commit(&file->target, err) < 0)
        return vitrine_wrap(err, "cannot finish %s/images/%s", file->store->path,
                            file->name);
    stamp_used(file->store, file->key);
    return 0;
}

void store_discard(struct store_file *file)
{
    if (!file)
        return;
    target_close(&file->target);
    free(file);
}

void store_abandon(const struct store_file *file)
{
    target_abandon(&file->target);
}

void store_sweep(const struct store *store, const char *key)
{
    cleanup_dir DIR *dir = store_list(store->images);
    char name[STORE_NAME_MAX];
    const struct dirent *entry;

    store_name(key, name);
    while (dir && (entry = readdir(dir)))
        if (target_is_temporary(entry->d_name, name))
            (void)unlinkat(store->images, entry->d_name, 0);
}

/* Another position than the descriptor's own. */
DIR *store_list(int fd)
{
    cleanup_fd int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);

    if (dir)
        (void)steal_fd(&copy);
    return dir;
}

int store_lease(const struct store *store, const char *key, const char *who, time_t until,
                struct vitrine_error *err)
{
    const struct timespec when = {.tv_sec = until};
    char name[NAME_MAX + 1];
    int rc;

    if (store_lease_name(key, who, name, err) < 0)
        return -1;
    rc = store_stamp(store->leases, name, &when);
    return rc < 0 && rc != -EROFS
               ? error_from(err, VITRINE_EINTERNAL, rc, "cannot write %s/leases/%s",
                            store->path, name)
               : 0;
}
