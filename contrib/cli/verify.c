/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <stdio.h>

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
    if (!cli_has_arguments(command, argc, 1, 1))
        return CLI_USAGE;
    if (vitrine_verify(argv[optind], cli_watch(quiet, "verifying", argv[optind]), &err) <
        0)
        return cli_fail(&err);
    cli_watch_end(true);
    if (!quiet) {
        cli_print_text(argv[optind]);
        (void)printf(": sound\n");
    }
    return CLI_DONE;
}

const struct command command_verify = {
    .name = "verify",
    .arguments = "[-q] FILE",
    .help = "reads every block of a SquashFS or SIF file\n"
            "\n"
            "The first damage is told, with the path of the file that it concerns.\n"
            "\n"
            "  -q, --quiet  no progress, and no word if the image is sound\n",
    .run = run,
};
