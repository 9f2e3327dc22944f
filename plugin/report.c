/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <poll.h>
#include <slurm/spank.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AFTER_TASK_MS 50

void report_task(const char *node, const char *text)
{
    char line[sizeof(((struct vitrine_error *)NULL)->text) + 128];
    int n = snprintf(line, sizeof(line), "vitrine: %s: %s\n", node, text);

    /* Straight to the descriptor that the task's stderr already is: slurm_error() would
     * reach the user too, but with another prefix on each release; and in one write, so
     * that the lines of several nodes do not mix. */
    if (n > 0)
        (void)!write(STDERR_FILENO, line,
                     (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

void report_step(const char *node, const char *text)
{
    /* Slurm 22.05 loses what is said at the moment when a task ends. */
    (void)poll(NULL, 0, AFTER_TASK_MS);
    slurm_spank_log("vitrine: %s: %s", node, text);
}

void report_submit(const char *text)
{
    slurm_spank_log("vitrine: %s", text);
}

void report_admin(const char *text)
{
    slurm_info("vitrine: %s", text);
}
