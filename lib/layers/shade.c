/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/shade.h"
#include "base/limits.h"

#include <string.h>

neg_errno shade_open(struct shade *shade)
{
    return spots_open(&shade->spots, LIMIT_IMPORT_ENTRIES);
}

void shade_close(struct shade *shade)
{
    spots_close(&shade->spots);
}

/* The next component at *at, which is moved behind it; NULL: there is none. */
static const char *next(const char **at, size_t *ret_len)
{
    const char *name = *at;

    *ret_len = strcspn(name, "/");
    *at += *ret_len;
    *at += **at == '/';
    return *ret_len > 0 ? name : NULL;
}

/* Marks are numbers of layers plus 1; the first that is set is the topmost. */
static neg_errno reach(struct shade *shade, const char *path, struct spot **ret)
{
    struct spot *spot = &shade->spots.root, *child;
    const char *name;
    size_t len;

    while ((name = next(&path, &len))) {
        child = spots_find(&shade->spots, spot, name, len);
        int rc = child ? 0 : spots_add(&shade->spots, spot, name, len, &child);
        if (rc < 0)
            return rc;
        spot = child;
    }
    *ret = spot;
    return 0;
}

static void mark(uint16_t *mark, unsigned layer)
{
    if (*mark == 0)
        *mark = (uint16_t)(layer + 1);
}

neg_errno shade_add(struct shade *shade, unsigned layer, const char *path, bool is_dir)
{
    struct spot *spot = NULL;
    int rc = reach(shade, path, &spot);

    if (rc == 0)
        mark(is_dir ? &spot->shade.is_dir : &spot->shade.hidden, layer);
    return rc;
}

neg_errno shade_add_opaque(struct shade *shade, unsigned layer, const char *path)
{
    struct spot *spot = NULL;
    int rc = reach(shade, path, &spot);

    if (rc == 0)
        mark(&spot->shade.hidden_below, layer);
    return rc;
}

bool shade_hides(const struct shade *shade, unsigned layer, const char *path)
{
    const struct spot *spot = &shade->spots.root;
    unsigned own = layer + 1;
    const char *name;
    size_t len;

    while ((name = next(&path, &len))) {
        if (spot->shade.hidden_below > own)
            return true;
        spot = spots_find(&shade->spots, spot, name, len);
        if (!spot)
            return false;
        if (spot->shade.hidden > own)
            return true;
    }
    return spot->shade.is_dir > own;
}
