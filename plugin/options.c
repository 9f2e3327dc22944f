/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"
#include "optiontext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The opposite of a switch stands below it. */
const struct option_spelling options_spellings[OPTIONS_SPELLINGS] = {
    {"--container-image", "FILE|DIR|docker://IMAGE|none",
     "run the tasks inside this image: a SquashFS or SIF file, a directory, or an image "
     "in a registry",
     NULL, OPTION_IMAGE},
    {"--container-mounts", "SRC[:DST[:FLAGS]][,...]",
     "show these files and directories of the host in the container", NULL,
     OPTION_MOUNTS},
    {"--container-workdir", "PATH", "start the tasks in this directory of the container",
     NULL, OPTION_WORKDIR},
    {"--container-name", "NAME[:auto|create|exec|no_exec]",
     "keep the container under this name, or use the one that has it", NULL, OPTION_NAME},
    {"--container-save", "FILE", "write the container to this image file at the end",
     NULL, OPTION_SAVE},
    {"--container-mount-home", NULL, "show the home directory in the container", "yes",
     OPTION_MOUNT_HOME},
    {"--no-container-mount-home", NULL, "do not show the home directory", "no",
     OPTION_MOUNT_HOME},
    {"--container-remap-root", NULL, "appear to be root in the container", "yes",
     OPTION_REMAP_ROOT},
    {"--no-container-remap-root", NULL, "be the same user in the container", "no",
     OPTION_REMAP_ROOT},
    {"--container-entrypoint", NULL, "run the entry point of the image first", "yes",
     OPTION_ENTRYPOINT},
    {"--no-container-entrypoint", NULL, "do not run the entry point of the image", "no",
     OPTION_ENTRYPOINT},
    {"--container-entrypoint-log", NULL, "show what the entry point prints", "yes",
     OPTION_ENTRYPOINT_LOG},
    {"--container-writable", "[node|task]",
     "let the tasks write to the container's files, to the same ones on a node or to "
     "each task's own",
     "yes", OPTION_WRITABLE},
    {"--container-readonly", NULL, "do not let the tasks write to the container's files",
     "no", OPTION_WRITABLE},
    {"--container-env", "NAME[,NAME...]",
     "keep these variables as they are, whatever the image makes of them", NULL,
     OPTION_ENV},
    {"--container-unshare", "net,ipc,uts",
     "give the container a network, IPC or host name of its own", NULL, OPTION_UNSHARE},
};

static const char *const submit_variables[OPTION_COUNT] = {
    [OPTION_IMAGE] = "SLURM_VITRINE_IMAGE",
    [OPTION_MOUNTS] = "SLURM_VITRINE_MOUNTS",
    [OPTION_WORKDIR] = "SLURM_VITRINE_WORKDIR",
    [OPTION_NAME] = "SLURM_VITRINE_NAME",
    [OPTION_SAVE] = "SLURM_VITRINE_SAVE",
    [OPTION_MOUNT_HOME] = "SLURM_VITRINE_MOUNT_HOME",
    [OPTION_REMAP_ROOT] = "SLURM_VITRINE_REMAP_ROOT",
    [OPTION_ENTRYPOINT] = "SLURM_VITRINE_ENTRYPOINT",
    [OPTION_ENTRYPOINT_LOG] = "SLURM_VITRINE_ENTRYPOINT_LOG",
    [OPTION_WRITABLE] = "SLURM_VITRINE_WRITABLE",
    [OPTION_ENV] = "SLURM_VITRINE_ENV",
    [OPTION_UNSHARE] = "SLURM_VITRINE_UNSHARE",
};

const char *options_variable(enum option option)
{
    return submit_variables[option];
}

/* What follows VITRINE_CONTAINER_ and PYXIS_CONTAINER_. */
static const char *suffix_of(enum option option)
{
    return submit_variables[option] + strlen("SLURM_VITRINE_");
}

static void unset(struct option_value *value)
{
    free(value->text);
    *value = (struct option_value){0};
}

