/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as whom the cache belongs to. Short texts, and what was granted to whom. */
#include "store/records.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/target.h"
#include "store/private.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

/* A file that is touched to learn the time. */
#define CLOCK ".now"

/* Over longer times clocks are right enough. */
#define CLOCK_MATTERS_S 7200

int64_t records_now(const struct store *store)
{
    struct stat st;

    if (store_stamp(store->records, CLOCK, NULL) < 0 ||
        fstatat(store->records, CLOCK, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return time(NULL);
    return st.st_mtime;
}

static int check_name(const char *name, struct vitrine_error *err)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "0123456789-._+");

    if (n == 0 || name[n] || n > RECORD_NAME_MAX || name[0] == '.')
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "\"%.200s\" cannot name anything in the cache of images",
                            name);
    return 0;
}

static bool is_young(const struct store *store, int64_t mtime, int64_t max_age)
{
    int64_t now = max_age < CLOCK_MATTERS_S ? records_now(store) : time(NULL);

    return now - mtime < max_age;
}

int record_read(const struct store *store, const char *name, int64_t max_age, char *ret,
                size_t size, bool *ret_found, struct vitrine_error *err)
{
    cleanup_free char *text = NULL;
    struct stat st;
    size_t n = 0;
    int rc = 0;

    *ret_found = false;
    if (check_name(name, err) < 0)
        return -1;
    cleanup_fd int fd =
        openat(store->records, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        rc = -errno;
    else
        rc = fd_read_all(fd, size, &text, &n);
    /* ESTALE: replaced on a file server in this moment. */
    if (rc == -ENOENT || rc == -ESTALE || rc == -EFBIG)
        return 0;
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot read %s/records/%s",
                          store->path, name);
    if (n < 2 || text[n - 1] != '\n' || memchr(text, '\0', n) ||
        !is_young(store, st.st_mtime, max_age))
        return 0;
    memcpy(ret, text, n - 1);
    ret[n - 1] = '\0';
    *ret_found = true;
    return 0;
}

int record_write(const struct store *store, const char *name, const char *text,
                 struct vitrine_error *err)
{
    struct target target;
    int rc;

    if (check_name(name, err) < 0)
        return -1;
    rc = target_check(&target, store->records, name, err);
    if (rc == 0)
        rc = target_open(&target, err);
    target.unsynced = true;
    if (rc == 0) {
        int written = fd_write_full(target.fd, text, strlen(text));

        if (written == 0)
            written = fd_write_full(target.fd, "\n", 1);
        rc = written < 0 ? error_from(err, VITRINE_EINTERNAL, written, "cannot write it")
                         : target_commit(&target, err);
    }
    target_close(&target);
    return rc < 0 ? vitrine_wrap(err, "cannot make %s/records/%s", store->path, name) : 0;
}

void record_remove(const struct store *store, const char *name)
{
    if (check_name(name, NULL) == 0)
        (void)unlinkat(store->records, name, 0);
}

static int open_grants(const struct store *store, uid_t uid, bool make, int *ret)
{
    char name[24];

    (void)snprintf(name, sizeof(name), "%" PRIuMAX, (uintmax_t)uid);
    if (make && mkdirat(store->grants, name, 0700) < 0 && errno != EEXIST)
        return -errno;
    *ret = openat(store->grants, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *ret < 0 ? -errno : 0;
}

int grant_write(const struct store *store, uid_t uid, const char *key,
                struct vitrine_error *err)
{
    cleanup_fd int dir = -1;
    int rc = open_grants(store, uid, true, &dir);

    if (rc == 0)
        rc = store_stamp(dir, key + strlen("sha256:"), NULL);
    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "cannot write to %s/grants",
                               store->path)
                  : 0;
}

int grant_find(const struct store *store, uid_t uid, const char *key, bool *ret_found,
               struct vitrine_error *err)
{
    cleanup_fd int dir = -1;
    int rc = open_grants(store, uid, false, &dir);
    struct stat st;

    *ret_found = false;
    if (rc == 0 && fstatat(dir, key + strlen("sha256:"), &st, AT_SYMLINK_NOFOLLOW) < 0)
        rc = -errno;
    if (rc < 0 && rc != -ENOENT)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot read %s/grants",
                          store->path);
    *ret_found = rc == 0 && is_young(store, st.st_mtime, LIMIT_GRANT_S);
    return 0;
}
