/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The builder's life: born in the leader, made the owner of a namespace, gone before any
 * task joins. Its parent reads what it says over a socket; a builder that is killed
 * closes it, so nobody waits for the dead.
 */
#include "namespace/ns.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "privileged/userns.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* What the builder says at its end; the reply follows in the same message. */
struct ns_answer {
    int ok;
    struct vitrine_error err;
    char reply[];
};

static int builder_work(int sock, pid_t parent, uid_t user, ns_build_f build, void *arg,
                        void *reply, struct vitrine_error *err)
{
    int rc, none;
    char go = 0;

    if ((rc = userns_create()) < 0)
        return error_from(err, VITRINE_EUNSUPPORTED, rc,
                          "cannot create the container's namespaces; "
                          "Linux 5.14 or newer is needed and "
                          "/proc/sys/user/max_user_namespaces must not be 0");
    if ((rc = fd_send(sock, &go, sizeof(go), -1)) < 0 ||
        (rc = fd_recv(sock, &go, sizeof(go), false, &none)) < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "lost contact to the task");
    if ((rc = userns_settle(user)) < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot become the user");
    /* After the last change of credentials, which would clear it. */
    if (prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L) < 0 || getppid() != parent)
        return vitrine_fail(err, VITRINE_EINTERNAL, "the task died");
    return build(arg, reply, err);
}

/* Never returns. */
static void builder_main(int sock, pid_t parent, uid_t user, ns_build_f build, void *arg,
                         struct ns_answer *answer, size_t size)
{
    cleanup_fd int ns = -1;

    answer->ok =
        builder_work(sock, parent, user, build, arg, answer->reply, &answer->err) == 0
            ? 1
            : 0;
    if (answer->ok) {
        ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
        if (ns < 0) {
            answer->ok = 0;
            (void)vitrine_fail_sys(&answer->err, VITRINE_EINTERNAL,
                                   "cannot open the container's namespace");
        }
    }
    (void)fd_send(sock, answer, sizeof(*answer) + size, ns);
    _exit(0);
}

static pid_t builder_fork(int *ret_sock, uid_t user, ns_build_f build, void *arg,
                          struct ns_answer *answer, size_t size)
{
    int pair[2];
    pid_t parent = getpid();

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(pair[0]);
        builder_main(pair[1], parent, user, build, arg, answer, size);
    }
    (void)close(pair[1]);
    if (pid < 0)
        (void)close(pair[0]);
    else
        *ret_sock = pair[0];
    return pid;
}

/* The parent's half of the conversation. */
static int builder_serve(int sock, pid_t pid, ns_meanwhile_f meanwhile, void *arg,
                         struct ns_answer *answer, size_t size, int *ret_ns,
                         struct vitrine_error *err)
{
    cleanup_fd int passed = -1;
    char go;
    int rc, none;

    /* A builder that failed at once sends its answer in place of the first byte. */
    rc = fd_recv(sock, &go, sizeof(go), true, &none);
    if (rc == 0) {
        (void)fd_recv(sock, &go, sizeof(go), false, &none);
        if ((rc = userns_map(pid)) < 0)
            return error_from(err, VITRINE_EINTERNAL, rc,
                              "cannot map the ids of the container's namespace");
        if ((rc = fd_send(sock, &go, sizeof(go), -1)) < 0)
            return error_from(err, VITRINE_EINTERNAL, rc, "the container's builder died");
        if (meanwhile)
            meanwhile(arg, sock);
    }
    rc = fd_recv(sock, answer, sizeof(*answer) + size, false, &passed);
    if (rc == -EPIPE || rc == -ECONNRESET)
        return vitrine_fail(err, VITRINE_EINTERNAL,
                            "the container's builder was killed before it was done");
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc,
                          "cannot hear the container's builder");
    if (!answer->ok) {
        if (err)
            *err = answer->err;
        return -1;
    }
    *ret_ns = steal_fd(&passed);
    return 0;
}

int ns_build(ns_build_f build, ns_meanwhile_f meanwhile, void *arg, void *reply,
             size_t size, int *ret_ns, struct vitrine_error *err)
{
    cleanup_fd int sock = -1;
    cleanup_free struct ns_answer *answer = calloc(1, sizeof(*answer) + size);

    if (!answer || size > NS_REPLY_MAX)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    pid_t pid = builder_fork(&sock, geteuid(), build, arg, answer, size);
    if (pid < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot start the builder");
    int rc = builder_serve(sock, pid, meanwhile, arg, answer, size, ret_ns, err);
    if (rc < 0)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (rc == 0 && size > 0)
        memcpy(reply, answer->reply, size);
    return rc;
}