void options_free(struct options *options)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        unset(&options->values[i]);
    free(options->container);
    free(options->names);
    free(options->keep_env);
    *options = (struct options){0};
}

/* Takes over `text`. */
static void set(struct options *options, enum option option, char *text,
                enum options_source source, const char *said_by)
{
    struct option_value *value = &options->values[option];

    unset(value);
    value->text = text;
    value->source = source;
    (void)snprintf(value->said_by, sizeof(value->said_by), "%s", said_by);
}

/* --- the command line -----------------------------------------------------------------
 */

/* What a spelling with this value says, as optiontext_read() understands it. NULL if it
 * may not have this value. */
static const char *meaning(int spelling, const char *arg)
{
    const struct option_spelling *s = &options_spellings[spelling];

    if (!s->says)
        return arg ? arg : "";
    if (!s->value || !arg || !arg[0] || strcmp(arg, "(null)") == 0)
        return s->says;
    return strcmp(arg, "task") == 0 || strcmp(arg, "node") == 0 ? arg : NULL;
}

static int read_spelled(int spelling, const char *arg, char **ret,
                        struct vitrine_error *err)
{
    const struct option_spelling *s = &options_spellings[spelling];
    const char *text = meaning(spelling, arg);

    if (!text) {
        (void)vitrine_fail(err, VITRINE_EUSAGE,
                           "%s: give task, or node, or nothing, not %.100s", s->flag,
                           arg);
        return -1;
    }
    if (optiontext_read(s->option, text, ret, err) < 0)
        return vitrine_wrap(err, "%s", s->flag);
    return 0;
}

static int fail_twice(const struct option_value *before, int spelling, const char *text,
                      struct vitrine_error *err)
{
    const char *flag = options_spellings[spelling].flag;

    if (strcmp(before->said_by, flag) != 0)
        return vitrine_fail(err, VITRINE_EUSAGE, "%s and %s contradict each other",
                            before->said_by, flag);
    if (options_spellings[spelling].says)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "%s is given for the node and for each task", flag);
    return vitrine_fail(err, VITRINE_EUSAGE, "%s is given twice: %s and %s", flag,
                        before->text, text);
}

int options_add(struct options *options, int spelling, const char *arg, bool strict,
                struct vitrine_error *err)
{
    const struct option_spelling *s = &options_spellings[spelling];
    const struct option_value *before = &options->values[s->option];
    bool again = before->text && before->source == OPTIONS_COMMAND_LINE;
    char *text = NULL, *joined = NULL;

    if (read_spelled(spelling, arg, &text, err) < 0)
        return -1;
    if (again && optiontext_is_list(s->option)) {
        int rc = optiontext_join(s->option, before->text, text, &joined, err);

        free(text);
        if (rc < 0)
            return vitrine_wrap(err, "%s", s->flag);
        text = joined;
    } else if (again && strict && s->option != OPTION_IMAGE &&
               strcmp(before->text, text) != 0) {
        (void)fail_twice(before, spelling, text, err);
        free(text);
        return -1;
    }
    set(options, s->option, text, OPTIONS_COMMAND_LINE, s->flag);
    return 0;
}

int options_spell(const struct options *options, enum option option,
                  const char **ret_value)
{
    const char *text = options->values[option].text;
    int best = -1;

    for (int i = 0; i < OPTIONS_SPELLINGS; i++) {
        const struct option_spelling *s = &options_spellings[i];

        if (s->option == option && (best < 0 || (s->says && strcmp(s->says, text) == 0)))
            best = i;
    }
    const struct option_spelling *s = &options_spellings[best];
    *ret_value = s->value && (!s->says || strcmp(s->says, text) != 0) ? text : "";
    return best;
}

/* --- everything else ------------------------------------------------------------------
 */

