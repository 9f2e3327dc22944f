/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts vitrine-save. Runs as the user, in the task that prepares the container;
 * save_finish() may run as root in slurmstepd.
 *
 * A program of its own, for the reasons that the FUSE server has (image/fuse.c): it reads
 * a hostile image, and it needs libsquashfs, which slurmstepd must not load. It is
 * started before the step's work and not after, since only the leader has the user's
 * descriptors, and so that it lives in the step's cgroup.
 */
#include "save/save.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/syscalls.h"
#include "build-config.h"
#include "privileged/caps.h"
#include "save/save-protocol.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Tests start the program that they have built. */
#ifndef SAVE_PROGRAM
#define SAVE_PROGRAM VITRINE_SAVE_PROGRAM
#endif

/* How long it may be silent: it beats every two seconds, but may wait for a file server
 * before it has begun. */
#define SILENCE_MS 60000

/* What may still be in its socket when it has ended; whoever else has taken hold of that
 * can write for ever. */
#define LATE_MAX 1000

/* Descriptors are moved above this first, so that none is overwritten by another. */
#define ABOVE_ALL 64

static neg_errno place_fds(const struct save_spec *spec, int control)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int wanted[] = {null,           null,
                          null,           control,
                          spec->base,     spec->upper >= 0 ? spec->upper : null,
                          spec->directory};
    int high[sizeof(wanted) / sizeof(*wanted)];

    for (size_t i = 0; i < sizeof(high) / sizeof(*high); i++)
        if ((high[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, ABOVE_ALL)) < 0)
            return -errno;
    for (size_t i = 0; i < sizeof(high) / sizeof(*high); i++)
        if (dup2(high[i], (int)i) < 0)
            return -errno;
    return 0;
}

/*
 * In the user namespace uid 0 is the user himself, and the capabilities that entering
 * gives count for his own ids alone. That he may trace processes in there does not let
 * him into this one before its exec: its memory belongs to the host's namespace.
 */
static neg_errno become(int user_ns)
{
    int rc;

    if (user_ns < 0)
        return caps_drop();
    rc = caps_raise();
    if (rc == 0 && setns(user_ns, CLONE_NEWUSER) < 0)
        rc = -errno;
    if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
        rc = -errno;
    return rc;
}

/* A descriptor of the process, while it is not yet in the user's power. */
static neg_errno tell_process(int control)
{
    const struct save_message message = {.ok = SAVE_WORKS};
    cleanup_fd int self = sys_pidfd_open(getpid());

    return self < 0 ? self : fd_send(control, &message, sizeof(message), self);
}

