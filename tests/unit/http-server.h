/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_HTTP_SERVER_H
#define VITRINE_TESTS_HTTP_SERVER_H

/*
 * A server that does what a test wants, on a port of the loopback that the kernel
 * chooses: one process for each connection, which calls the test's function for each
 * request.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct server_request {
    char method[8];
    char path[4096];
    char head[16384]; /* all of it, up to the empty line */
    char body[4096];
};

/* Seen by the test and by the processes of the server. */
struct server_shared {
    atomic_uint requests; /* of all */
    atomic_uint n[8];     /* for what a test counts */
    char text[8][512];    /* for what it keeps */
};

struct server;
/* False: the connection is closed. */
typedef bool (*server_f)(struct server *server, int fd,
                         const struct server_request *request);

struct server {
    server_f answer;
    const void *arg;
    struct server_shared *shared;
    pid_t pid;
    int port, listener;
    char url[64];
    const struct server *other;
};

static inline bool server_write(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

/* `headers` are whole lines, or "". */
static inline bool server_reply(int fd, const char *status, const char *headers,
                                const char *body)
{
    char head[4096];
    int n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n",
                     status, headers, strlen(body));

    return server_write(fd, head, (size_t)n) && server_write(fd, body, strlen(body));
}

/* The value of a header; "" if there is none. */
static inline const char *server_header(const struct server_request *request,
                                        const char *name, char *buf, size_t size)
{
    char key[64];
    const char *at;

    (void)snprintf(key, sizeof(key), "\r\n%s: ", name);
    at = strcasestr(request->head, key);
    if (at)
        at += strlen(key);
    (void)snprintf(buf, size, "%.*s", at ? (int)strcspn(at, "\r") : 0, at ? at : "");
    return buf;
}

/* Of "Range: bytes=FROM-TO"; the whole without one. */
static inline bool server_range(const struct server_request *request, uint64_t size,
                                uint64_t *ret_from, uint64_t *ret_to)
{
    char range[64];
    unsigned long long from = 0, to = size - 1;
    int n = sscanf(server_header(request, "Range", range, sizeof(range)),
                   "bytes=%llu-%llu", &from, &to);

    *ret_from = from;
    *ret_to = to >= size ? size - 1 : to;
    return n >= 1;
}

/* Bytes of `data` as the request's range says, but no more than `most`, and then the
 * connection breaks. */
static inline bool server_blob(int fd, const struct server_request *request,
                               const char *data, size_t size, size_t most)
{
    char head[512];
    uint64_t from, to;
    bool ranged = server_range(request, size, &from, &to);
    int n;

    if (ranged && from >= size)
        return server_reply(fd, "416 Range Not Satisfiable", "", "");
    n = snprintf(head, sizeof(head),
                 "HTTP/1.1 %s\r\nContent-Length: %llu\r\n"
                 "Content-Range: bytes %llu-%llu/%zu\r\n\r\n",
                 ranged ? "206 Partial Content" : "200 OK",
                 (unsigned long long)(to - from + 1), (unsigned long long)from,
                 (unsigned long long)to, size);
    if (!server_write(fd, head, (size_t)n))
        return false;
    if (to - from + 1 > most)
        return server_write(fd, data + from, most) && false;
    return server_write(fd, data + from, to - from + 1);
}

static inline bool server_read(int fd, struct server_request *request)
{
    size_t n = 0, length = 0;
    char *end;

    memset(request, 0, sizeof(*request));
    while (!(end = strstr(request->head, "\r\n\r\n"))) {
        ssize_t got =
            n + 1 < sizeof(request->head) ? recv(fd, request->head + n, 1, 0) : 0;

        if (got <= 0)
            return false;
        n += (size_t)got;
    }
    if (sscanf(request->head, "%7s %4095s", request->method, request->path) != 2)
        return false;
    end = strcasestr(request->head, "\r\nContent-Length: ");
    if (end)
        length = strtoul(end + 18, NULL, 10);
    for (n = 0; n < length && n + 1 < sizeof(request->body); n++)
        if (recv(fd, request->body + n, 1, 0) != 1)
            return false;
    return true;
}

static inline void server_serve(struct server *server, int fd)
{
    static struct server_request request;

    char first = 0;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Who speaks TLS is told at once that nobody does here. */
    if (recv(fd, &first, 1, MSG_PEEK) != 1 || first == 0x16)
        _exit(0);
    while (server_read(fd, &request)) {
        atomic_fetch_add(&server->shared->requests, 1);
        if (!server->answer(server, fd, &request))
            break;
    }
    (void)shutdown(fd, SHUT_RDWR);
    _exit(0);
}

/* Binds, so that servers know each other's URLs before they start. */
static inline void server_bind(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(server->listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(server->listener, 64), 0);
    ck_assert_int_eq(getsockname(server->listener, (struct sockaddr *)&address, &size),
                     0);
    server->port = ntohs(address.sin_port);
    (void)snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d", server->port);
    server->shared = mmap(NULL, sizeof(*server->shared), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(server->shared != MAP_FAILED);
}

static inline void server_start(struct server *server)
{
    if (!server->shared)
        server_bind(server);
    server->pid = fork();
    ck_assert_int_ge(server->pid, 0);
    if (server->pid > 0) {
        (void)close(server->listener);
        return;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(server->listener, NULL, NULL);

        if (fd >= 0 && fork() == 0)
            server_serve(server, fd);
        (void)close(fd);
    }
}

static inline void server_end(struct server *server)
{
    (void)kill(server->pid, SIGKILL);
}

#endif
