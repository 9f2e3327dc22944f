/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks what can be checked early, and sends along what the node could not know: the
 * directory in which the user typed a relative name, and images asked for by environment
 * variables, which --export=NONE would lose. Names beginning with SLURM_ survive that.
 */
#include "submit.h"
#include "options.h"
#include "report.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    bool inherited;
    int times; /* the option callback came */
    char image[OPTIONS_IMAGE_MAX + 1];
} submit;

void submit_init(void)
{
    submit.inherited = getenv(SUBMIT_INHERITED) != NULL;
    submit.times = 0;
    submit.image[0] = '\0';
}

int submit_option(const char *value)
{
    const char *texts[OPTIONS_SOURCES] = {[OPTIONS_COMMAND_LINE] = value};
    struct options chosen;
    struct vitrine_error err;

    if (options_choose(texts, &chosen, &err) < 0) {
        report_submit(err.text);
        return -1;
    }
    submit.times++;
    memcpy(submit.image, chosen.image, sizeof(submit.image));
    return 0;
}

/* Relative names given by this very command are meant from here; inherited ones from
 * where they were first given. */
static void tell_directory(void)
{
    char dir[PATH_MAX];

    if (getcwd(dir, sizeof(dir)))
        (void)setenv(SUBMIT_DIRECTORY, dir, 1);
}

int submit_ready(void)
{
    const char *texts[OPTIONS_SOURCES] = {
        [OPTIONS_VITRINE_ENV] = getenv(options_env[OPTIONS_VITRINE_ENV]),
        [OPTIONS_PYXIS_ENV] = getenv(options_env[OPTIONS_PYXIS_ENV]),
    };
    struct options chosen;
    struct vitrine_error err;

    if (submit.times > 0) {
        if (!submit.inherited || submit.times > 1 || !getenv(SUBMIT_DIRECTORY))
            tell_directory();
        return 0;
    }
    if (options_choose(texts, &chosen, &err) < 0) {
        report_submit(err.text);
        return -1;
    }
    if (chosen.image[0]) {
        (void)setenv(options_env[OPTIONS_SUBMIT_ENV], chosen.image, 1);
        tell_directory();
    }
    return 0;
}
