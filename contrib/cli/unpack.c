/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

static int run(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct vitrine_error err;
    bool quiet = false;

    for (int o; (o = cli_option(command, argc, argv, ":qh", options)) != -1;)
        switch (o) {
        case 'q':
            quiet = true;
            break;
        case 'h':
            cli_help(command);
            return CLI_DONE;
        default:
            return CLI_USAGE;
        }
    if (!cli_has_arguments(command, argc, 2, 2))
        return CLI_USAGE;
    if (vitrine_unpack(argv[optind], argv[optind + 1],
                       cli_watch(quiet, "unpacking", argv[optind]), &err) < 0)
        return cli_fail(&err);
    cli_watch_end(true);
    return CLI_DONE;
}

const struct command command_unpack = {
    .name = "unpack",
    .arguments = "[-q] FILE DIR",
    .help = "makes a directory of a SquashFS or SIF file\n"
            "\n"
            "DIR appears when it is whole; one that exists must be empty, and is filled\n"
            "in place. Owners, device nodes and attributes that this user may not make\n"
            "are counted and told.\n"
            "\n"
            "  -q, --quiet  no progress, no remarks\n",
    .run = run,
};
