/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user. For an image that is a file nothing is done here, not even is the
 * configuration read: it costs such a job nothing that there are registries.
 */
#include "import.h"
#include "pin.h"
#include "report.h"
#include "stepd.h"
#include "submit.h"

#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <slurm/spank.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSWD_BUFFER 32768

/* Of the command that has loaded the plugin, from 22.05 to 26.05, in no header: its
 * options, and whether one of them was given, in whatever way. */
__attribute__((weak)) extern struct slurm_options opt;
__attribute__((weak)) extern bool slurm_option_isset(struct slurm_options *opt,
                                                     char *name);

static bool is_set(const char *option)
{
    return &opt && &slurm_option_isset && slurm_option_isset(&opt, (char *)option);
}

/* Whether the digest that the environment has is for what is submitted now. A step of a
 * job runs what the job was submitted with; a new job does only if it says nothing of its
 * image. */
static bool is_pinned(const struct options *options, char digest[VITRINE_DIGEST_MAX])
{
    const struct option_value *image = &options->values[OPTION_IMAGE];
    bool is_step = spank_context() == S_CTX_LOCAL && getenv("SLURM_JOB_ID");

    return (is_step || image->source != OPTIONS_COMMAND_LINE) &&
           pin_find(getenv(PIN_VARIABLE), image->text, digest);
}

static int pin(const char *image, const char *digest, struct vitrine_error *err)
{
    char *text = pin_add(getenv(PIN_VARIABLE), image, digest);
    int rc = text ? setenv(PIN_VARIABLE, text, 1) : -1;

    free(text);
    return rc < 0 ? vitrine_fail(err, VITRINE_EINTERNAL, "out of memory") : 0;
}

/* For what a node imports. */
static enum vitrine_talk tell_talk(void)
{
    bool quiet = is_set("quiet");

    if (quiet)
        (void)setenv(IMPORT_QUIET, "1", 1);
    else
        (void)unsetenv(IMPORT_QUIET);
    return quiet ? VITRINE_TALK_NOT : VITRINE_TALK_BAR;
}

/* What ends a command. srun of newer releases catches them, and looks at what it caught
 * when it has got its allocation. */
static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
enum { ENDS = sizeof(ends) / sizeof(*ends) };

static void heed_signals(struct sigaction old[ENDS])
{
    const struct sigaction end = {.sa_handler = SIG_DFL};

    for (int i = 0; i < ENDS; i++)
        if (sigaction(ends[i], NULL, &old[i]) == 0 && old[i].sa_handler != SIG_IGN)
            (void)sigaction(ends[i], &end, NULL);
}

static void restore_signals(const struct sigaction old[ENDS])
{
    for (int i = 0; i < ENDS; i++)
        (void)sigaction(ends[i], &old[i], NULL);
}

static int import(const struct vitrine_config *config, const char *image,
                  const char *pinned, enum vitrine_talk talk, struct vitrine_error *err)
{
    const char *inherited = getenv(SUBMIT_DIRECTORY);
    char buf[PASSWD_BUFFER], cwd[PATH_MAX], digest[VITRINE_DIGEST_MAX];
    const char *search[3] = {NULL};
    struct passwd entry, *found = NULL;
    struct sigaction old[ENDS];
    size_t n = 0;

    (void)getpwuid_r(getuid(), &entry, buf, sizeof(buf), &found);
    if (inherited)
        search[n++] = inherited;
    if (getcwd(cwd, sizeof(cwd)))
        search[n++] = cwd;
    const struct vitrine_spec spec = {
        .image = image,
        .image_digest = pinned,
        .search = search,
        .environ = (const char *const *)environ,
        .talk = talk,
        .identity = {.uid = getuid(),
                     .gid = getgid(),
                     .user = found ? found->pw_name : NULL,
                     .home = found ? found->pw_dir : NULL},
    };
    heed_signals(old);
    int rc = vitrine_import_early(config, &spec, digest, err);
    restore_signals(old);
    if (rc < 0)
        return -1;
    return digest[0] ? pin(image, digest, err) : 0;
}

int import_early(const struct options *options, const char *config_path,
                 struct vitrine_error *err)
{
    const char *image = options->values[OPTION_IMAGE].text;
    enum vitrine_image_kind kind = VITRINE_IMAGE_NONE;
    struct vitrine_config *config = NULL;
    char digest[VITRINE_DIGEST_MAX];

    if (!image || vitrine_image_check(image, &kind, NULL) < 0 ||
        (kind != VITRINE_IMAGE_IMPORTED && kind != VITRINE_IMAGE_NAME) ||
        is_set("test-only"))
        return 0;
    bool pinned = is_pinned(options, digest);
    enum vitrine_talk talk = tell_talk();
    /* In a container there is neither the program nor the host's cache, perhaps. */
    if (getenv("VITRINE_IMAGE"))
        return 0;
    int rc = vitrine_config_load(config_path ? config_path : STEPD_CONFIG,
                                 config_path != NULL, &config, err);
    if (rc == 0)
        rc = import(config, image, pinned ? digest : NULL, talk, err);
    else
        err->code = VITRINE_ECACHE;
    vitrine_config_free(config);
    if (rc < 0 && err->code != VITRINE_ECACHE)
        return vitrine_wrap(err, "%s", options->values[OPTION_IMAGE].said_by);
    if (rc == 0)
        return 0;
    /* A name is in all likelihood that of a file, which the nodes will find. */
    if (!pinned && kind == VITRINE_IMAGE_IMPORTED) {
        (void)vitrine_wrap(err,
                           "image %s will be imported by a node, since this host "
                           "cannot",
                           image);
        report_submit(err->text);
    }
    return 0;
}
