/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_OPTIONS_WORLD_H
#define VITRINE_TESTS_OPTIONS_WORLD_H

/* What tests of plugin/options.c share: words of a command line, and a world to look up
 * in. */
#include "plugin/options.h"
#include "unit.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define WORLD 8

/* "NAME=VALUE", of an option ("--container-image=x") or a variable. */
struct world {
    const char *const *entries;
};

static inline const char *find(void *arg, const char *name)
{
    const struct world *world = arg;
    size_t len = strlen(name);

    for (int i = 0; i < WORLD && world->entries[i]; i++)
        if (strncmp(world->entries[i], name, len) == 0 && world->entries[i][len] == '=')
            return world->entries[i] + len + 1;
    return NULL;
}

static inline const char *find_flag(void *arg, int spelling)
{
    return find(arg, options_spellings[spelling].flag);
}

static inline int resolve(struct options *options, const char *const *entries,
                          struct vitrine_error *err)
{
    struct world world = {entries};
    const struct options_lookup lookup = {find_flag, find, &world, OPTIONS_INHERITED};

    return options_resolve(options, &lookup, err);
}

static inline int spelling_of(const char *flag)
{
    for (int i = 0; i < OPTIONS_SPELLINGS; i++)
        if (strcmp(options_spellings[i].flag, flag) == 0)
            return i;
    ck_abort_msg("no option %s", flag);
}

/* "--container-x=VALUE" or "--container-x", as on a command line. */
static inline int add(struct options *options, const char *word, bool strict,
                      struct vitrine_error *err)
{
    char flag[64];
    size_t len = strcspn(word, "=");

    ck_assert_uint_lt(len, sizeof(flag));
    memcpy(flag, word, len);
    flag[len] = '\0';
    return options_add(options, spelling_of(flag), word[len] ? word + len + 1 : NULL,
                       strict, err);
}

static inline const char *text_of(const struct options *options, enum option option)
{
    const char *text = options->values[option].text;

    return text ? text : "(unset)";
}

#define FLAG(x)    "--container-" x
#define VITRINE(x) "VITRINE_CONTAINER_" x
#define PYXIS(x)   "PYXIS_CONTAINER_" x
#define SUBMIT(x)  "SLURM_VITRINE_" x

#endif
