/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user: in the task that starts the FUSE server, and in the server. */
#include "image/fuse-owners.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Of what is mapped to nobody, as the kernel shows it. */
#define NOBODY 65534

static size_t format_map(const struct id_map *map, size_t n, char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(text + used, size - used,
                                 "%s%" PRIu32 ":%" PRIu32 ":%" PRIu32, i > 0 ? "," : "",
                                 map[i].inside, map[i].outside, map[i].count);
    return used;
}

void fuse_owners_format(const struct fuse_owners *owners, char ret[FUSE_OWNERS_TEXT])
{
    if (owners->all) {
        (void)snprintf(ret, FUSE_OWNERS_TEXT, "all:%" PRIu32 ":%" PRIu32, owners->uid,
                       owners->gid);
        return;
    }
    size_t used = (size_t)snprintf(ret, FUSE_OWNERS_TEXT, "map:");
    used += format_map(owners->uids, owners->nuids, ret + used, FUSE_OWNERS_TEXT - used);
    used += (size_t)snprintf(ret + used, FUSE_OWNERS_TEXT - used, "/");
    (void)format_map(owners->gids, owners->ngids, ret + used, FUSE_OWNERS_TEXT - used);
}

static bool take_number(const char **text, uint32_t *ret)
{
    const char *p = *text;
    uint64_t n = 0;

    for (; *p >= '0' && *p <= '9' && n <= UINT32_MAX; p++)
        n = n * 10 + (uint64_t)(*p - '0');
    if (p == *text || n > UINT32_MAX)
        return false;
    *text = p;
    *ret = (uint32_t)n;
    return true;
}

static bool take_char(const char **text, char c)
{
    bool is_there = **text == c;

    *text += is_there;
    return is_there;
}

static bool take_map(const char **text, struct id_map *map, size_t *ret_n)
{
    size_t n = 0;

    do {
        struct id_map m;

        if (n > LIMIT_SUBIDS || !take_number(text, &m.inside) || !take_char(text, ':') ||
            !take_number(text, &m.outside) || !take_char(text, ':') ||
            !take_number(text, &m.count) || m.count > UINT32_MAX - m.inside ||
            m.count > UINT32_MAX - m.outside)
            return false;
        map[n++] = m;
    } while (take_char(text, ','));
    *ret_n = n;
    return true;
}

bool fuse_owners_parse(const char *text, struct fuse_owners *ret)
{
    struct fuse_owners owners = {.all = strncmp(text, "all:", 4) == 0};
    bool sound;

    if (!owners.all && strncmp(text, "map:", 4) != 0)
        return false;
    text += 4;
    if (owners.all)
        sound = take_number(&text, &owners.uid) && take_char(&text, ':') &&
                take_number(&text, &owners.gid);
    else
        sound = take_map(&text, owners.uids, &owners.nuids) && take_char(&text, '/') &&
                take_map(&text, owners.gids, &owners.ngids);
    if (sound && !*text)
        *ret = owners;
    return sound && !*text;
}

static uint32_t map_id(const struct id_map *map, size_t n, uint32_t id)
{
    for (size_t i = 0; i < n; i++)
        if (id - map[i].inside < map[i].count)
            return map[i].outside + (id - map[i].inside);
    return NOBODY;
}

uid_t fuse_owners_uid(const struct fuse_owners *owners, uint32_t uid)
{
    return owners->all ? owners->uid : map_id(owners->uids, owners->nuids, uid);
}

gid_t fuse_owners_gid(const struct fuse_owners *owners, uint32_t gid)
{
    return owners->all ? owners->gid : map_id(owners->gids, owners->ngids, gid);
}
