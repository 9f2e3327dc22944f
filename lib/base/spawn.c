/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user, in tasks and in srun: which may have other threads, so that between
 * fork and exec nothing is called that could wait for them. */
#include "base/spawn.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/syscalls.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Descriptors are moved above this first, so that none is overwritten by another. */
#define ABOVE_ALL 64

static neg_errno place_fds(const struct spawn *spawn)
{
    int high[SPAWN_FDS], null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (spawn->nfds > SPAWN_FDS)
        return -E2BIG;
    for (size_t i = 0; i < spawn->nfds; i++) {
        int wanted = spawn->fds[i] >= 0 ? spawn->fds[i] : null;

        if ((high[i] = fcntl(wanted, F_DUPFD_CLOEXEC, ABOVE_ALL)) < 0)
            return -errno;
    }
    for (size_t i = 0; i < spawn->nfds; i++)
        if (dup2(high[i], (int)i) < 0)
            return -errno;
    /* Everything else goes, but what the exec closes is above. */
    (void)sys_close_range((unsigned)spawn->nfds, ABOVE_ALL - 1, 0);
    (void)sys_close_range(ABOVE_ALL, ~0U, CLOSE_RANGE_CLOEXEC);
    return 0;
}

static void reset_signals(bool detached)
{
    static const int of_terminal[] = {SIGINT, SIGQUIT, SIGHUP, SIGTSTP};
    struct sigaction now;
    sigset_t none;

    for (int nr = 1; nr < NSIG; nr++) {
        bool keep = false;

        for (size_t i = 0; i < sizeof(of_terminal) / sizeof(*of_terminal); i++)
            keep = keep || (!detached && nr == of_terminal[i] &&
                            sigaction(nr, NULL, &now) == 0 && now.sa_handler == SIG_IGN);
        if (!keep)
            (void)signal(nr, SIG_DFL);
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static neg_errno settle(const struct spawn *spawn, pid_t parent)
{
    if (spawn->detached)
        return setsid() < 0 || chdir("/") < 0 ? -errno : 0;
    if (spawn->cwd && chdir(spawn->cwd) < 0)
        return -errno;
    if (prctl(PR_SET_PDEATHSIG, (long)SIGTERM, 0L, 0L, 0L) < 0)
        return -errno;
    return getppid() == parent ? 0 : -ESRCH;
}

/* The process until its exec; tells `report` why there is none. */
static void program_main(const struct spawn *spawn, pid_t parent, int report)
{
    int high_report = fcntl(report, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int rc = high_report < 0 ? -errno : 0;

    if (rc == 0 && spawn->become)
        rc = spawn->become(spawn->arg);
    /* To change one's capabilities takes back that one dies with the parent. */
    if (rc == 0)
        rc = settle(spawn, parent);
    reset_signals(spawn->detached);
    if (rc == 0)
        rc = place_fds(spawn);
    if (rc == 0) {
        (void)execve(spawn->program, spawn->argv, spawn->envp);
        rc = -errno;
    }
    (void)fd_write_full(high_report, &rc, sizeof(rc));
    _exit(1);
}

/* Forks once more, so that the program is nobody's child that a task could wait for. */
static void detach(const struct spawn *spawn, int report)
{
    pid_t pid = fork();

    if (pid == 0)
        program_main(spawn, 0, report);
    _exit(pid < 0 ? 1 : 0);
}

static neg_errno wait_for(pid_t pid, int *ret_status)
{
    while (waitpid(pid, ret_status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

neg_errno spawn_start(const struct spawn *spawn)
{
    int report[2], status = 0, failure = 0;
    pid_t parent = getpid();

    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0 && spawn->detached)
        detach(spawn, report[1]);
    if (pid == 0)
        program_main(spawn, parent, report[1]);
    (void)close(report[1]);
    cleanup_fd int reader = report[0];
    if (pid < 0)
        return -EAGAIN;
    int rc = spawn->detached ? wait_for(pid, &status) : 0;
    if (rc < 0 || status != 0)
        return rc < 0 ? rc : -EAGAIN;
    /* The other end closes with the program's exec, or brings the reason why there is
     * none. */
    ssize_t n;
    do {
        n = read(reader, &failure, sizeof(failure));
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof(failure)) {
        if (!spawn->detached)
            (void)wait_for(pid, &status);
        return failure;
    }
    return spawn->detached ? 0 : pid;
}
