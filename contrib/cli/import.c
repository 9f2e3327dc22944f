/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <stdio.h>

struct wish {
    const char *config, *platform;
    bool quiet;
};

static int import(const struct wish *wish, const char *image, const char *file)
{
    struct vitrine_import_spec spec = {.image = image, .platform = wish->platform};
    struct vitrine_imported imported;
    struct vitrine_error err;
    struct config *config;

    if (cli_config(wish->config, &config, &err) < 0)
        return cli_fail(&err);
    spec.watch = cli_watch(wish->quiet, "importing", image);
    int rc = cli_import(config, &spec, file, &imported, &err);
    config_free(config);
    if (rc < 0)
        return cli_fail(&err);
    cli_watch_end(true);
    /* To be used by scripts: names of cache directories have no odd bytes. */
    if (!file)
        (void)printf("%s\n", imported.path);
    return CLI_DONE;
}

static int run(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"platform", required_argument, NULL, 'p'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct wish wish = {0};

    for (int o; (o = cli_option(command, argc, argv, ":c:p:qh", options)) != -1;)
        switch (o) {
        case 'c':
            wish.config = optarg;
            break;
        case 'p':
            wish.platform = optarg;
            break;
        case 'q':
            wish.quiet = true;
            break;
        case 'h':
            cli_help(command);
            return CLI_DONE;
        default:
            return CLI_USAGE;
        }
    if (!cli_has_arguments(command, argc, 1, 2))
        return CLI_USAGE;
    return import(&wish, argv[optind], optind + 1 < argc ? argv[optind + 1] : NULL);
}

const struct command command_import = {
    .name = "import",
    .arguments = "[-q] [--platform ARCH[/VARIANT]] [--config FILE] REF [FILE]",
    .help = "gets an image from a registry, an OCI layout or an archive\n"
            "\n"
            "REF is docker://[USER@]REGISTRY/IMAGE[:TAG][@DIGEST], REGISTRY#IMAGE...,\n"
            "oci:DIR[:TAG] or docker-archive:FILE[:NAME[:TAG]]. Without FILE the image "
            "goes to\n"
            "the cache, unless it is there, and the path is printed.\n"
            "\n"
            "  -p, --platform ARCH[/VARIANT]  for another machine: arm64, arm/v7\n"
            "  -c, --config FILE              instead of /etc/slurm/vitrine.conf\n"
            "  -q, --quiet                    no progress, no remarks\n",
    .run = run,
};
