/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user. */
#include "layers/lookup.h"
#include "layers/entries.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Texts that are yet to be walked: the last one first. */
struct texts {
    const char *at[LIMIT_SYMLINKS + 1], *end[LIMIT_SYMLINKS + 1];
    size_t n;
};

/* NULL: there is nothing left. */
static const char *next(struct texts *texts, size_t *ret_len)
{
    while (texts->n > 0) {
        const char **at = &texts->at[texts->n - 1], *end = texts->end[texts->n - 1];
        const char *name;

        while (*at < end && **at == '/')
            (*at)++;
        if (*at == end) {
            texts->n--;
            continue;
        }
        name = *at;
        while (*at < end && **at != '/')
            (*at)++;
        *ret_len = (size_t)(*at - name);
        return name;
    }
    return NULL;
}

static int follow(struct lookup *lookup, struct texts *texts, const char *target,
                  unsigned *links, struct vitrine_error *err)
{
    if (++*links > LIMIT_SYMLINKS)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it lies below more than %d symbolic links", LIMIT_SYMLINKS);
    if (target[0] == '/')
        lookup->n = 0;
    texts->at[texts->n] = target;
    texts->end[texts->n++] = target + strlen(target);
    return 0;
}

/* Fills lookup->steps, which are no links. What is not there is a directory to be. */
static int walk(struct lookup *lookup, const char *path, size_t size,
                struct vitrine_error *err)
{
    struct texts texts = {.at = {path}, .end = {path + size}, .n = 1};
    unsigned links = 0;
    const char *name;
    size_t len;

    lookup->n = 0;
    while ((name = next(&texts, &len))) {
        struct lookup_step *last = lookup->n > 0 ? &lookup->steps[lookup->n - 1] : NULL;
        const struct spot *parent = last ? last->spot : &lookup->spots->root;
        struct spot *spot;

        lookup->taken++;
        if (len == 1 && name[0] == '.')
            continue;
        if (len == 2 && name[0] == '.' && name[1] == '.') {
            lookup->n -= last != NULL;
            continue;
        }
        spot = parent ? spots_find(lookup->spots, parent, name, len) : NULL;
        if (spot && !spot->is.is_dir && S_ISLNK(spot->is.entry->mode)) {
            if (follow(lookup, &texts, spot->is.entry->target, &links, err) < 0)
                return -1;
            continue;
        }
        if (lookup->n == LIMIT_IMPORT_DEPTH)
            return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                                "it lies more than %d directories deep",
                                LIMIT_IMPORT_DEPTH);
        lookup->steps[lookup->n++] =
            (struct lookup_step){.spot = spot, .name = name, .len = len};
    }
    return 0;
}

int lookup_dir(struct lookup *lookup, const char *path, size_t len, struct spot **ret,
               struct vitrine_error *err)
{
    if (walk(lookup, path, len, err) < 0)
        return -1;
    *ret = lookup->n > 0 ? lookup->steps[lookup->n - 1].spot : &lookup->spots->root;
    if (*ret && !(*ret)->is.is_dir)
        *ret = NULL;
    return 0;
}

static int make(struct lookup *lookup, struct spot **ret, struct vitrine_error *err)
{
    struct spot *at = &lookup->spots->root;

    for (size_t i = 0; i < lookup->n; i++) {
        const struct lookup_step *step = &lookup->steps[i];
        struct spot *spot = step->spot;
        int rc = 0;

        if (step->len > NAME_MAX)
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "it lies below a symbolic link to a name longer than %d "
                                "bytes",
                                NAME_MAX);
        if (!spot)
            rc = spots_add(lookup->spots, at, step->name, step->len, &spot);
        if (rc < 0)
            return error_from(err, VITRINE_EUNSUPPORTED, rc,
                              "the image has too many files");
        if (!step->spot)
            spot->is.is_dir = true;
        if (!spot->is.is_dir)
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "it lies below %.*s, which is no directory",
                                (int)step->len, step->name);
        at = spot;
    }
    *ret = at;
    return 0;
}

int lookup_make_dir(struct lookup *lookup, const char *path, size_t len,
                    struct spot **ret, struct vitrine_error *err)
{
    if (lookup->last && lookup->last_len == len &&
        memcmp(lookup->last_path, path, len) == 0) {
        *ret = lookup->last;
        return 0;
    }
    if (walk(lookup, path, len, err) < 0 || make(lookup, ret, err) < 0)
        return -1;
    lookup->last = *ret;
    lookup->last_path = path;
    lookup->last_len = len;
    return 0;
}
