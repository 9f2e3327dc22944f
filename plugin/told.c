/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as root in slurmstepd: texts of the user are copied and compared here, and read by
 * options.c. What Slurm tells is only the last value of each option, if that: its
 * complete text is in a variable that submit.c sets.
 */
#include "told.h"
#include "optiontext.h"
#include "submit.h"

#include <stdlib.h>
#include <string.h>

/* One more than is right, to notice what is too long. */
#define VALUE_SIZE (OPTIONTEXT_MOUNTS_MAX + 2)

static struct {
    char *values[OPTIONS_SPELLINGS];
    bool no_memory; /* for one of these */
} told;

void told_option(int spelling, const char *value)
{
    free(told.values[spelling]);
    told.values[spelling] = strndup(value ? value : "", VALUE_SIZE - 1);
    told.no_memory |= !told.values[spelling];
}

void told_free(void)
{
    for (int i = 0; i < OPTIONS_SPELLINGS; i++) {
        free(told.values[i]);
        told.values[i] = NULL;
    }
    told.no_memory = false;
}

/* A variable of the job in the buffer, NULL if it is not set. One that does not fit is
 * replaced by something that options_resolve() refuses. */
static const char *find_variable(spank_t sp, const char *name, char buf[VALUE_SIZE])
{
    spank_err_t rc = spank_getenv(sp, name, buf, VALUE_SIZE);

    if (rc == ESPANK_NOSPACE) {
        memset(buf, 'x', VALUE_SIZE - 1);
        buf[VALUE_SIZE - 1] = '\0';
    }
    return rc == ESPANK_SUCCESS || rc == ESPANK_NOSPACE ? buf : NULL;
}

static const char *get_told(void *arg, int spelling)
{
    static char value[VALUE_SIZE];
    char name[SUBMIT_INHERITED_MAX];

    if (told.values[spelling])
        return told.values[spelling];
    submit_inherited(spelling, name);
    return find_variable(arg, name, value);
}

static const char *get_variable(void *arg, const char *name)
{
    static char value[VALUE_SIZE];

    return find_variable(arg, name, value);
}

int told_resolve(spank_t sp, struct options *options, struct vitrine_error *err)
{
    const struct options_lookup lookup = {
        .told = get_told,
        .variable = get_variable,
        .arg = sp,
        .told_as = OPTIONS_COMMAND_LINE,
    };

    if (told.no_memory)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    return options_resolve(options, &lookup, err);
}

/* As if it were inherited, of which submit.h tells. */
static void pass_on(spank_t sp, const struct options *options, enum option option)
{
    char name[SUBMIT_INHERITED_MAX];
    const char *value, *text = options->values[option].text;
    bool told_so = options->values[option].source == OPTIONS_COMMAND_LINE;

    submit_inherited(options_spell(options, option, &value), name);
    if (option == OPTION_NAME) {
        value = text = options->container;
        told_so = true;
    } else if (option == OPTION_SAVE) {
        text = "";
        told_so = true;
    }
    /* What a variable asked for is else inherited as a variable. */
    if (told_so)
        (void)spank_setenv(sp, name, value, 1);
    (void)spank_setenv(sp, options_variable(option), text, 1);
}

void told_pass_on(spank_t sp, const struct options *options)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (options->values[i].text)
            pass_on(sp, options, (enum option)i);
}
