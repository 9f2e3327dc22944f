/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vitrine-fuse: serves one SquashFS file system through FUSE, as fuse-protocol.h says.
 * Runs as the user, with no right that he does not have.
 */
#include "base/syscalls.h"
#include "image/fuse-ops.h"
#include "image/fuse-protocol.h"
#include "image/sqfs.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

/* A few even on one processor, because reading the image may take its time. */
#define THREADS_MIN 4
#define THREADS_MAX 32
#define STACK_SIZE  262144

/* Blocks and replies are up to 1 MiB: keep their memory instead of giving it back to the
 * kernel and clearing it again with each request. */
#define MALLOC_KEEP (4 * 1024 * 1024)

struct server {
    struct fuse_served served;
    struct fuse_owners owners;
    struct fuse_session *session;
    pthread_attr_t attr;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t turn;
    bool received;      /* some thread is receiving */
    bool ended;         /* there is nothing to receive any more */
    int result;         /* 0, or why */
    int threads, spare; /* all of them; those that wait for their turn */
    int threads_max;
};

/*
 * One thread receives, and answers at once what it finds in memory. Before something slow
 * it passes the receiving on: the load of different blocks goes in parallel, but as long
 * as nothing is slow one thread stays on one processor, instead of one after the other
 * being woken for a few microseconds of work. Threads are made when they are needed
 * first.
 */
struct worker {
    struct server *server;
    struct fuse_buf buf;
    bool receiving;
};

static _Thread_local struct worker *self;

static void *thread_main(void *arg);

static void pass_on(void)
{
    struct server *server = self ? self->server : NULL;
    pthread_t thread;

    if (!server || !self->receiving)
        return;
    (void)pthread_mutex_lock(&server->lock);
    self->receiving = server->received = false;
    /* The user's limits may forbid a thread: this one then goes on when it is done. */
    if (server->spare > 0)
        (void)pthread_cond_signal(&server->turn);
    else if (server->threads < server->threads_max &&
             pthread_create(&thread, &server->attr, thread_main, server) == 0)
        server->threads++;
    (void)pthread_mutex_unlock(&server->lock);
}

/* Waits until this thread may receive; false if there is nothing any more. */
static bool take_over(struct worker *w)
{
    struct server *server = w->server;

    if (w->receiving)
        return true;
    (void)pthread_mutex_lock(&server->lock);
    server->spare++;
    while (server->received && !server->ended)
        (void)pthread_cond_wait(&server->turn, &server->lock);
    server->spare--;
    w->receiving = server->received = !server->ended;
    (void)pthread_mutex_unlock(&server->lock);
    return w->receiving;
}

static void end(struct server *server, int rc)
{
    (void)pthread_mutex_lock(&server->lock);
    server->ended = true;
    server->result = rc;
    (void)pthread_cond_broadcast(&server->turn);
    (void)pthread_mutex_unlock(&server->lock);
}

static void work(struct server *server)
{
    struct worker worker = {.server = server};

    self = &worker;
    while (take_over(&worker)) {
        int rc = fuse_session_receive_buf(server->session, &worker.buf);

        if (rc == -EINTR || rc == -EAGAIN)
            continue;
        if (rc <= 0) {
            end(server, rc);
            break;
        }
        fuse_session_process_buf(server->session, &worker.buf);
    }
    free(worker.buf.mem);
    self = NULL;
}

static void *thread_main(void *arg)
{
    struct server *server = arg;

    work(server);
    (void)pthread_mutex_lock(&server->lock);
    server->threads--;
    (void)pthread_cond_broadcast(&server->turn);
    (void)pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* Answers requests until the mount has gone. */
static int answer(struct server *server)
{
    cpu_set_t cpus;

    server->threads_max = THREADS_MIN;
    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) > THREADS_MIN)
        server->threads_max =
            CPU_COUNT(&cpus) < THREADS_MAX ? CPU_COUNT(&cpus) : THREADS_MAX;
    if (pthread_mutex_init(&server->lock, NULL) != 0 ||
        pthread_cond_init(&server->turn, NULL) != 0 ||
        pthread_attr_init(&server->attr) != 0 ||
        pthread_attr_setstacksize(&server->attr, STACK_SIZE) != 0 ||
        pthread_attr_setdetachstate(&server->attr, PTHREAD_CREATE_DETACHED) != 0)
        return -1;
    server->threads = 1;
    work(server);
    (void)pthread_mutex_lock(&server->lock);
    while (server->threads > 1)
        (void)pthread_cond_wait(&server->turn, &server->lock);
    (void)pthread_mutex_unlock(&server->lock);
    return server->result;
}

static int serve(struct server *server)
{
    char name[] = "vitrine-fuse", device[32];
    char *argv[] = {name, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(1, argv);
    int rc = -1;

    server->session =
        fuse_session_new(&args, &fuse_ops, sizeof(fuse_ops), &server->served);
    fuse_opt_free_args(&args);
    if (!server->session)
        return -1;
    (void)snprintf(device, sizeof(device), "/dev/fd/%d", FUSE_SERVER_DEVICE_FD);
    if (fuse_session_mount(server->session, device) == 0)
        rc = answer(server);
    fuse_session_destroy(server->session);
    return rc;
}

static void ignore_signals(void)
{
    static const int kept[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGCHLD};

    for (int nr = 1; nr <= SIGRTMAX; nr++) {
        bool keep = false;

        for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
            keep = keep || nr == kept[i];
        if (!keep)
            (void)signal(nr, SIG_IGN);
    }
}

static bool parse_offset(const char *text, uint64_t *ret)
{
    char *end;

    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || end == text || *end || text[0] == '-')
        return false;
    *ret = n;
    return true;
}

static bool parse_arguments(int argc, char **argv, struct server *server,
                            uint64_t *ret_offset)
{
    if (argc < 2 || argc > 3 || !parse_offset(argv[1], ret_offset))
        return false;
    if (argc == 3 && !fuse_owners_parse(argv[2], &server->owners))
        return false;
    server->served.owners = argc == 3 ? &server->owners : NULL;
    return true;
}

int main(int argc, char **argv)
{
    static struct server server;
    struct vitrine_error err;
    uint64_t offset = 0;

    (void)prctl(PR_SET_NAME, "vitrine-fuse");
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ignore_signals();
    (void)sys_close_range(FUSE_SERVER_ALIVE_FD + 1, ~0U, 0);
    (void)mallopt(M_MMAP_THRESHOLD, MALLOC_KEEP);
    (void)mallopt(M_TRIM_THRESHOLD, MALLOC_KEEP * 2);
    if (!parse_arguments(argc, argv, &server, &offset)) {
        (void)fprintf(stderr,
                      "usage: vitrine-fuse OFFSET [OWNERS] (Vitrine starts it)\n");
        return EXIT_FAILURE;
    }
    if (sqfs_open(&server.served.fs, FUSE_SERVER_IMAGE_FD, offset, pass_on, &err) < 0) {
        (void)fprintf(stderr, "cannot serve the image: %s\n", err.text);
        return EXIT_FAILURE;
    }
    int rc = serve(&server);
    sqfs_close(&server.served.fs);
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
