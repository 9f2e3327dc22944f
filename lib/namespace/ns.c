/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The builder's life: born in the leader, made the owner of a namespace, gone before any
 * task joins. Its parent reads what it says over a socket; a builder that is killed
 * closes it, so nobody waits for the dead.
 */
#include "namespace/ns.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "namespace/loopback.h"
#include "privileged/caps.h"
#include "privileged/userns.h"

#include <fcntl.h>
#include <sched.h>
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

/* What a builder needs to know, and what it fills. */
struct builder {
    const struct ns_wish *wish;
    int sock;
    pid_t parent;
    uid_t user;
    struct ns_answer *answer;
    size_t size; /* of the answer's reply */
    int left[NS_LEFT];
};

static int builder_create(const struct builder *b, struct vitrine_error *err)
{
    int rc = b->wish->user_ns >= 0 ? userns_enter(b->wish->user_ns, b->wish->more)
                                   : userns_create(b->wish->more);

    if (rc < 0)
        return error_from(err, VITRINE_EUNSUPPORTED, rc,
                          "cannot create the container's namespaces; "
                          "Linux 5.14 or newer is needed and "
                          "/proc/sys/user/max_user_namespaces must not be 0");
    if (b->wish->more & CLONE_NEWNET && (rc = loopback_up()) < 0)
        return error_from(err, VITRINE_EUNSUPPORTED, rc,
                          "cannot bring up the container's loopback network");
    return 0;
}

/* Opens the namespaces that the builder has made: at once, while /proc is the host's. In
 * the container it is what the user's mounts make of it. */
static int builder_open(struct builder *b, struct vitrine_error *err)
{
    static const struct {
        int type;
        const char *path;
    } made[] = {
        [NS_MNT] = {CLONE_NEWNS, "/proc/self/ns/mnt"},
        [NS_NET] = {CLONE_NEWNET, "/proc/self/ns/net"},
        [NS_IPC] = {CLONE_NEWIPC, "/proc/self/ns/ipc"},
        [NS_UTS] = {CLONE_NEWUTS, "/proc/self/ns/uts"},
    };

    for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++) {
        if (!((CLONE_NEWNS | b->wish->more) & made[i].type))
            continue;
        b->left[i] = open(made[i].path, O_RDONLY | O_CLOEXEC);
        if (b->left[i] < 0)
            return vitrine_fail_sys(err, VITRINE_EINTERNAL,
                                    "cannot open the container's namespace");
    }
    return 0;
}

static int builder_work(struct builder *b, struct vitrine_error *err)
{
    int rc, none;
    char go = 0;

    if (builder_create(b, err) < 0 || builder_open(b, err) < 0)
        return -1;
    if ((rc = fd_send(b->sock, &go, sizeof(go), -1)) < 0 ||
        (rc = fd_recv(b->sock, &go, sizeof(go), false, &none)) < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "lost contact to the task");
    rc = b->wish->user_ns >= 0 ? caps_builder_settle_root() : userns_settle(b->user);
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot become the user");
    /* After the last change of credentials, which would clear it. */
    if (prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L) < 0 || getppid() != b->parent)
        return vitrine_fail(err, VITRINE_EINTERNAL, "the task died");
    return b->wish->build(b->wish->arg, b->answer->reply, &b->left[NS_EXTRA], err);
}

/* Never returns. */
static void builder_main(struct builder *b)
{
    b->answer->ok = builder_work(b, &b->answer->err) == 0;
    (void)fd_send_all(b->sock, b->answer, sizeof(*b->answer) + b->size, b->left, NS_LEFT);
    _exit(0);
}

static pid_t builder_fork(struct builder *b)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(pair[0]);
        b->sock = pair[1];
        builder_main(b);
    }
    (void)close(pair[1]);
    if (pid < 0)
        (void)close(pair[0]);
    else
        b->sock = pair[0];
    return pid;
}

