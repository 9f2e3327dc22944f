/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is shown while something takes its time. A first signal asks to end, so that
 * nothing half-made is left. */
#include "cli.h"
#include "import/display.h"

#include <signal.h>
#include <stdio.h>

static volatile sig_atomic_t signalled;
static struct display display;
static bool is_open;
static char doing[256];

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

const struct vitrine_watch *cli_watch(bool quiet, const char *what, const char *name)
{
    static const struct vitrine_watch watch = {.progress = display_progress,
                                               .remark = display_remark,
                                               .cancelled = is_cancelled,
                                               .arg = &display};
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};

    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        struct sigaction old;

        /* What nohup(1) has had ignored stays so. */
        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(ends[i], &(struct sigaction){.sa_handler = note_signal},
                            NULL);
    }
    (void)snprintf(doing, sizeof(doing), "%s %s", what, name);
    for (char *p = doing; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    display_open(&display, quiet ? DISPLAY_QUIET : DISPLAY_AUTO, stderr, doing);
    is_open = true;
    return &watch;
}

void cli_watch_end(bool well)
{
    if (is_open)
        display_close(&display, well);
    is_open = false;
}

void cli_end_by_signal(void)
{
    if (!signalled)
        return;
    (void)signal(signalled, SIG_DFL);
    (void)raise(signalled);
}
