/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks what can be checked early, and sends along what the node could not know: the
 * directory in which the user typed a relative name, all values of an option that was
 * given several times, of which Slurm passes on the last, and what environment variables
 * ask for, which --export=NONE would lose. Names beginning with SLURM_ survive that.
 */
#include "submit.h"
#include "import.h"
#include "options.h"
#include "report.h"
#include "taskprolog.h"

#include <errno.h>
#include <limits.h>
#include <slurm/spank.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    /* sbatch calls back for #SBATCH lines first and then for the command line, which
     * overrides them: so that all but the last may be wrong. */
    bool strict;
    /* Slurm will call back for these because they are inherited. */
    bool inherited[OPTIONS_SPELLINGS];
    struct options options;
} submit;

void submit_inherited(int spelling, char name[SUBMIT_INHERITED_MAX])
{
    int n =
        snprintf(name, SUBMIT_INHERITED_MAX, "SLURM_SPANK__SLURM_SPANK_OPTION_vitrine_%s",
                 options_spellings[spelling].flag + strlen("--"));

    for (int i = 0; i < n; i++)
        if (name[i] == '-')
            name[i] = '_';
}

static const char *get_inherited(void *arg, int spelling)
{
    char name[SUBMIT_INHERITED_MAX];

    (void)arg;
    submit_inherited(spelling, name);
    return getenv(name);
}

static const char *get_variable(void *arg, const char *name)
{
    (void)arg;
    return getenv(name);
}

static void expect_inherited(void)
{
    for (int i = 0; i < OPTIONS_SPELLINGS; i++)
        submit.inherited[i] = get_inherited(NULL, i) != NULL;
}

void submit_init(void)
{
    options_free(&submit.options);
    submit.strict = spank_context() == S_CTX_LOCAL ||
                    strcmp(program_invocation_short_name, "salloc") == 0;
    expect_inherited();
}

/* srun and salloc call back for what is inherited before the command line, sbatch between
 * #SBATCH lines and the command line: it is known by its text. */
static bool is_inherited(int spelling, const char *value)
{
    const char *inherited = get_inherited(NULL, spelling);

    return submit.inherited[spelling] && inherited && value &&
           strcmp(inherited, value) == 0;
}

int submit_option(int spelling, const char *value)
{
    struct vitrine_error err;

    if (is_inherited(spelling, value)) {
        submit.inherited[spelling] = false;
        return 0;
    }
    if (options_add(&submit.options, spelling, value, submit.strict, &err) < 0) {
        report_submit(err.text);
        return -1;
    }
    return 0;
}

/* Relative names given by this very command are meant from here; inherited ones from
 * where they were first given. */
static void tell_directory(void)
{
    const struct option_value *image = &submit.options.values[OPTION_IMAGE];
    char dir[PATH_MAX];

    if (!image->text || image->source == OPTIONS_SUBMIT_ENV ||
        (image->source == OPTIONS_INHERITED && getenv(SUBMIT_DIRECTORY)))
        return;
    if (getcwd(dir, sizeof(dir)))
        (void)setenv(SUBMIT_DIRECTORY, dir, 1);
}

/* An empty variable takes back what the node is told by Slurm. */
static void tell_option(enum option option)
{
    const char *text = submit.options.values[option].text;

    for (int i = 0; i < OPTIONS_SPELLINGS && !text; i++)
        if (options_spellings[i].option == option && get_inherited(NULL, i))
            text = "";
    if (text)
        (void)setenv(options_variable(option), text, 1);
    else
        (void)unsetenv(options_variable(option));
}

int submit_ready(const char *config_path)
{
    static const struct options_lookup lookup = {
        .told = get_inherited,
        .variable = get_variable,
        .told_as = OPTIONS_INHERITED,
    };
    struct vitrine_error err;

    if (options_resolve(&submit.options, &lookup, &err) < 0) {
        report_submit(err.text);
        return -1;
    }
    tell_directory();
    taskprolog_tell(spank_context() == S_CTX_LOCAL);
    for (int i = 0; i < OPTION_COUNT; i++)
        tell_option((enum option)i);
    if (import_early(&submit.options, config_path, &err) < 0) {
        report_submit(err.text);
        return -1;
    }
    /* The next component of a heterogeneous command inherits the same again. */
    expect_inherited();
    return 0;
}
