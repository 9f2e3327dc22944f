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
#include "base/spawn.h"
#include "base/syscalls.h"
#include "build-config.h"
#include "privileged/caps.h"
#include "save/save-protocol.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* Tests start the program that they have built. */
#ifndef SAVE_PROGRAM
#define SAVE_PROGRAM VITRINE_SAVE_PROGRAM
#endif

/* How long it may be silent: it beats every two seconds, but may wait for a file server
 * before it has begun. */
#define SILENCE_MS 60000

/* What may still be in its pipe when it has ended; whoever else has taken hold of that
 * can write for ever. */
#define LATE_MAX 1000

/* The program's ends. */
struct ends {
    int control, answers;
    int hello; /* a socket, until its exec */
};

/* Who it becomes, and whom it tells. */
struct program {
    int user_ns, hello;
};

/*
 * In the user namespace uid 0 is the user himself, and the capabilities that entering
 * gives count for his own ids alone. That he may trace processes in there does not let
 * him into this one before its exec: its memory belongs to the host's namespace.
 */
static neg_errno enter(int user_ns)
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
static neg_errno tell_process(int hello)
{
    const struct save_message message = {.ok = SAVE_WORKS};
    cleanup_fd int self = sys_pidfd_open(getpid());

    return self < 0 ? self : fd_send(hello, &message, sizeof(message), self);
}

static neg_errno become(void *arg)
{
    const struct program *program = arg;
    int rc = enter(program->user_ns);

    return rc < 0 ? rc : tell_process(program->hello);
}

static neg_errno start(const struct save_spec *spec, const struct ends *ends)
{
    char offset[24] = "-";
    char *const argv[] = {(char *)"vitrine-save", offset, (char *)spec->name, NULL};
    char *const envp[] = {NULL};
    const int fds[] = {
        [STDIN_FILENO] = -1,
        [STDOUT_FILENO] = -1,
        [STDERR_FILENO] = -1,
        [SAVE_CONTROL_FD] = ends->control,
        [SAVE_BASE_FD] = spec->base,
        [SAVE_UPPER_FD] = spec->upper,
        [SAVE_DIRECTORY_FD] = spec->directory,
        [SAVE_ANSWERS_FD] = ends->answers,
    };
    struct program program = {.user_ns = spec->user_ns, .hello = ends->hello};
    const struct spawn spawn = {
        .program = SAVE_PROGRAM,
        .argv = argv,
        .envp = envp,
        .fds = fds,
        .nfds = sizeof(fds) / sizeof(*fds),
        .detached = true,
        .become = become,
        .arg = &program,
    };

    if (!spec->is_directory)
        (void)snprintf(offset, sizeof(offset), "%" PRIu64, spec->offset);
    return spawn_start(&spawn);
}

/*
 * The next message; -ETIME if nothing is heard from a process that may be stopped, -EPIPE
 * from one that has ended, -ECANCELED if the other end of `until` closes first.
 * *ret_dead: it had, before this was read.
 */
static neg_errno receive_one(const struct save_process *process, int until,
                             struct save_message *ret, bool *ret_dead)
{
    struct pollfd pollers[] = {{.fd = process->answers, .events = POLLIN},
                               {.fd = process->pid, .events = POLLIN},
                               {.fd = until}};
    int n;

    do {
        n = poll(pollers, 3, SILENCE_MS);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? -errno : -ETIME;
    *ret_dead = pollers[1].revents != 0;
    if (pollers[2].revents)
        return -ECANCELED;
    if (!(pollers[0].revents & POLLIN))
        return -EPIPE;
    ssize_t size = read(process->answers, ret, sizeof(*ret));
    return size < 0 ? -errno : size == (ssize_t)sizeof(*ret) ? 0 : -EPROTO;
}

/*
 * What it says at last, of which nothing is believed but whether it says yes. The user
 * can hand its pipe to a process that outlives the step: what is heard counts as long as
 * the one that was started lives.
 */
static int receive(const struct save_process *process, int until,
                   enum vitrine_errcode code, struct vitrine_error *err)
{
    struct save_message message = {.ok = SAVE_FAILED};
    bool dead = false;
    int rc, late = 0;

    do {
        rc = receive_one(process, until, &message, &dead);
        late += dead;
    } while (rc == 0 && message.ok == SAVE_WORKS && late < LATE_MAX);
    if (rc == 0 && message.ok == SAVE_WORKS)
        rc = -EPIPE;
    if (rc == -ETIME)
        return vitrine_fail(
            err, VITRINE_EINTERNAL,
            "the process that saves the container does not answer (was it "
            "stopped?); an old file is unchanged");
    if (rc == -ECANCELED)
        return vitrine_fail(err, VITRINE_EINTERNAL,
                            "the container is not saved, because its step was killed; an "
                            "old file is unchanged");
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

static neg_errno open_ends(struct save_process *ours, int *hello, struct ends *theirs)
{
    int control[2], answers[2], greeting[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
        return -errno;
    ours->control = control[0];
    theirs->control = control[1];
    /* Nothing comes in there, and no descriptors with it: to close those of a user's can
     * take as long as he likes (SO_LINGER, a file of his FUSE server). */
    if (shutdown(control[0], SHUT_RD) < 0 || pipe2(answers, O_CLOEXEC) < 0)
        return -errno;
    ours->answers = answers[0];
    theirs->answers = answers[1];
    if (fcntl(answers[0], F_SETFL, O_NONBLOCK) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, greeting) < 0)
        return -errno;
    *hello = greeting[0];
    theirs->hello = greeting[1];
    return 0;
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

static int greet(int hello, struct save_process *ret, struct vitrine_error *err)
{
    struct save_message message = {.ok = SAVE_FAILED};
    int rc = fd_recv(hello, &message, sizeof(message), false, &ret->pid);

    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc,
                          "cannot start the process that saves the container");
    return receive(ret, -1, VITRINE_EUSAGE, err);
}

int save_start(const struct save_spec *spec, struct save_process *ret,
               struct vitrine_error *err)
{
    struct save_process ours = SAVE_PROCESS_NONE;
    struct ends theirs = {-1, -1, -1};
    int hello = -1, rc = open_ends(&ours, &hello, &theirs);

    if (rc == 0)
        rc = start(spec, &theirs);
    close_all((const int[]){theirs.control, theirs.answers, theirs.hello}, 3);
    if (rc < 0)
        (void)error_from(err, VITRINE_EINTERNAL, rc,
                         "cannot start this node's " SAVE_PROGRAM);
    else
        rc = greet(hello, &ours, err);
    close_all(&hello, 1);
    if (rc < 0) {
        close_all((const int[]){ours.control, ours.answers, ours.pid}, 3);
        return -1;
    }
    *ret = ours;
    return 0;
}

int save_finish(const struct save_process *process, int until, struct vitrine_error *err)
{
    const char go = SAVE_GO;
    int rc = fd_send(process->control, &go, 1, -1);

    /* If it has gone, what it said before may tell why. */
    if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET)
        return error_from(err, VITRINE_EINTERNAL, rc,
                          "cannot reach the process that saves the container");
    return receive(process, until, VITRINE_EINTERNAL, err);
}
