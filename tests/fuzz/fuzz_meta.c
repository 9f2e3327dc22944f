/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an image says of itself, one reader by the first byte: whatever was read keeps the
 * limits, has names as variables, and each of them once.
 */
#include "base/limits.h"
#include "image/metafile.h"
#include "image/metarc.h"
#include "image/metash.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

static void check_list(const struct metalist *list)
{
    claim(list->count <= LIMIT_META_WORDS);
    claim(list->count == 0 || (list->list && !list->list[list->count]));
    for (size_t i = 0; i < list->count; i++)
        claim(list->list[i] != NULL);
}

static void check_vars(const struct metavars *vars)
{
    size_t bytes = 0;

    claim(vars->vars.count <= LIMIT_META_VARS && vars->bytes <= LIMIT_META_BYTES);
    for (size_t i = 0; i < vars->vars.count; i++) {
        const char *var = vars->vars.list[i];
        size_t len = metavars_name_length(var);

        claim(len > 0 && var[len] == '=' && strlen(var) < LIMIT_ENV_STRING);
        claim(metavars_get(vars, var, len) == var + len + 1);
        claim(strncmp(var, "PATH=", 5) != 0 || var[5] == '/');
        bytes += strlen(var) + 1;
    }
    claim(bytes == vars->bytes);
}

static void fuzz_config(const char *text, size_t size, struct metavars *vars)
{
    struct metafile_config config = {0};

    claim(metafile_config(text, size, vars, &config) == 0);
    claim(!config.workdir || config.workdir[0] == '/');
    claim(!config.user || config.user[0] != '\0');
    check_list(&config.entrypoint);
    check_list(&config.cmd);
    check_list(&config.volumes);
    for (size_t i = 0; i < config.volumes.count; i++)
        claim(config.volumes.list[i][0] == '/');
    metalist_free(config.entrypoint.list);
    metalist_free(config.cmd.list);
    metalist_free(config.volumes.list);
    free(config.workdir);
    free(config.user);
}

static void fuzz_rc(const char *text)
{
    struct metarc rc;
    bool ours;

    claim(metarc_read(text, &rc, &ours) == 0);
    claim(ours || (!rc.workdir && !rc.entrypoint.list && !rc.cmd.list));
    claim(!rc.workdir || rc.workdir[0] == '/');
    check_list(&rc.entrypoint);
    check_list(&rc.cmd);
    metarc_free(&rc);
}

static void fuzz_volumes(const char *text)
{
    struct metalist list = {0};

    claim(metafile_volumes(text, &list) == 0);
    check_list(&list);
    for (size_t i = 0; i < list.count; i++)
        claim(list.list[i][0] == '/');
    metalist_free(list.list);
}

static void fuzz(char which, const char *text, size_t size)
{
    static const char *const host[] = {"HOME=/home/ada", "EMPTY=", "LIST=/x:/y", NULL};
    struct metavars vars = {.host = host};

    if (which == 'c')
        fuzz_config(text, size, &vars);
    else if (which == 'r')
        fuzz_rc(text);
    else if (which == 'v')
        fuzz_volumes(text);
    else if (which == 'e')
        claim(metafile_environment(text, METAFILE_ENROOT, &vars) == 0);
    else if (which == 'h')
        claim(metafile_environment(text, METAFILE_CHARLIECLOUD, &vars) == 0);
    else if (which == 'p')
        claim(metafile_environment(text, METAFILE_PLAIN, &vars) == 0);
    else
        claim(metash_read(text, which == 'd' ? METASH_GENERATED : 0, &vars) == 0);
    check_vars(&vars);
    metalist_free(vars.vars.list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size == 0)
        return 0;
    text = malloc(size);
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    fuzz((char)data[0], text, size - 1);
    free(text);
    return 0;
}
