/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as root in slurmstepd, between the forks of which nothing is done that other
 * threads could have left locked. */
#include "sentinel.h"

#include "base/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Spared is only what is called slurmstepd. */
static void watch(int fd)
{
    sigset_t none;

    (void)prctl(PR_SET_NAME, "vitrine-wait", 0L, 0L, 0L);
    (void)prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
    (void)dup2(fd, 0);
    (void)sys_close_range(1, ~0U, 0);
    for (int nr = 1; nr < NSIG; nr++)
        (void)signal(nr, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (;;)
        (void)pause();
}

void sentinel_start(struct sentinel *ret)
{
    int ends[2];

    *ret = (struct sentinel){.pid = -1, .fd = -1};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    ret->pid = fork();
    if (ret->pid == 0)
        watch(ends[1]);
    (void)close(ends[1]);
    if (ret->pid > 0)
        ret->fd = ends[0];
    else
        (void)close(ends[0]);
}

void sentinel_end(struct sentinel *sentinel)
{
    if (sentinel->fd < 0)
        return;
    (void)close(sentinel->fd);
    (void)kill(sentinel->pid, SIGKILL);
    while (waitpid(sentinel->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *sentinel = (struct sentinel){.pid = -1, .fd = -1};
}