/* The user's groups, each mapped to itself; those that do not fit in a page are left out.
 */
static neg_errno list_groups(char text[LIMIT_ID_MAP + 1])
{
    gid_t own = getegid();
    int count = getgroups(0, NULL);
    cleanup_free gid_t *groups =
        count > 0 ? calloc((size_t)count, sizeof(*groups)) : NULL;
    int used = snprintf(text, LIMIT_ID_MAP + 1, "%u %u 1\n", own, own);

    if (count > 0 && !groups)
        return -ENOMEM;
    count = count > 0 ? getgroups(count, groups) : 0;
    for (int i = 0; i < count && i < LIMIT_ID_MAP_LINES - 1; i++) {
        bool again = groups[i] == own;

        for (int j = 0; j < i; j++)
            again = again || groups[j] == groups[i];
        if (!again && used < LIMIT_ID_MAP - 32)
            used += snprintf(text + used, (size_t)(LIMIT_ID_MAP + 1 - used), "%u %u 1\n",
                             groups[i], groups[i]);
    }
    return 0;
}

static neg_errno map_ids(const struct builder *b, pid_t pid)
{
    char user[40], groups[LIMIT_ID_MAP + 1];

    if (!b->wish->own_ids)
        return userns_map(pid, USERNS_ALL, USERNS_ALL);
    (void)snprintf(user, sizeof(user), "%u %u 1\n", b->user, b->user);
    int rc = list_groups(groups);
    return rc < 0 ? rc : userns_map(pid, user, groups);
}

/* The parent's half of the conversation. */
static int builder_serve(struct builder *b, pid_t pid, int left[NS_LEFT],
                         struct vitrine_error *err)
{
    char go;
    int rc, none;

    /* A builder that failed at once sends its answer in place of the first byte. */
    rc = fd_recv(b->sock, &go, sizeof(go), true, &none);
    if (rc == 0) {
        (void)fd_recv(b->sock, &go, sizeof(go), false, &none);
        if (b->wish->user_ns < 0 && (rc = map_ids(b, pid)) < 0)
            return error_from(err, VITRINE_EINTERNAL, rc,
                              "cannot map the ids of the container's namespace");
        if ((rc = fd_send(b->sock, &go, sizeof(go), -1)) < 0)
            return error_from(err, VITRINE_EINTERNAL, rc, "the container's builder died");
        if (b->wish->meanwhile)
            b->wish->meanwhile(b->wish->arg, b->sock);
    }
    rc = fd_recv_all(b->sock, b->answer, sizeof(*b->answer) + b->size, false, left,
                     NS_LEFT);
    if (rc == -EPIPE || rc == -ECONNRESET)
        return vitrine_fail(err, VITRINE_EINTERNAL,
                            "the container's builder was killed before it was done");
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc,
                          "cannot hear the container's builder");
    if (b->answer->ok)
        return 0;
    for (int i = 0; i < NS_LEFT; i++)
        if (left[i] >= 0)
            (void)close(left[i]);
    if (err)
        *err = b->answer->err;
    return -1;
}

int ns_build(const struct ns_wish *wish, void *reply, size_t size, int left[NS_LEFT],
             struct vitrine_error *err)
{
    cleanup_free struct ns_answer *answer = calloc(1, sizeof(*answer) + size);
    struct builder b = {
        .wish = wish,
        .parent = getpid(),
        .user = geteuid(),
        .answer = answer,
        .size = size,
        .left = {-1, -1, -1, -1, -1},
    };
    int got[NS_LEFT];

    if (!answer || size > NS_REPLY_MAX)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    pid_t pid = builder_fork(&b);
    if (pid < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot start the builder");
    int rc = builder_serve(&b, pid, got, err);
    (void)close(b.sock);
    if (rc < 0)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (rc < 0)
        return -1;
    memcpy(left, got, sizeof(got));
    if (size > 0)
        memcpy(reply, answer->reply, size);
    return 0;
}
