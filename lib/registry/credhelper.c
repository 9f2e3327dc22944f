/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user. A helper is his own program, found through his own PATH and run with
 * his environment: github.com/docker/docker-credential-helpers. It gets the server on its
 * standard input, no argument but "get", and none of our descriptors. What it says when
 * it fails is not repeated: it could be half a secret.
 *
 * In a set-user-ID importer (base/realuser.h) the caller has entered the user's rights:
 * execve(2) makes the saved id the effective one, so the helper has the user's alone.
 */
#include "base/cleanup.h"
#include "base/limits.h"
#include "registry/credfile.h"
#include "registry/document.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

#define PROGRAM "docker-credential-"

/* "What the server does not have", in the words of all helpers. */
#define NOT_FOUND "credentials not found in native keychain"

struct run {
    const char *name; /* of the helper, without PROGRAM */
    const char *server;
    const struct credfile_query *query;
    pid_t pid;
    int output;
    int64_t deadline_ms;
    char *text; /* what it wrote */
    size_t size;
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- start --- */

/* Elements of PATH that are not absolute are passed over: the working directory is no
 * place for programs that get to see passwords. */
static int find_program(const struct run *run, char ret[PATH_MAX],
                        struct vitrine_error *err)
{
    const char *dirs = credfile_env(run->query->lookup, "PATH");

    for (const char *dir = dirs; dir && *dir;) {
        size_t len = strcspn(dir, ":");

        if (dir[0] == '/' && len < PATH_MAX &&
            snprintf(ret, PATH_MAX, "%.*s/" PROGRAM "%s", (int)len, dir, run->name) <
                PATH_MAX &&
            access(ret, X_OK) == 0)
            return 0;
        dir += len + (dir[len] == ':');
    }
    return vitrine_fail(err, VITRINE_EUSAGE,
                        "it wants the program " PROGRAM "%s, which is not in PATH; "
                        "install it, or remove it from the file",
                        run->name);
}

static int spawn(struct run *run, char *path, int in, int out)
{
    char *args[] = {path, (char[]){"get"}, NULL};
    char *no_env[] = {NULL};
    const char *const *env = run->query->lookup->environ;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int rc = posix_spawn_file_actions_init(&actions);

    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attr);
    if (rc != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return rc;
    }
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    (void)posix_spawnattr_setsigmask(&attr, &none);
    (void)posix_spawnattr_setsigdefault(&attr, &all);
    rc = posix_spawn_file_actions_adddup2(&actions, in, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, out, 1);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (rc == 0)
        rc = posix_spawn(&run->pid, path, &actions, &attr, args,
                         env ? (char *const *)env : no_env);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Beyond 0, 1 and 2, or dup2() in the child would find its work done and leave the
 * descriptor to be closed. */
static int raise_fd(int *fd)
{
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, 3);

    if (high < 0)
        return -1;
    (void)close(*fd);
    *fd = high;
    return 0;
}

static int start(struct run *run, char *path, struct vitrine_error *err)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    size_t len = strlen(run->server);
    int rc = -1, cause = 0;

    /* The pipe has room for it, so nothing is written to a program that has gone. */
    if (pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 &&
        raise_fd(&in[0]) == 0 && raise_fd(&out[0]) == 0 && raise_fd(&out[1]) == 0 &&
        write(in[1], run->server, len) == (ssize_t)len)
        rc = 0;
    cause = errno;
    for (int i = 0; i < 2; i++) {
        if (i == 1 && rc == 0)
            cause = spawn(run, path, in[0], out[1]);
        if (in[1 - i] >= 0)
            (void)close(in[1 - i]);
    }
    if (out[1] >= 0)
        (void)close(out[1]);
    if (rc == 0 && cause == 0) {
        run->output = out[0];
        return 0;
    }
    if (out[0] >= 0)
        (void)close(out[0]);
    return error_from(err, VITRINE_EINTERNAL, -cause, "cannot run %s", path);
}

/* --- what it says --- */

static int fail_run(const struct run *run, const char *what, struct vitrine_error *err)
{
    return vitrine_fail(err, VITRINE_EUSAGE,
                        "the program " PROGRAM
                        "%s, which it names, %s; try echo %s | " PROGRAM "%s get",
                        run->name, what, run->server, run->name);
}

