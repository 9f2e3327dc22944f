/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_OPTIONS_H
#define VITRINE_PLUGIN_OPTIONS_H

/*
 * The options of a user: what they are called, who may say them in which order of
 * precedence, and which text counts in the end. Knows nothing of Slurm.
 */
#include "vitrine.h"

/* What a user can say. One option may have two spellings, of which one is the opposite of
 * the other. */
enum option {
    OPTION_IMAGE,
    OPTION_MOUNTS,
    OPTION_WORKDIR,
    OPTION_NAME,
    OPTION_SAVE,
    OPTION_MOUNT_HOME,
    OPTION_REMAP_ROOT,
    OPTION_ENTRYPOINT,
    OPTION_ENTRYPOINT_LOG,
    OPTION_WRITABLE,
    OPTION_ENV,
    OPTION_UNSHARE,
    OPTION_COUNT,
};

/* How it is said on a command line. */
struct option_spelling {
    const char *flag;  /* "--container-image" */
    const char *value; /* its value for --help, NULL for none; in brackets if optional */
    const char *usage;
    const char *says; /* what it says without a value; NULL: a value is needed */
    enum option option;
};

enum { OPTIONS_SPELLINGS = 16 };
extern const struct option_spelling options_spellings[OPTIONS_SPELLINGS];

/* Where a text came from, the strongest first. */
enum options_source {
    OPTIONS_COMMAND_LINE, /* also from #SBATCH */
    OPTIONS_INHERITED,    /* from the options of the job that a step belongs to */
    OPTIONS_VITRINE_ENV,  /* VITRINE_CONTAINER_X */
    OPTIONS_PYXIS_ENV,    /* PYXIS_CONTAINER_X */
    OPTIONS_SUBMIT_ENV,   /* one of these at submission, lost with --export=NONE */
};

#define OPTIONS_VARIABLE_MAX 48

struct option_value {
    char *text; /* as optiontext_read() gives it; NULL: nobody said anything */
    enum options_source source;
    char said_by[OPTIONS_VARIABLE_MAX]; /* an option or a variable, for messages */
};

struct options {
    struct option_value values[OPTION_COUNT];
    char *container; /* OPTION_NAME without its mode */
    char *names;     /* the memory of: */
    const char **keep_env;
};

void options_free(struct options *options);

/*
 * What --help calls OPTIONS_SPELLINGS was given, with the value `arg`, which is NULL or
 * what Slurm makes of that ("", "(null)") where there is none. Lists grow. With `strict`
 * it is an error if another value has been given before, but for the image; otherwise the
 * last one counts. On failure nothing has changed.
 */
int options_add(struct options *options, int spelling, const char *arg, bool strict,
                struct vitrine_error *err);

/* Where to look for what was not added. What the calls return lives until the next. */
struct options_lookup {
    /* What Slurm knows of an option that was given earlier or elsewhere; NULL: nothing.
     */
    const char *(*told)(void *arg, int spelling);
    const char *(*variable)(void *arg, const char *name); /* NULL: not set */
    void *arg;
    enum options_source told_as; /* the source of what it is told */
};

/*
 * Decides about all options. Slurm passes on only the last value of one that was given
 * several times, so the variable SLURM_VITRINE_X, if set, has the complete text of what
 * was told; empty, it takes back what was told. Otherwise an empty variable counts as
 * unset. May be called again after more of options_add().
 */
int options_resolve(struct options *options, const struct options_lookup *lookup,
                    struct vitrine_error *err);

/* The name of the variable SLURM_VITRINE_X. */
const char *options_variable(enum option option);

/* How a command line would say what holds now: the spelling, and its value ("" without).
 * Only for options that are set. */
int options_spell(const struct options *options, enum option option,
                  const char **ret_value);

/* Whether the user wants to stay on the host, and whether he wants a container. Both are
 * false if he leaves it to the administrator. */
bool options_want_host(const struct options *options);
bool options_want_container(const struct options *options);

/*
 * For a user who gets no container and did not ask for the host: a sentence about the
 * options of his that have no effect. False if there are none; what comes from variables
 * is not mentioned.
 */
bool options_useless(const struct options *options, char *buf, size_t size);

/* Everything of `spec` that the options decide; borrowed from `options`. */
void options_fill(const struct options *options, struct vitrine_spec *spec);

#endif
