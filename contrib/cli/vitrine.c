/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine(1): images for people, without Slurm and without rights. */
#include "base/closest.h"
#include "build-config.h"
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define N_COMMANDS 5

static const struct command *const commands[N_COMMANDS] = {
    &command_import, &command_pack, &command_unpack, &command_info, &command_verify,
};

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[N_COMMANDS], *close;

    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i]->name;
    close = closest_name(name, names, N_COMMANDS);
    if (close)
        return cli_usage(NULL, "unknown command %s; do you mean %s?", name, close);
    return cli_usage(NULL, "unknown command %s; try vitrine --help", name);
}

static void help(void)
{
    (void)printf("Usage: vitrine COMMAND [OPTION]... ARGUMENT...\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        (void)printf("  %-8s %.*s\n", commands[i]->name,
                     (int)strcspn(commands[i]->help, "\n"), commands[i]->help);
    (void)printf("\n"
                 "  vitrine help COMMAND   more of one of them\n"
                 "  vitrine --version      the version\n"
                 "\n"
                 "Exit code: 0 done, 1 failed, 2 the command line makes no sense.\n");
}

static int run_help(int argc, char **argv)
{
    const struct command *command = argc > 1 ? find(argv[1]) : NULL;

    if (argc > 1 && !command)
        return unknown(argv[1]);
    if (command)
        cli_help(command);
    else
        help();
    return CLI_DONE;
}

static int run(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    const struct command *command;

    if (!word[0])
        return cli_usage(NULL, "a command is missing; try vitrine --help");
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        (void)printf("vitrine %s\n", VITRINE_VERSION);
        return CLI_DONE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
        strcmp(word, "help") == 0)
        return run_help(argc - 1, argv + 1);
    command = find(word);
    return command ? command->run(command, argc - 1, argv + 1) : unknown(word);
}

/* Each level of a directory that is packed takes a descriptor. */
static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    raise_limits();
    int rc = run(argc, argv);

    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fprintf(stderr, "vitrine: cannot write to standard output: %m\n");
        rc = rc == CLI_DONE ? CLI_FAILED : rc;
    }
    return rc;
}
