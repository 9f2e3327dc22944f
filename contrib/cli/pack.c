/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

static int run(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"root-owned", no_argument, NULL, 'r'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    bool root_owned = false, quiet = false;
    struct vitrine_error err;

    for (int o; (o = cli_option(command, argc, argv, ":rqh", options)) != -1;)
        switch (o) {
        case 'r':
            root_owned = true;
            break;
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
    if (vitrine_pack(argv[optind], argv[optind + 1], root_owned,
                     cli_watch(quiet, "packing", argv[optind]), &err) < 0)
        return cli_fail(&err);
    cli_watch_end(true);
    return CLI_DONE;
}

const struct command command_pack = {
    .name = "pack",
    .arguments = "[-q] [--root-owned] DIR FILE",
    .help =
        "makes a SquashFS file of a directory\n"
        "\n"
        "FILE appears when it is whole, and replaces an old one. What cannot be read is\n"
        "an error, nothing is left out but other file systems mounted below DIR.\n"
        "\n"
        "  -r, --root-owned  all files belong to root in the image\n"
        "  -q, --quiet       no progress, no remarks\n",
    .run = run,
};
