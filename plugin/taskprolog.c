/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user in srun, which gives no plugin its --task-prolog: it is read from the
 * process's own command line. A wrong guess costs nothing but a file of the host, which
 * the user may read anyway, that the container shows as well.
 */
#include "taskprolog.h"
#include "steppaths.h"

#include <fcntl.h>
#include <slurm/spank.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPTION "--task-prolog"

/* What is as short as this means --task-epilog as well. */
static const size_t shortest = sizeof("--task-p") - 1;

static const char *next(const char *word)
{
    return word + strlen(word) + 1;
}

static bool has_components(const char *words, const char *end)
{
    for (const char *word = words; word < end; word = next(word))
        if (strcmp(word, ":") == 0)
            return true;
    return false;
}

/* The value, NULL if it is another option, "" if the next word is the value. */
static const char *value_of(const char *word)
{
    size_t len = strcspn(word, "=");

    if (len < shortest || len >= sizeof(OPTION) || memcmp(word, OPTION, len) != 0)
        return NULL;
    return word[len] == '=' ? word + len + 1 : "";
}

const char *taskprolog_find(const char *words, size_t size, int command)
{
    const char *end = words + size, *found = NULL;
    bool all = has_components(words, end);
    int i = 0;

    for (const char *word = words; word < end && (all || i < command); i++) {
        const char *value = value_of(word);

        word = next(word);
        if (value && !value[0] && word < end)
            value = word;
        if (value && value[0])
            found = value;
    }
    return found;
}

/* All that there is, NUL-terminated; NULL without memory. */
static char *read_own_words(size_t *ret_size)
{
    char *text = NULL;
    size_t used = 0, cap = 0;
    ssize_t n = 1;
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

    while (fd >= 0 && n > 0) {
        if (cap - used < 4096) {
            char *more = realloc(text, cap = cap * 2 + 8192);
            if (!more)
                break;
            text = more;
        }
        n = read(fd, text + used, cap - used - 1);
        used += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        (void)close(fd);
    if (text)
        text[used] = '\0';
    *ret_size = text ? used : 0;
    return text;
}

void taskprolog_tell(void)
{
    const char *path = NULL;
    size_t size = 0;
    char *words = NULL;

    if (spank_context() == S_CTX_LOCAL) {
        words = read_own_words(&size);
        if (words)
            path = taskprolog_find(words, size, optind);
        if (!path)
            path = getenv("SLURM_TASK_PROLOG");
    }
    /* Slurm runs none that is not absolute. */
    if (path && path[0] == '/')
        (void)setenv(STEPPATHS_TASK_PROLOG, path, 1);
    else
        (void)unsetenv(STEPPATHS_TASK_PROLOG);
    free(words);
}
