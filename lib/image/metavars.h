/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_METAVARS_H
#define VITRINE_IMAGE_METAVARS_H

/*
 * What the readers of an image's own words collect: variables, lists of words, and text
 * that grows while it is expanded. Of all of them -ENOMEM is the one error that ends a
 * reader; what is beyond a limit or makes no sense is passed over.
 */
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Text of at most LIMIT_ENV_STRING bytes. Zero it first; free(data) at the end. */
struct metatext {
    char *data; /* NUL-terminated, NULL as long as nothing was added */
    size_t len, cap;
};

/* -E2BIG if it would be too long, -ENOMEM. */
neg_errno metatext_add(struct metatext *text, const char *data, size_t len);

/* Words, NULL-terminated; `list` is NULL as long as there are none. */
struct metalist {
    char **list;
    size_t count, cap;
};

/* Above LIMIT_META_WORDS a word is passed over. */
neg_errno metalist_add(struct metalist *list, const char *word, size_t len);
void metalist_free(char **list);

struct metavars {
    struct metalist vars; /* "NAME=VALUE", each name once */
    size_t bytes;
    const char *const *host; /* the environment outside, may be NULL */
};

/* Of letters, digits and "_" alone, as a shell can assign it. */
size_t metavars_name_length(const char *text);

/*
 * Sets a variable, in the place of one with this name. Passed over: what is no name, what
 * is beyond the limits, and a PATH that does not begin with "/" or holds control
 * characters (commands would come from wherever the task happens to be).
 */
neg_errno metavars_set(struct metavars *vars, const char *name, size_t len,
                       const char *value, size_t value_len);

/* The image's value, or NULL. */
const char *metavars_get(const struct metavars *vars, const char *name, size_t len);

/*
 * What an expansion sees: the image's value so far, else the host's, else NULL. The
 * host's PATH and LD_* name files of another operating system, so they are never seen;
 * for PATH there is PATH_SEARCH_DEFAULT, so that /opt/x/bin:$PATH is a whole one.
 */
const char *metavars_lookup(const struct metavars *vars, const char *name, size_t len);

#endif