/* 1 if Slurm was told of the option, or of its opposite. */
static int find_told(struct options *options, enum option option,
                     const struct options_lookup *lookup, struct vitrine_error *err)
{
    const char *complete, *flag = NULL, *value;
    char *text = NULL;

    for (int i = 0; i < OPTIONS_SPELLINGS && !flag; i++) {
        const char *told =
            options_spellings[i].option == option ? lookup->told(lookup->arg, i) : NULL;

        if (!told)
            continue;
        flag = options_spellings[i].flag;
        if (!lookup->variable(lookup->arg, options_variable(option)) &&
            read_spelled(i, told, &text, err) < 0)
            return -1;
    }
    if (!flag)
        return 0;
    complete = lookup->variable(lookup->arg, options_variable(option));
    if (!text && complete && complete[0] &&
        optiontext_read(option, complete, &text, err) < 0)
        return vitrine_wrap(err, "%s", flag);
    if (text) {
        set(options, option, text, lookup->told_as, flag);
        flag = options_spellings[options_spell(options, option, &value)].flag;
        (void)snprintf(options->values[option].said_by, OPTIONS_VARIABLE_MAX, "%s", flag);
    }
    return 1;
}

/* 1 if the variable says something. `opposite`: it is that of --container-readonly. */
static int find_variable(struct options *options, enum option option, const char *name,
                         enum options_source source, bool opposite,
                         const struct options_lookup *lookup, struct vitrine_error *err)
{
    const char *value = lookup->variable(lookup->arg, name);
    /* An option that takes the same words, without those of OPTION_WRITABLE alone. */
    enum option read_as = opposite ? OPTION_MOUNT_HOME : option;
    char *text = NULL;

    if (!value || !value[0])
        return 0;
    if (optiontext_read(read_as, value, &text, err) < 0)
        return vitrine_wrap(err, "%s", name);
    if (opposite) {
        bool yes = text[0] == 'y';

        free(text);
        if (optiontext_read(option, yes ? "no" : "yes", &text, err) < 0)
            return -1;
    }
    set(options, option, text, source, name);
    return 1;
}

static int find_in_environment(struct options *options, enum option option,
                               const struct options_lookup *lookup,
                               struct vitrine_error *err)
{
    static const struct {
        const char *prefix;
        enum options_source source;
    } prefixes[] = {
        {"VITRINE_CONTAINER_", OPTIONS_VITRINE_ENV},
        {"PYXIS_CONTAINER_", OPTIONS_PYXIS_ENV},
    };
    char name[OPTIONS_VARIABLE_MAX];

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", prefixes[i].prefix, suffix_of(option));
        int found =
            find_variable(options, option, name, prefixes[i].source, false, lookup, err);
        if (found == 0 && option == OPTION_WRITABLE) {
            (void)snprintf(name, sizeof(name), "%sREADONLY", prefixes[i].prefix);
            found = find_variable(options, option, name, prefixes[i].source, true, lookup,
                                  err);
        }
        if (found != 0)
            return found;
    }
    return find_variable(options, option, options_variable(option), OPTIONS_SUBMIT_ENV,
                         false, lookup, err);
}

static bool is_none(const struct options *options)
{
    const char *image = options->values[OPTION_IMAGE].text;

    return image && strcmp(image, "none") == 0;
}

/* An image and a name both say which container is meant. A name is more than a `none`
 * that was said further away, and an image that is given now more than the name of the
 * job's own container. */
static void settle_name(struct options *options)
{
    struct option_value *image = &options->values[OPTION_IMAGE];
    struct option_value *name = &options->values[OPTION_NAME];

    if (!image->text || !name->text)
        return;
    if (is_none(options) && name->source < image->source)
        unset(image);
    else if (image->source == OPTIONS_COMMAND_LINE && name->source == OPTIONS_INHERITED)
        unset(name);
}

static int split_names(struct options *options, const char *list,
                       struct vitrine_error *err)
{
    size_t count = 1, n = 0;

