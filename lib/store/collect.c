/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is removed from the cache, and when. Runs as whom it belongs to, in whatever
 * process finds that there is too much. Several may do so at once: each step bears it.
 */
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/target.h"
#include "store/private.h"
#include "store/records.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Clocks of nodes that make leases may be wrong by so much. */
#define LEASE_SLACK_S 300

struct image {
    char name[STORE_NAME_MAX];
    uint64_t size;
    int64_t used; /* when it was used last, in nanoseconds */
};

struct collect {
    const struct store *store;
    int64_t now; /* of the file system */
    struct image *images;
    size_t n, capacity;
    uint64_t total;
    char **leased; /* names of images; sorted */
    size_t nleased, leased_capacity;
};

static int64_t ns_of(const struct timespec *t)
{
    return t->tv_sec * INT64_C(1000000000) + t->tv_nsec;
}

static bool is_image(const char *name)
{
    return strlen(name) == strlen("sha256-.sqfs") + 64 &&
           strncmp(name, "sha256-", 7) == 0 && strcmp(name + 71, ".sqfs") == 0;
}

/* Removes entries of a directory that were changed last more than `age` seconds ago. */
static void remove_old(const struct collect *c, int fd, int64_t age, bool hidden_too)
{
    cleanup_dir DIR *dir = store_list(fd);
    const struct dirent *entry;
    struct stat st;

    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.' &&
            (!hidden_too || !entry->d_name[1] || strcmp(entry->d_name, "..") == 0))
            continue;
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && c->now - st.st_mtime > age)
            (void)unlinkat(fd, entry->d_name, 0);
    }
}

static void remove_old_grants(const struct collect *c)
{
    cleanup_dir DIR *dir = c->store->grants < 0 ? NULL : store_list(c->store->grants);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        cleanup_fd int fd = openat(c->store->grants, entry->d_name,
                                   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            continue;
        remove_old(c, fd, LIMIT_GRANT_S, false);
        /* If it is empty. Who makes a grant in this moment is given it later. */
        (void)unlinkat(c->store->grants, entry->d_name, AT_REMOVEDIR);
    }
}

