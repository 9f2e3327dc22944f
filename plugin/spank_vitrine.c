/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SPANK plugin's callbacks: who is called where, and nothing else. See stepd.h and
 * submit.h for what they do, spank_vitrine(8) for the administrator's view. */

/* What Slurm looks up is visible; everything else of the plugin is hidden. The header
 * declares the callbacks, so nothing that includes it may stand before this. */
#pragma GCC visibility push(default)
#include <slurm/spank.h>

SPANK_PLUGIN(vitrine, 1)
#pragma GCC visibility pop

#include "epilog.h"
#include "options.h"
#include "stepd.h"
#include "submit.h"
#include "told.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* plugstack.conf: conf=FILE. Borrowed from Slurm, which keeps the arguments. */
static const char *config_path;

static int on_option(int val, const char *optarg, int remote)
{
    if (!remote)
        return submit_option(val, optarg);
    told_option(val, optarg);
    return ESPANK_SUCCESS;
}

/* Slurm copies the structure and its texts. */
static int register_option(spank_t sp, int spelling)
{
    const struct option_spelling *s = &options_spellings[spelling];
    char usage[256];
    struct spank_option option = {
        .name = (char *)s->flag + strlen("--"),
        .arginfo = (char *)s->value,
        .usage = usage,
        .has_arg = s->value ? (s->says ? 2 : 1) : 0,
        .val = spelling,
        .cb = on_option,
    };

    (void)snprintf(usage, sizeof(usage), "[vitrine] %s", s->usage);
    return spank_option_register(sp, &option) == ESPANK_SUCCESS ? 0 : -1;
}

static bool is_submit(void)
{
    spank_context_t context = spank_context();

    return context == S_CTX_LOCAL || context == S_CTX_ALLOCATOR;
}

static int read_arguments(int ac, char **av)
{
    for (int i = 0; i < ac; i++) {
        if (strncmp(av[i], "conf=", 5) != 0 || av[i][5] != '/') {
            slurm_error("vitrine: plugstack.conf: unknown argument %s; the only one is "
                        "conf=/absolute/path",
                        av[i]);
            return -1;
        }
        config_path = av[i] + 5;
    }
    return 0;
}

int slurm_spank_init(spank_t sp, int ac, char **av)
{
    if (read_arguments(ac, av) < 0)
        return -1;
    if (!is_submit() && spank_context() != S_CTX_REMOTE)
        return ESPANK_SUCCESS;
    if (is_submit())
        submit_init();
    for (int i = 0; i < OPTIONS_SPELLINGS; i++)
        if (register_option(sp, i) < 0)
            return -1;
    return ESPANK_SUCCESS;
}

int slurm_spank_init_post_opt(spank_t sp, int ac, char **av)
{
    /* The user has been told why. Slurm would add two lines that say no more, and go on
     * where plugstack.conf says "optional". */
    if (is_submit() && submit_ready(config_path) < 0)
        _exit(1);
    if (spank_context() == S_CTX_REMOTE)
        stepd_decide(sp, config_path);
    return ESPANK_SUCCESS;
}

int slurm_spank_task_init_privileged(spank_t sp, int ac, char **av)
{
    stepd_task_privileged(sp);
    return ESPANK_SUCCESS;
}

int slurm_spank_task_init(spank_t sp, int ac, char **av)
{
    stepd_task(sp);
    return ESPANK_SUCCESS;
}

int slurm_spank_task_exit(spank_t sp, int ac, char **av)
{
    stepd_task_ended(sp);
    return ESPANK_SUCCESS;
}

int slurm_spank_exit(spank_t sp, int ac, char **av)
{
    if (spank_context() == S_CTX_REMOTE)
        stepd_end(sp);
    return ESPANK_SUCCESS;
}

int slurm_spank_job_epilog(spank_t sp, int ac, char **av)
{
    if (read_arguments(ac, av) == 0)
        epilog_run(sp, config_path ? config_path : STEPD_CONFIG);
    return ESPANK_SUCCESS;
}
