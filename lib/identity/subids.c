/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs in the leader, as the user. The files are root's; what they say becomes an id map,
 * so a line with a slip in it must rather give nothing than too much.
 */
#include "identity/subids.h"
#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

/* 4294967295 is (uid_t)-1, nobody's. */
#define ID_END UINT32_MAX

/* A decimal number and nothing else, in [text, end). */
static bool parse_number(const char *text, const char *end, uint32_t *ret)
{
    uint64_t n = 0;

    if (text == end)
        return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        n = n * 10 + (uint64_t)(*text - '0');
        if (n > UINT32_MAX)
            return false;
    }
    *ret = (uint32_t)n;
    return true;
}

static bool is_owner(const char *name, size_t len, const struct subids_owner *owner)
{
    char uid[16];

    (void)snprintf(uid, sizeof(uid), "%" PRIu32, (uint32_t)owner->uid);
    if (owner->user && len > 0 && strlen(owner->user) == len &&
        memcmp(name, owner->user, len) == 0)
        return true;
    return strlen(uid) == len && memcmp(name, uid, len) == 0;
}

static bool overlaps(const struct id_range *a, const struct id_range *b)
{
    return a->start - b->start < b->count || b->start - a->start < a->count;
}

static bool is_sound(const struct id_range *range, const struct subids_owner *owner,
                     const struct subids *known)
{
    /* Differences of unsigned numbers wrap, so this is "start <= own < start + count". */
    if (range->count == 0 || range->count > ID_END - range->start || range->start == 0 ||
        owner->own - range->start < range->count)
        return false;
    for (size_t i = 0; i < known->n; i++)
        if (overlaps(range, &known->ranges[i]))
            return false;
    return true;
}

static void parse_line(const char *line, size_t len, const struct subids_owner *owner,
                       struct subids *ids)
{
    const char *end = line + len;
    const char *first = memchr(line, ':', len);
    const char *second = first ? memchr(first + 1, ':', (size_t)(end - first - 1)) : NULL;
    struct id_range range;

    if (second && is_owner(line, (size_t)(first - line), owner) &&
        parse_number(first + 1, second, &range.start) &&
        parse_number(second + 1, end, &range.count) && ids->n < LIMIT_SUBIDS &&
        is_sound(&range, owner, ids))
        ids->ranges[ids->n++] = range;
}

void subids_parse(const char *text, const struct subids_owner *owner, struct subids *ret)
{
    struct subids ids = {.n = 0};

    while (*text) {
        size_t len = strcspn(text, "\n");

        parse_line(text, len, owner, &ids);
        text += len + (text[len] == '\n');
    }
    *ret = ids;
}

int subids_read(const char *path, const struct subids_owner *owner, struct subids *ret,
                struct vitrine_error *err)
{
    cleanup_free char *text = NULL;
    cleanup_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int rc = fd < 0 ? -errno : fd_read_all(fd, LIMIT_ETC_FILE, &text, NULL);

    if (rc < 0 && rc != -ENOENT)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot read %s", path);
    subids_parse(text ? text : "", owner, ret);
    return 0;
}
