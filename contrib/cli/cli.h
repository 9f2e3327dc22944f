/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_CLI_CLI_H
#define VITRINE_CLI_CLI_H

/* What the subcommands of vitrine(1) share. */
#include "config/config.h"
#include "vitrine-import.h"

#include <getopt.h>
#include <stdbool.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct command {
    const char *name;
    const char *arguments; /* for the line of usage */
    const char *help;      /* some lines; the first one is a summary */
    int (*run)(const struct command *command, int argc, char **argv);
};

extern const struct command command_import, command_pack, command_unpack, command_info,
    command_verify;

/* Prints "vitrine: " and the error; returns CLI_FAILED. */
int cli_fail(const struct vitrine_error *err);
/* The same for a command line that makes no sense; returns CLI_USAGE. */
int cli_usage(const struct command *command, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

void cli_help(const struct command *command);

/* The next option, as getopt_long(3): -1 at the end, '?' after a message. --help is 'h'.
 */
int cli_option(const struct command *command, int argc, char **argv, const char *letters,
               const struct option *options);
/* Whether so many arguments are left behind the options; says what is wrong. */
bool cli_has_arguments(const struct command *command, int argc, int least, int most);

/* The command line of one that has no option but -q, and so many arguments: -1, or the
 * code to end with. */
int cli_only_quiet(const struct command *command, int argc, char **argv, int arguments,
                   bool *ret_quiet);

/* The configuration in `path`; NULL: the usual file, which may be missing. */
int cli_config(const char *path, struct config **ret, struct vitrine_error *err);

/* Imports the image that spec->image names: into a file, or into the cache if that is
 * NULL. Fills in the rest of the spec, who the user is and where his home. */
int cli_import(const struct config *config, struct vitrine_import_spec *spec,
               const char *file, struct vitrine_imported *ret, struct vitrine_error *err);

/* Progress and remarks on standard error, and whether a signal has asked to end; `what`
 * is done with `name`: "packing". */
const struct vitrine_watch *cli_watch(bool quiet, const char *what, const char *name);
/* The end of that, if it had begun. */
void cli_watch_end(bool well);
/* If a signal asked to end, ends as it would have. */
void cli_end_by_signal(void);

/* Prints text of an image: what would control a terminal is replaced. */
void cli_print_text(const char *text);
void cli_print_bytes(const char *text, size_t n);

#endif
