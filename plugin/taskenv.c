/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "taskenv.h"
#include "job.h"
#include "pin.h"

const char *const *taskenv_list(spank_t sp)
{
    static const char *const none[] = {NULL};
    char **env = NULL;

    return spank_get_item(sp, S_JOB_ENV, &env) == ESPANK_SUCCESS && env
               ? (const char *const *)env
               : none;
}

bool taskenv_has_pmix(spank_t sp)
{
    char space[256];

    job_getenv(sp, "PMIX_NAMESPACE", space, sizeof(space), NULL);
    return space[0] != '\0';
}

const char *taskenv_pinned(spank_t sp, const char *image)
{
    static char pins[PIN_MAX], digest[VITRINE_DIGEST_MAX];

    job_getenv(sp, PIN_VARIABLE, pins, sizeof(pins), NULL);
    return image && pin_find(pins, image, digest) ? digest : NULL;
}

static bool change_variable(void *arg, const char *name, const char *value)
{
    spank_t sp = arg;

    /* What is not there cannot be unset, and need not be. */
    return value ? spank_setenv(sp, name, value, 1) == ESPANK_SUCCESS
                 : (spank_unsetenv(sp, name), true);
}

int taskenv_change(spank_t sp, int changes, struct vitrine_error *err)
{
    return vitrine_environ_each(changes, change_variable, sp, err);
}

void taskenv_set_ranks(spank_t sp)
{
    static const char *const names[][2] = {{"SLURM_PROCID", "RANK"},
                                           {"SLURM_LOCALID", "LOCAL_RANK"}};
    char value[16];

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        job_getenv(sp, names[i][0], value, sizeof(value), NULL);
        if (value[0])
            (void)spank_setenv(sp, names[i][1], value, 1);
    }
}