static int read_output(struct run *run, struct vitrine_error *err)
{
    while (run->size <= LIMIT_HELPER) {
        struct pollfd poll_fd = {.fd = run->output, .events = POLLIN};
        int64_t left = run->deadline_ms - now_ms();
        int rc = left > 0 ? poll(&poll_fd, 1, (int)left) : 0;

        if (rc < 0 && errno == EINTR)
            continue;
        if (rc == 0)
            return fail_run(run, "does not end", err);
        ssize_t n = rc < 0 ? -1
                           : read(run->output, run->text + run->size,
                                  LIMIT_HELPER + 1 - run->size);
        if (n < 0)
            return vitrine_fail_sys(err, VITRINE_EINTERNAL,
                                    "cannot read from " PROGRAM "%s", run->name);
        if (n == 0)
            return 0;
        run->size += (size_t)n;
    }
    return fail_run(run, "says too much", err);
}

/* *ret: its wait status; 0 if somebody else has waited for it. */
static int wait_for(struct run *run, int *ret, struct vitrine_error *err)
{
    for (;;) {
        pid_t pid = waitpid(run->pid, ret, WNOHANG);

        if (pid == run->pid)
            break;
        if (pid < 0 && errno != EINTR) {
            *ret = 0;
            break;
        }
        if (now_ms() >= run->deadline_ms)
            return fail_run(run, "does not end", err);
        (void)poll(NULL, 0, 5);
    }
    run->pid = -1;
    return 0;
}

static void stop(struct run *run)
{
    if (run->pid > 0) {
        (void)kill(run->pid, SIGKILL);
        while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (run->output >= 0)
        (void)close(run->output);
}

static int read_answer(struct run *run, struct credentials *ret, bool *ret_found,
                       struct vitrine_error *err)
{
    struct json_object *document = NULL;
    const char *user = NULL, *secret = NULL;
    int rc = -1;

    if (document_parse(run->text, run->size, &document, NULL) < 0 ||
        document_string(document, "Username", &user, NULL) < 0 ||
        document_string(document, "Secret", &secret, NULL) < 0 || !user || !secret) {
        (void)fail_run(run, "does not answer as helpers do", err);
    } else if (strcmp(user, "<token>") == 0) {
        ret->identity_token = strdup(secret);
        rc = ret->identity_token ? 0
                                 : vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
        *ret_found = rc == 0 && !run->query->user[0];
    } else {
        ret->user = strdup(user);
        ret->password = strdup(secret);
        rc = ret->user && ret->password
                 ? 0
                 : vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
        *ret_found = rc == 0 && credfile_is_user(run->query, user);
    }
    document_wipe(document);
    if (!*ret_found)
        credentials_free(ret);
    return rc;
}

static int converse(struct run *run, struct credentials *ret, bool *ret_found,
                    struct vitrine_error *err)
{
    char path[PATH_MAX];
    int status;

    if (find_program(run, path, err) < 0 || start(run, path, err) < 0 ||
        read_output(run, err) < 0 || wait_for(run, &status, err) < 0)
        return -1;
    if (status == 0)
        return read_answer(run, ret, ret_found, err);
    if (memmem(run->text, run->size, NOT_FOUND, strlen(NOT_FOUND)))
        return 0;
    return fail_run(run, "fails", err);
}

int credhelper_get(const char *name, const char *server,
                   const struct credfile_query *query, struct credentials *ret,
                   bool *ret_found, struct vitrine_error *err)
{
    struct run run = {
        .name = name,
        .server = server,
        .query = query,
        .pid = -1,
        .output = -1,
        .deadline_ms = now_ms() + LIMIT_HELPER_MS,
    };
    int rc;

    if (!name[0] || strlen(name) > 100 ||
        strspn(name,
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
            strlen(name))
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "'%.100s' cannot be the name of a helper for credentials",
                            name);
    run.text = malloc(LIMIT_HELPER + 1);
    if (!run.text)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    rc = converse(&run, ret, ret_found, err);
    stop(&run);
    explicit_bzero(run.text, run.size);
    free(run.text);
    return rc;
}