/* The process until its exec; says why if there is none. */
static void program_main(const struct save_spec *spec, int control)
{
    struct save_message message = {.ok = 0};
    char offset[24] = "-";
    char *const argv[] = {(char *)"vitrine-save", offset, (char *)spec->name, NULL};
    char *const envp[] = {NULL};
    int high_control = fcntl(control, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int rc = setsid() < 0 || chdir("/") < 0 ? -errno : become(spec->user_ns);
    sigset_t none;

    if (!spec->is_directory)
        (void)snprintf(offset, sizeof(offset), "%" PRIu64, spec->offset);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (int signal_nr = 1; signal_nr < NSIG; signal_nr++)
        (void)signal(signal_nr, SIG_DFL);
    if (rc == 0)
        rc = tell_process(control);
    if (rc == 0)
        rc = place_fds(spec, control);
    if (rc == 0) {
        /* Everything else of slurmstepd's goes; what is above 64 closes on exec. */
        (void)sys_close_range(SAVE_DIRECTORY_FD + 1, ABOVE_ALL - 1, 0);
        (void)sys_close_range(ABOVE_ALL, ~0U, CLOSE_RANGE_CLOEXEC);
        (void)execve(SAVE_PROGRAM, argv, envp);
        rc = -errno;
    }
    (void)snprintf(message.text, sizeof(message.text),
                   "cannot start this node's " SAVE_PROGRAM ": %s", strerror(-rc));
    (void)fd_send(high_control, &message, sizeof(message), -1);
    _exit(1);
}

/* Forks twice, so that it is nobody's child that a task could wait for. */
static neg_errno start(const struct save_spec *spec, int control)
{
    int status;
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        pid = fork();
        if (pid == 0)
            program_main(spec, control);
        _exit(pid < 0 ? 1 : 0);
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return status == 0 ? 0 : -EAGAIN;
}

/*
 * The next message; -ETIME if nothing is heard from a process that may be stopped, -EPIPE
 * from one that has ended. *ret_dead: it had, before this was read. *ret_passed is a
 * descriptor that came with it, or -1.
 */
static neg_errno receive_one(int control, int process, struct save_message *ret,
                             int *ret_passed, bool *ret_dead)
{
    struct pollfd pollers[] = {{.fd = control, .events = POLLIN},
                               {.fd = process, .events = POLLIN}};
    int n;

    do {
        n = poll(pollers, 2, SILENCE_MS);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? -errno : -ETIME;
    *ret_dead = pollers[1].revents != 0;
    if (!pollers[0].revents)
        return -EPIPE;
    return fd_recv(control, ret, sizeof(*ret), false, ret_passed);
}

/*
 * What it says at last, of which nothing is believed but whether it says yes. The user
 * can hand its socket to a process that outlives the step: what is heard counts as long
 * as the one that was started lives. Its first word tells *ret_process, if wanted.
 */
static int receive(int control, int process, int *ret_process, enum vitrine_errcode code,
                   struct vitrine_error *err)
{
    struct save_message message = {.ok = SAVE_FAILED};
    bool dead = false;
    int rc, late = 0;

    do {
        int passed = -1;

        rc = receive_one(control, process, &message, &passed, &dead);
        if (ret_process && *ret_process < 0)
            *ret_process = process = passed;
        else if (passed >= 0)
            (void)close(passed);
        late += dead;
    } while (rc == 0 && message.ok == SAVE_WORKS && late < LATE_MAX);
    if (rc == 0 && message.ok == SAVE_WORKS)
        rc = -EPIPE;
    if (rc == -ETIME)
        return vitrine_fail(
            err, VITRINE_EINTERNAL,
            "the process that saves the container does not answer (was it "
            "stopped?); an old file is unchanged");
    if (rc == -EPIPE || rc == -ECONNRESET)
        return vitrine_fail(err, VITRINE_EINTERNAL,
                            "the process that saves the container was killed (out of "
                            "memory?); an old file is unchanged");
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc,
                          "the process that saves the container is out of order");
    if (message.ok == SAVE_DONE)
        return 0;
    message.text[sizeof(message.text) - 1] = '\0';
    /* Control characters become harmless in there. */
    return vitrine_fail(err, code, "%s", message.text);
}

int save_start(const struct save_spec *spec, int *ret_control, int *ret_process,
               struct vitrine_error *err)
{
    int pair[2], told = -1;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot make a socket");
    cleanup_fd int ours = pair[0];
    int rc = start(spec, pair[1]);
    (void)close(pair[1]);
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc,
                          "cannot start the process that saves the container");
    rc = receive(ours, -1, &told, VITRINE_EUSAGE, err);
    cleanup_fd int process = told;
    if (rc < 0)
        return -1;
    *ret_control = steal_fd(&ours);
    *ret_process = steal_fd(&process);
    return 0;
}

int save_finish(int control, int process, struct vitrine_error *err)
{
    const char go = SAVE_GO;
    int rc = fd_send(control, &go, 1, -1);

    /* If it has gone, what it said before may tell why. */
    if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET)
        return error_from(err, VITRINE_EINTERNAL, rc,
                          "cannot reach the process that saves the container");
    return receive(control, process, NULL, VITRINE_EINTERNAL, err);
}