    for (const char *c = list; *c; c++)
        count += *c == ',';
    options->names = strdup(list);
    options->keep_env = calloc(count + 1, sizeof(*options->keep_env));
    if (!options->names || !options->keep_env)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    for (char *rest = options->names; rest;)
        options->keep_env[n++] = strsep(&rest, ",");
    return 0;
}

/* What options_fill() needs in pieces. */
static int split(struct options *options, struct vitrine_error *err)
{
    const char *name = options->values[OPTION_NAME].text;
    const char *env = options->values[OPTION_ENV].text;
    enum vitrine_start start;

    free(options->container);
    free(options->names);
    free(options->keep_env);
    options->container = options->names = NULL;
    options->keep_env = NULL;
    if (name) {
        options->container = strndup(name, optiontext_name(name, &start));
        if (!options->container)
            return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    }
    return env ? split_names(options, env, err) : 0;
}

int options_resolve(struct options *options, const struct options_lookup *lookup,
                    struct vitrine_error *err)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        struct option_value *value = &options->values[i];

        if (value->text && value->source == OPTIONS_COMMAND_LINE)
            continue;
        unset(value);
        int found = find_told(options, (enum option)i, lookup, err);
        if (found == 0)
            found = find_in_environment(options, (enum option)i, lookup, err);
        if (found < 0)
            return -1;
    }
    settle_name(options);
    return split(options, err);
}

/* --- what they mean together ----------------------------------------------------------
 */

bool options_want_host(const struct options *options)
{
    return is_none(options);
}

bool options_want_container(const struct options *options)
{
    return !is_none(options) &&
           (options->values[OPTION_IMAGE].text || options->values[OPTION_NAME].text);
}

bool options_useless(const struct options *options, char *buf, size_t size)
{
    size_t len = 0;
    int count = 0;

    if (options_want_host(options) || options_want_container(options))
        return false;
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_value *value = &options->values[i];

        if (!value->text || value->source > OPTIONS_INHERITED || len >= size)
            continue;
        len += (size_t)snprintf(buf + len, size - len, "%s%s", count++ > 0 ? ", " : "",
                                value->said_by);
    }
    if (len < size)
        (void)snprintf(buf + len, size - len,
                       " %s no effect without --container-image or --container-name",
                       count == 1 ? "has" : "have");
    return count > 0;
}

static enum vitrine_choice choice_of(const struct options *options, enum option option)
{
    const char *text = options->values[option].text;

    return !text ? VITRINE_UNSET : strcmp(text, "yes") == 0 ? VITRINE_YES : VITRINE_NO;
}

static enum vitrine_root root_of(const char *text)
{
    if (!text)
        return VITRINE_ROOT_UNSET;
    if (strcmp(text, "task") == 0)
        return VITRINE_ROOT_PRIVATE;
    return strcmp(text, "yes") == 0 ? VITRINE_ROOT_WRITABLE : VITRINE_ROOT_READONLY;
}

void options_fill(const struct options *options, struct vitrine_spec *spec)
{
    const struct option_value *values = options->values;

    spec->image = is_none(options) ? NULL : values[OPTION_IMAGE].text;
    spec->mounts = values[OPTION_MOUNTS].text;
    spec->workdir = values[OPTION_WORKDIR].text;
    spec->container = options->container;
    if (values[OPTION_NAME].text)
        (void)optiontext_name(values[OPTION_NAME].text, &spec->start);
    spec->save = values[OPTION_SAVE].text;
    spec->mount_home = choice_of(options, OPTION_MOUNT_HOME);
    spec->remap_root = choice_of(options, OPTION_REMAP_ROOT);
    spec->entrypoint = choice_of(options, OPTION_ENTRYPOINT);
    spec->entrypoint_log = choice_of(options, OPTION_ENTRYPOINT_LOG) == VITRINE_YES;
    spec->root = root_of(values[OPTION_WRITABLE].text);
    spec->keep_env = options->keep_env;
    if (values[OPTION_UNSHARE].text)
        spec->unshare = optiontext_unshare(values[OPTION_UNSHARE].text);
}
