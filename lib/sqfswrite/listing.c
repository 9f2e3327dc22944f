/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user. */
#include "sqfswrite/listing.h"
#include "base/cleanup.h"
#include "base/limits.h"

#include <fcntl.h>
#include <string.h>

static neg_errno add(struct listing *list, const char *name, uint64_t ref, mode_t type)
{
    char *copy = arena_take(&list->arena, strlen(name) + 1);

    if (!copy)
        return -ENOMEM;
    memcpy(copy, name, strlen(name) + 1);
    if (list->n == LIMIT_SAVE_ENTRIES)
        return -E2BIG;
    if (list->n == list->space) {
        size_t space = list->space ? list->space * 2 : 64;
        struct listing_item *items = reallocarray(list->items, space, sizeof(*items));

        if (!items)
            return -ENOMEM;
        list->items = items;
        list->space = space;
    }
    list->items[list->n++] =
        (struct listing_item){.name = copy, .ref = ref, .type = type};
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct listing_item *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static void sort(struct listing *list)
{
    if (list->n > 1)
        qsort(list->items, list->n, sizeof(*list->items), compare);
}

static bool tell(void *arg, const struct sqfs_entry *entry)
{
    struct listing *list = arg;

    list->error = add(list, entry->name, entry->ref, entry->type);
    return list->error == 0;
}

neg_errno listing_read_image(const struct sqfs *fs, const struct sqfs_inode *dir,
                             struct listing *ret)
{
    int rc = sqfs_dir_read(fs, dir, 0, tell, ret);

    if (rc < 0 || ret->error < 0)
        return rc < 0 ? rc : ret->error;
    sort(ret);
    for (size_t i = 1; i < ret->n; i++)
        if (strcmp(ret->items[i - 1].name, ret->items[i].name) == 0)
            return -EIO;
    return 0;
}

neg_errno listing_read_host(int fd, struct listing *ret)
{
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *dir = own < 0 ? NULL : fdopendir(own);
    const struct dirent *entry;
    int rc = 0;

    if (!dir) {
        rc = -errno;
        if (own >= 0)
            (void)close(own);
        return rc;
    }
    while (rc == 0 && (errno = 0, entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = add(ret, entry->d_name, 0, 0);
    if (rc == 0)
        rc = -errno;
    sort(ret);
    /* Some file systems tell a name twice when the directory changes meanwhile. */
    for (size_t i = 1; i < ret->n;) {
        if (strcmp(ret->items[i - 1].name, ret->items[i].name) != 0) {
            i++;
            continue;
        }
        memmove(&ret->items[i], &ret->items[i + 1],
                (ret->n - i - 1) * sizeof(*ret->items));
        ret->n--;
    }
    return rc;
}

void listing_free(struct listing *listing)
{
    arena_free(&listing->arena);
    free(listing->items);
    *listing = (struct listing){0};
}
