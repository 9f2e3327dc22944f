/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "leader.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Longest wait for a FUSE server to end after its mount is gone; it takes about 0.1 ms.
 */
#define SERVER_END_MS 200

/* In memory shared by slurmstepd and its tasks. */
struct shared {
    pthread_mutex_t lock; /* robust */
    enum leader_state state;
    struct vitrine_error err;
    struct vitrine_ready ready;
};

/* Each process has its own copy, by fork. */
struct leader {
    struct shared *shared;
    /*
     * The container's descriptors lie in box[0]'s queue as a message that nobody takes
     * out: each task peeks at it, which gives it descriptors of its own. The kernel
     * drops it with the last process that holds the sockets, whatever way that ends.
     */
    int box[2];
    int server_log[2];
};

static int init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;
    int rc = pthread_mutexattr_init(&attr);

    if (rc != 0)
        return rc;
    (void)pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    (void)pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    rc = pthread_mutex_init(lock, &attr);
    (void)pthread_mutexattr_destroy(&attr);
    return rc;
}

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0)
            (void)close(pair[i]);
        pair[i] = -1;
    }
}

static int leader_init(struct leader *leader)
{
    leader->shared = mmap(NULL, sizeof(*leader->shared), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (leader->shared == MAP_FAILED) {
        leader->shared = NULL;
        return -1;
    }
    errno = init_lock(&leader->shared->lock);
    if (errno != 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   leader->box) < 0 ||
        pipe2(leader->server_log, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    return 0;
}

struct leader *leader_new(struct vitrine_error *err)
{
    struct leader *leader = calloc(1, sizeof(*leader));

    if (leader)
        leader->box[0] = leader->box[1] = leader->server_log[0] = leader->server_log[1] =
            -1;
    if (!leader || leader_init(leader) < 0) {
        (void)vitrine_fail_sys(err, VITRINE_EINTERNAL,
                               "cannot share state between tasks");
        leader_free(leader);
        return NULL;
    }
    return leader;
}

void leader_free(struct leader *leader)
{
    if (!leader)
        return;
    close_pair(leader->box);
    close_pair(leader->server_log);
    if (leader->shared)
        (void)munmap(leader->shared, sizeof(*leader->shared));
    free(leader);
}

enum leader_state leader_enter(struct leader *leader)
{
    /* The state is changed in one store at the end of the leader's work, so what a dead
     * owner leaves is consistent as it is. */
    if (pthread_mutex_lock(&leader->shared->lock) == EOWNERDEAD)
        (void)pthread_mutex_consistent(&leader->shared->lock);
    return leader->shared->state;
}

void leader_leave(struct leader *leader)
{
    (void)pthread_mutex_unlock(&leader->shared->lock);
}

enum leader_state leader_outcome(const struct leader *leader)
{
    return leader->shared->state;
}

void leader_decide_host(struct leader *leader)
{
    leader->shared->state = LEADER_HOST;
}

void leader_fail(struct leader *leader, const struct vitrine_error *err)
{
    leader->shared->err = *err;
    leader->shared->state = LEADER_FAILED;
}

int leader_publish(struct leader *leader, const struct vitrine_container *container,
                   struct vitrine_error *err)
{
    struct vitrine_container old;
    char none = 0;

    /* Left by a leader who was killed before he could say so. */
    while (fd_recv_all(leader->box[0], &none, sizeof(none), false, old.fd, VITRINE_FDS) ==
           0)
        vitrine_close(&old);
    int rc = fd_send_all(leader->box[1], &none, sizeof(none), container->fd, VITRINE_FDS);

    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot pass on the container");
    leader->shared->state = LEADER_READY;
    return 0;
}

struct vitrine_ready *leader_ready(struct leader *leader)
{
    return &leader->shared->ready;
}

const struct vitrine_error *leader_error(const struct leader *leader)
{
    return &leader->shared->err;
}

int leader_take(const struct leader *leader, struct vitrine_container *ret,
                struct vitrine_error *err)
{
    char none;
    int rc = fd_recv_all(leader->box[0], &none, sizeof(none), true, ret->fd, VITRINE_FDS);

    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot take over the container");
    return 0;
}

int leader_server_log(const struct leader *leader)
{
    return leader->server_log[1];
}

void leader_server_words(const struct leader *leader, char *words, size_t size)
{
    ssize_t n = read(leader->server_log[0], words, size - 1);

    words[n > 0 ? n : 0] = '\0';
    words[strcspn(words, "\n")] = '\0';
}

static bool has_server(const struct leader *leader)
{
    const struct vitrine_ready *ready = &leader->shared->ready;

    return ready->by_fuse || ready->mounts_by_fuse;
}

bool leader_server_died(struct leader *leader)
{
    struct pollfd log = {.fd = leader->server_log[0]};

    if (leader->server_log[1] >= 0)
        (void)close(leader->server_log[1]);
    leader->server_log[1] = -1;
    return leader->shared->state == LEADER_READY && has_server(leader) &&
           leader->box[0] >= 0 && poll(&log, 1, 0) > 0 && (log.revents & POLLHUP);
}

void leader_release(struct leader *leader)
{
    struct pollfd log = {.fd = leader->server_log[0]};

    close_pair(leader->box);
    if (has_server(leader))
        (void)poll(&log, 1, SERVER_END_MS);
}
