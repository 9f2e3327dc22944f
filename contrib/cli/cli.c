/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"
#include "base/cleanup.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* As the plugin. */
#define CONFIG "/etc/slurm/vitrine.conf"

int cli_fail(const struct vitrine_error *err)
{
    cli_watch_end(false);
    (void)fprintf(stderr, "vitrine: %s\n", err->text);
    cli_end_by_signal();
    return CLI_FAILED;
}

int cli_usage(const struct command *command, const char *fmt, ...)
{
    struct vitrine_error err;
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (command)
        (void)vitrine_fail(&err, VITRINE_EUSAGE, "%s: %s; try vitrine help %s",
                           command->name, text, command->name);
    else
        (void)vitrine_fail(&err, VITRINE_EUSAGE, "%s", text);
    (void)cli_fail(&err);
    return CLI_USAGE;
}

void cli_help(const struct command *command)
{
    (void)printf("Usage: vitrine %s %s\n\n%s", command->name, command->arguments,
                 command->help);
}

int cli_option(const struct command *command, int argc, char **argv, const char *letters,
               const struct option *options)
{
    int given;

    opterr = 0;
    given = getopt_long(argc, argv, letters, options, NULL);
    if (given == ':')
        (void)cli_usage(command, "the option %s needs a value", argv[optind - 1]);
    else if (given == '?' && optopt > 0 && optopt < 0x7f && !strchr(letters, optopt))
        (void)cli_usage(command, "unknown option -%c", optopt);
    else if (given == '?')
        (void)cli_usage(command, "the option %s is unknown, not clear, or takes no value",
                        argv[optind - 1]);
    return given == ':' ? '?' : given;
}

bool cli_has_arguments(const struct command *command, int argc, int least, int most)
{
    int n = argc - optind;

    if (n < least)
        (void)cli_usage(command, "an argument is missing: %s", command->arguments);
    if (n > most)
        (void)cli_usage(command, "too many arguments: %s", command->arguments);
    return n >= least && n <= most;
}

int cli_only_quiet(const struct command *command, int argc, char **argv, int arguments,
                   bool *ret_quiet)
{
    static const struct option options[] = {
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };

    for (int o; (o = cli_option(command, argc, argv, ":qh", options)) != -1;)
        switch (o) {
        case 'q':
            *ret_quiet = true;
            break;
        case 'h':
            cli_help(command);
            return CLI_DONE;
        default:
            return CLI_USAGE;
        }
    return cli_has_arguments(command, argc, arguments, arguments) ? -1 : CLI_USAGE;
}

int cli_config(const char *path, struct config **ret, struct vitrine_error *err)
{
    return config_load(path ? path : CONFIG, path != NULL, ret, err);
}

int cli_import(const struct config *config, struct vitrine_import_spec *spec,
               const char *file, struct vitrine_imported *ret, struct vitrine_error *err)
{
    const struct passwd *who = getpwuid(getuid());
    /* The public name of the same. */
    const struct vitrine_config *public = (const void *)config;

    spec->home = getenv("HOME");
    if (who && (!spec->home || spec->home[0] != '/'))
        spec->home = who->pw_dir;
    spec->user = who ? who->pw_name : NULL;
    spec->environ = (const char *const *)environ;
    return file ? vitrine_import_file(public, spec, file, ret->digest, err)
                : vitrine_import(public, spec, ret, err);
}

void cli_print_bytes(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned char next = i + 1 < n ? (unsigned char)text[i + 1] : 0;
        bool is_second = c == 0xc2 && next >= 0x80 && next < 0xa0; /* U+0080 to U+009F */

        (void)putchar(c < 0x20 || c == 0x7f || is_second ? '?' : c);
        i += is_second;
    }
}

void cli_print_text(const char *text)
{
    cli_print_bytes(text, strlen(text));
}
