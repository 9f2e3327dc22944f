/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <stdio.h>

static int run(const struct command *command, int argc, char **argv)
{
    struct vitrine_error err;
    bool quiet = false;
    int code = cli_only_quiet(command, argc, argv, 1, &quiet);

    if (code >= 0)
        return code;
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
