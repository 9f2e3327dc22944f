/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

static int run(const struct command *command, int argc, char **argv)
{
    struct vitrine_error err;
    bool quiet = false;
    int code = cli_only_quiet(command, argc, argv, 2, &quiet);

    if (code >= 0)
        return code;
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