/* Of "sha256-HEX.WHO" the image's name; false: it is no lease. */
static bool lease_image(const char *lease, char ret[STORE_NAME_MAX])
{
    if (strncmp(lease, "sha256-", 7) != 0 || strlen(lease) < 73 || lease[71] != '.')
        return false;
    (void)snprintf(ret, STORE_NAME_MAX, "%.71s.sqfs", lease);
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static neg_errno add_leased(struct collect *c, const char *image)
{
    if (c->nleased == c->leased_capacity) {
        size_t more = c->leased_capacity ? c->leased_capacity * 2 : 64;
        char **list = reallocarray(c->leased, more, sizeof(*list));

        if (!list)
            return -ENOMEM;
        c->leased = list;
        c->leased_capacity = more;
    }
    c->leased[c->nleased] = strdup(image);
    return c->leased[c->nleased] ? (c->nleased++, 0) : -ENOMEM;
}

/* Finds the leases that count; removes others, and times of use of what is no more. */
static neg_errno read_leases(struct collect *c)
{
    cleanup_dir DIR *dir = store_list(c->store->leases);
    char image[STORE_NAME_MAX];
    const struct dirent *entry;
    struct stat st;
    int rc = dir ? 0 : -errno;

    while (rc == 0 && dir && (entry = readdir(dir))) {
        if (!lease_image(entry->d_name, image) ||
            fstatat(c->store->leases, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (strcmp(entry->d_name + 72, STORE_USED) == 0) {
            /* One that is young may be of an image that is about to come. */
            if (c->now - st.st_mtime > LIMIT_STORE_IDLE_S &&
                faccessat(c->store->images, image, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                (void)unlinkat(c->store->leases, entry->d_name, 0);
        } else if (st.st_mtime + LEASE_SLACK_S >= c->now) {
            rc = add_leased(c, image);
        } else {
            (void)unlinkat(c->store->leases, entry->d_name, 0);
        }
    }
    if (rc == 0 && c->nleased > 0)
        qsort(c->leased, c->nleased, sizeof(*c->leased), by_name);
    return rc;
}

/* When an image was used last: at least when it was made. */
static int64_t last_use(const struct store *store, const char *name, int64_t made)
{
    char lease[NAME_MAX + 1];
    struct stat st;

    (void)snprintf(lease, sizeof(lease), "%.71s." STORE_USED, name);
    if (fstatat(store->leases, lease, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return made;
    return ns_of(&st.st_mtim) > made ? ns_of(&st.st_mtim) : made;
}

static neg_errno add_image(struct collect *c, const char *name, const struct stat *st)
{
    if (c->n == c->capacity) {
        size_t more = c->capacity ? c->capacity * 2 : 64;
        struct image *list = reallocarray(c->images, more, sizeof(*list));

        if (!list)
            return -ENOMEM;
        c->images = list;
        c->capacity = more;
    }
    struct image *image = &c->images[c->n++];
    (void)snprintf(image->name, sizeof(image->name), "%.79s", name);
    image->size = (uint64_t)st->st_size;
    image->used = last_use(c->store, name, ns_of(&st->st_mtim));
    c->total += image->size;
    return 0;
}

/* One that was on its way out when its remover died comes back: somebody may have begun
 * to use it. */
static void bring_back(const struct collect *c, const char *entry)
{
    const char *name = entry + strlen(STORE_GONE);

    if (is_image(name) &&
        faccessat(c->store->images, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        (void)renameat(c->store->images, entry, c->store->images, name);
    else
        (void)unlinkat(c->store->images, entry, 0);
}

/* Finds the images; removes files that nobody finishes. */
static neg_errno read_images(struct collect *c)
{
    cleanup_dir DIR *dir = store_list(c->store->images);
    const struct dirent *entry;
    struct stat st;
    int rc = dir ? 0 : -errno;

    while (rc == 0 && dir && (entry = readdir(dir))) {
        if (fstatat(c->store->images, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        bool is_idle = c->now - st.st_mtime > LIMIT_STORE_IDLE_S &&
                       c->now - st.st_ctime > LIMIT_STORE_IDLE_S;
        if (is_image(entry->d_name))
            rc = add_image(c, entry->d_name, &st);
        else if (is_idle && target_is_temporary(entry->d_name, NULL))
            (void)unlinkat(c->store->images, entry->d_name, 0);
        else if (is_idle && strncmp(entry->d_name, STORE_GONE, strlen(STORE_GONE)) == 0)
            bring_back(c, entry->d_name);
    }
    return rc;
}

static int by_use(const void *a, const void *b)
{
    const struct image *x = a, *y = b;

    return x->used < y->used ? -1 : x->used > y->used;
}

static bool is_leased(const struct collect *c, const char *name)
{
    return c->nleased > 0 &&
           bsearch(&name, c->leased, c->nleased, sizeof(*c->leased), by_name);
}

/* A lease may have been made since they were read. */
static bool has_lease_now(const struct collect *c, const char *name)
{
    struct collect again = {.store = c->store, .now = c->now};
    bool found = read_leases(&again) < 0 || is_leased(&again, name);

    for (size_t i = 0; i < again.nleased; i++)
        free(again.leased[i]);
    free(again.leased);
    return found;
}

/*
 * Whoever finds an image stamps it first and opens it then. So it is first taken out of
 * sight and then looked at whether it was stamped: either that is seen here, and it is
 * put back, or he does not find it.
 */
static bool remove_image(const struct collect *c, const struct image *image)
{
    char gone[STORE_NAME_MAX + sizeof(STORE_GONE)];
    int dir = c->store->images;

    (void)snprintf(gone, sizeof(gone), STORE_GONE "%s", image->name);
    if (renameat(dir, image->name, dir, gone) < 0)
        return false;
    if (last_use(c->store, image->name, image->used) > image->used ||
        has_lease_now(c, image->name)) {
        /* Unless another has been imported meanwhile. */
        if (linkat(dir, gone, dir, image->name, 0) == 0 || errno == EEXIST)
            (void)unlinkat(dir, gone, 0);
        else
            (void)renameat(dir, gone, dir, image->name);
        return false;
    }
    return unlinkat(dir, gone, 0) == 0;
}

static void remove_images(struct collect *c, uint64_t need, struct store_collected *ret)
{
    char lease[NAME_MAX + 1];

    if (c->n > 0)
        qsort(c->images, c->n, sizeof(*c->images), by_use);
    for (size_t i = 0; i < c->n; i++) {
        const struct image *image = &c->images[i];
        bool is_too_much = c->store->limit > 0 && c->total > c->store->limit;

        if (!is_too_much && ret->bytes >= need)
            break;
        if (c->now - image->used / INT64_C(1000000000) < LIMIT_STORE_IDLE_S)
            break; /* and so are those behind it */
        if (is_leased(c, image->name) || !remove_image(c, image))
            continue;
        c->total -= image->size;
        ret->images++;
        ret->bytes += image->size;
        (void)snprintf(lease, sizeof(lease), "%.71s." STORE_USED, image->name);
        (void)unlinkat(c->store->leases, lease, 0);
    }
}

int store_collect(const struct store *store, uint64_t need, struct store_collected *ret,
                  struct vitrine_error *err)
{
    struct collect c = {.store = store, .now = records_now(store)};
    struct store_collected done = {0};
    int rc = read_leases(&c);

    if (rc == 0)
        rc = read_images(&c);
    if (rc == 0) {
        remove_images(&c, need, &done);
        remove_old(&c, store->locks, LIMIT_STORE_IDLE_S, true);
        remove_old(&c, store->records, LIMIT_INDEX_RECORD_S, true);
        remove_old_grants(&c);
    }
    for (size_t i = 0; i < c.nleased; i++)
        free(c.leased[i]);
    free(c.leased);
    free(c.images);
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot tidy up %s", store->path);
    *ret = done;
    return 0;
}
