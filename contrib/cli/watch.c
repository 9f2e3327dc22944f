/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is shown while something takes its time, on standard error: a line that is written
 * over if that is a terminal, remarks in any case. A first signal asks to end, so that
 * nothing half-made is left.
 */
#include "cli.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t signalled;
static bool is_shown; /* there is something on the last line */

static void note_signal(int nr)
{
    signalled = nr;
    /* A second one need not wait. */
    (void)signal(nr, SIG_DFL);
}

static bool is_cancelled(void *arg)
{
    return signalled != 0;
}

static void show_progress(void *arg, const struct vitrine_progress *progress)
{
    const uint64_t mega = 1000 * 1000;

    (void)fprintf(stderr, "\r\33[K");
    if (progress->layers > 0)
        (void)fprintf(stderr, "layers %u/%u  ", progress->layers_done, progress->layers);
    (void)fprintf(stderr, "%" PRIu64, progress->bytes_done / mega);
    if (progress->bytes > 0)
        (void)fprintf(stderr, "/%" PRIu64, progress->bytes / mega);
    (void)fprintf(stderr, " MB");
    (void)fflush(stderr);
    is_shown = true;
}

static void show_remark(void *arg, const char *line)
{
    cli_watch_end();
    (void)fprintf(stderr, "vitrine: %s\n", line);
}

const struct vitrine_watch *cli_watch(bool quiet)
{
    static struct vitrine_watch watch = {.cancelled = is_cancelled};
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};

    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        struct sigaction old;

        /* What nohup(1) has had ignored stays so. */
        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(ends[i], &(struct sigaction){.sa_handler = note_signal},
                            NULL);
    }
    watch.remark = quiet ? NULL : show_remark;
    watch.progress = !quiet && isatty(STDERR_FILENO) ? show_progress : NULL;
    return &watch;
}

void cli_watch_end(void)
{
    if (is_shown)
        (void)fprintf(stderr, "\r\33[K");
    is_shown = false;
}

void cli_end_by_signal(void)
{
    if (!signalled)
        return;
    (void)signal(signalled, SIG_DFL);
    (void)raise(signalled);
}
