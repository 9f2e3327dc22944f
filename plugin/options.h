/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_OPTIONS_H
#define VITRINE_PLUGIN_OPTIONS_H

/*
 * From the texts that a user may have given, in their order of precedence, to the one
 * that counts. Knows nothing of Slurm.
 */
#include "vitrine.h"

/* No image reference is longer (lib/base/limits.h has the same figure and its reason). */
#define OPTIONS_IMAGE_MAX 4096

/* Where a text came from, the strongest first. */
enum options_source {
    OPTIONS_COMMAND_LINE, /* --container-image, also from #SBATCH and inherited by steps
                           */
    OPTIONS_VITRINE_ENV,  /* VITRINE_CONTAINER_IMAGE */
    OPTIONS_PYXIS_ENV,    /* PYXIS_CONTAINER_IMAGE */
    OPTIONS_SUBMIT_ENV,   /* one of these two at submission, lost with --export=NONE */
    OPTIONS_SOURCES,
};

/* The names of the environment variables, index by source; NULL for the option itself. */
extern const char *const options_env[OPTIONS_SOURCES];

struct options {
    char image[OPTIONS_IMAGE_MAX + 1]; /* "": the user asked for nothing */
    bool none;                         /* he asked to stay on the host */
    const char *source;                /* how he asked, for messages */
};

/*
 * Chooses among `texts`, indexed by source, NULL where there is none. An empty
 * environment variable counts as unset. -1 with *err set if the one that counts is wrong.
 */
int options_choose(const char *const texts[OPTIONS_SOURCES], struct options *ret,
                   struct vitrine_error *err);

#endif
