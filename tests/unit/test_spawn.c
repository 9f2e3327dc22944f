/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/spawn.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const no_environ[] = {NULL};

/* What a shell script prints that is started with the rest of `spawn`, whose descriptor 1
 * is a pipe. */
static void run(struct spawn *spawn, const char *script, char *buf, size_t size)
{
    char *const argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
    int out[2], status;
    size_t used = 0;
    ssize_t n;

    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    int *fds = calloc(spawn->nfds + 3, sizeof(*fds));
    ck_assert_ptr_nonnull(fds);
    fds[0] = -1;
    fds[1] = out[1];
    fds[2] = STDERR_FILENO;
    for (size_t i = 0; i < spawn->nfds; i++)
        fds[i + 3] = spawn->fds[i];
    spawn->fds = fds;
    spawn->nfds += 3;
    spawn->program = "/bin/sh";
    spawn->argv = argv;
    if (!spawn->envp)
        spawn->envp = no_environ;
    int pid = spawn_start(spawn);
    ck_assert_int_ge(pid, 0);
    ck_assert_int_eq(pid == 0, spawn->detached);
    (void)close(out[1]);
    while (used < size - 1 && (n = read(out[0], buf + used, size - 1 - used)) > 0)
        used += (size_t)n;
    buf[used] = '\0';
    (void)close(out[0]);
    free(fds);
    if (pid > 0)
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    else
        ck_assert_int_eq(waitpid(-1, &status, 0), -1);
}

START_TEST(program_has_its_descriptors_and_no_others)
{
    int ends[2], other = dup(0), high = fcntl(0, F_DUPFD, 200);
    char said[256];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert(other > 2 && high >= 200);
    ck_assert_int_eq(write(ends[1], "hello\n", 6), 6);
    /* Each where another one is. */
    const int fds[] = {-1, ends[1], ends[0]};
    struct spawn spawn = {.fds = fds, .nfds = 3};
    run(&spawn, "read word <&5; echo $word; readlink /proc/self/fd/3; ls /proc/$$/fd",
        said, sizeof(said));
    ck_assert_str_eq(said, "hello\n/dev/null\n0\n1\n2\n3\n4\n5\n");
}
END_TEST

START_TEST(child_is_in_the_same_session_and_directory)
{
    char said[256], want[64];
    struct spawn spawn = {.cwd = "/usr"};

    run(&spawn, "cut -d' ' -f6 /proc/$$/stat; pwd", said, sizeof(said));
    (void)snprintf(want, sizeof(want), "%d\n/usr\n", (int)getsid(0));
    ck_assert_str_eq(said, want);
}
END_TEST

START_TEST(detached_program_is_in_a_session_of_its_own)
{
    char said[256];
    struct spawn spawn = {.detached = true};

    run(&spawn, "[ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && pwd", said, sizeof(said));
    ck_assert_str_eq(said, "/\n");
}
END_TEST

START_TEST(signals_are_those_of_a_login)
{
    char said[256];
    struct spawn spawn = {.envp = no_environ};
    sigset_t all;

    ck_assert(signal(SIGTERM, SIG_IGN) != SIG_ERR);
    ck_assert(signal(SIGHUP, SIG_IGN) != SIG_ERR);
    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    run(&spawn, "sed -n 's/^Sig\\(Blk\\|Ign\\):.//p' /proc/self/status", said,
        sizeof(said));
    ck_assert_str_eq(said, "0000000000000000\n0000000000000001\n");
}
END_TEST

START_TEST(environment_is_the_given_one)
{
    char said[256];
    char *const envp[] = {(char *)"A=b", NULL};
    struct spawn spawn = {.envp = envp};

    run(&spawn, "tr '\\0' '\\n' </proc/$$/environ", said, sizeof(said));
    ck_assert_str_eq(said, "A=b\n");
}
END_TEST

static neg_errno refuse(void *arg)
{
    *(int *)arg = 1; /* of the other process */
    return -EPERM;
}

START_TEST(failures_are_told)
{
    char *const argv[] = {(char *)"x", NULL};
    int called = 0;

    for (int detached = 0; detached < 2; detached++) {
        struct spawn spawn = {.program = "/nonexistent",
                              .argv = argv,
                              .envp = no_environ,
                              .detached = detached};

        ck_assert_int_eq(spawn_start(&spawn), -ENOENT);
        spawn.program = "/etc/passwd";
        ck_assert_int_eq(spawn_start(&spawn), -EACCES);
        spawn.program = "/bin/true";
        spawn.become = refuse;
        spawn.arg = &called;
        ck_assert_int_eq(spawn_start(&spawn), -EPERM);
        ck_assert_int_eq(called, 0);
        spawn.become = NULL;
        spawn.fds = (const int[]){999};
        spawn.nfds = 1;
        ck_assert_int_eq(spawn_start(&spawn), -EBADF);
        spawn.nfds = SPAWN_FDS + 1;
        ck_assert_int_eq(spawn_start(&spawn), -E2BIG);
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    }
    struct spawn spawn = {
        .program = "/bin/true", .argv = argv, .envp = no_environ, .cwd = "/nonexistent"};
    ck_assert_int_eq(spawn_start(&spawn), -ENOENT);
}
END_TEST

START_TEST(child_dies_with_its_parent)
{
    char *const argv[] = {(char *)"sleep", (char *)"60", NULL};
    int ends[2];
    char none;

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t parent = fork();
    if (parent == 0) {
        const int fds[] = {-1, -1, -1, ends[1]};
        struct spawn spawn = {.program = "/bin/sleep",
                              .argv = argv,
                              .envp = no_environ,
                              .fds = fds,
                              .nfds = 4};

        if (spawn_start(&spawn) > 0)
            (void)raise(SIGKILL);
        _exit(1);
    }
    (void)close(ends[1]);
    int status;
    ck_assert_int_eq(waitpid(parent, &status, 0), parent);
    ck_assert(WIFSIGNALED(status));
    /* Its end closes when it has died: in no time, and not in a minute. */
    ck_assert_int_eq(read(ends[0], &none, 1), 0);
}
END_TEST

static Suite *spawn_suite(void)
{
    Suite *suite = suite_create("spawn");
    TCase *tc = tcase_create("spawn");

    tcase_add_test(tc, program_has_its_descriptors_and_no_others);
    tcase_add_test(tc, child_is_in_the_same_session_and_directory);
    tcase_add_test(tc, detached_program_is_in_a_session_of_its_own);
    tcase_add_test(tc, signals_are_those_of_a_login);
    tcase_add_test(tc, environment_is_the_given_one);
    tcase_add_test(tc, failures_are_told);
    tcase_add_test(tc, child_dies_with_its_parent);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(spawn_suite)
