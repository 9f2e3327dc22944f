/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tasks are children of the test, which plays slurmstepd. The write end of a pipe plays
 * the namespace: its reader sees when nobody holds it any more. */
#include "plugin/leader.h"
#include "child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

enum { TASKS = 16 };

static struct leader *leader;
static int ns_reader, ns_writer; /* the namespace */
static int news[2];              /* what tasks tell, a byte each */

static void make_leader(void)
{
    int pair[2];

    leader = leader_new(NULL);
    ck_assert_ptr_nonnull(leader);
    ck_assert(pipe2(pair, O_CLOEXEC) == 0 && pipe2(news, O_CLOEXEC) == 0);
    ns_reader = pair[0];
    ns_writer = pair[1];
}

static void free_leader(void)
{
    leader_free(leader);
}

static void tell(char what)
{
    must(write(news[1], &what, 1) == 1);
}

static char hear(void)
{
    char what = 0;

    ck_assert_int_eq(read(news[0], &what, 1), 1);
    return what;
}

/* Reads what was told so far and counts `what` in it. */
static int count_news(char what)
{
    char all[1024];
    int count = 0;

    (void)fcntl(news[0], F_SETFL, O_NONBLOCK);
    ssize_t n = read(news[0], all, sizeof(all));
    for (ssize_t i = 0; i < n; i++)
        count += all[i] == what;
    return count;
}

static bool has_ns_ended(void)
{
    struct pollfd end = {.fd = ns_reader};

    return poll(&end, 1, 0) == 1 && (end.revents & POLLHUP);
}

/* A container that has nothing but this one descriptor. */
static int publish_ns(int ns, struct vitrine_error *err)
{
    struct vitrine_container container;

    for (int i = 0; i < VITRINE_FDS; i++)
        container.fd[i] = -1;
    container.fd[VITRINE_FD_MNT] = ns;
    return leader_publish(leader, &container, err);
}

static int take_ns(struct vitrine_error *err)
{
    struct vitrine_container container;

    if (leader_take(leader, &container, err) < 0)
        return -1;
    for (int i = 0; i < VITRINE_FDS; i++)
        must((container.fd[i] >= 0) == (i == VITRINE_FD_MNT));
    return container.fd[VITRINE_FD_MNT];
}

/* In the leader: as stepd.c does after vitrine_prepare(). */
static void publish(void)
{
    struct vitrine_error err = {0};

    (void)snprintf(leader_ready(leader)->workdir, sizeof(leader_ready(leader)->workdir),
                   "/path/inside");
    must(publish_ns(ns_writer, &err) == 0);
}

static void must_take_ns(void)
{
    struct vitrine_error err = {0};
    struct stat ours, taken;
    int ns = take_ns(&err);

    must(ns >= 0 && (fcntl(ns, F_GETFD) & FD_CLOEXEC));
    must(fstat(ns, &taken) == 0 && fstat(ns_reader, &ours) == 0);
    must(taken.st_ino == ours.st_ino && taken.st_dev == ours.st_dev);
    must(strcmp(leader_ready(leader)->workdir, "/path/inside") == 0);
    (void)close(ns);
}

static pid_t start(void (*work)(void))
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)alarm(30);
        work();
        _exit(0);
    }
    return pid;
}

/* Waits for all children; true if each ended with 0. */
static bool all_end_well(void)
{
    int status;
    bool well = true;

    while (wait(&status) > 0)
        well = well && status == 0;
    return well;
}

/* --- what tasks do ---------------------------------------------------------------------
 */

static void run_task(void)
{
    enum leader_state state = leader_enter(leader);

    if (state == LEADER_NONE) {
        tell('L');
        (void)usleep(20000);
        publish();
    } else {
        must(state == LEADER_READY);
    }
    leader_leave(leader);
    must_take_ns();
    must_take_ns();
    tell('T');
}

static void lead_and_die(void)
{
    must(leader_enter(leader) == LEADER_NONE);
    tell('D');
    (void)raise(SIGKILL);
}

static void lead_and_hang(void)
{
    must(leader_enter(leader) == LEADER_NONE);
    tell('H');
    (void)pause();
}

static void publish_and_die(void)
{
    must(leader_enter(leader) == LEADER_NONE);
    publish();
    (void)raise(SIGKILL);
}

static void fail_or_follow(void)
{
    struct vitrine_error err = {0};
    enum leader_state state = leader_enter(leader);

    if (state == LEADER_NONE) {
        tell('L');
        (void)vitrine_fail(&err, VITRINE_EFORMAT, "image %s is no image", "/x");
        leader_fail(leader, &err);
    } else {
        must(state == LEADER_FAILED);
    }
    leader_leave(leader);
    must(leader_error(leader)->code == VITRINE_EFORMAT);
    must(strcmp(leader_error(leader)->text, "image /x is no image") == 0);
}

static void stay_on_host(void)
{
    enum leader_state state = leader_enter(leader);

    if (state == LEADER_NONE) {
        tell('L');
        leader_decide_host(leader);
    } else {
        must(state == LEADER_HOST);
    }
    leader_leave(leader);
}

/* --- tests -----------------------------------------------------------------------------
 */

START_TEST(one_task_leads_and_all_get_the_namespace)
{
    for (int i = 0; i < TASKS; i++)
        (void)start(run_task);
    ck_assert(all_end_well());
    char all[TASKS + 2];
    ck_assert_int_eq(read(news[0], all, sizeof(all)), TASKS + 1);
    ck_assert_int_eq(all[0], 'L');
    for (int i = 1; i <= TASKS; i++)
        ck_assert_int_eq(all[i], 'T');
    /* One that comes late, too. */
    (void)start(run_task);
    ck_assert(all_end_well());
    ck_assert_int_eq(count_news('L'), 0);
}
END_TEST

START_TEST(leader_that_is_killed_is_followed_by_the_next)
{
    (void)start(lead_and_die);
    ck_assert(!all_end_well());
    (void)start(lead_and_die);
    ck_assert(!all_end_well());
    for (int i = 0; i < TASKS; i++)
        (void)start(run_task);
    ck_assert(all_end_well());
    ck_assert_int_eq(count_news('L'), 1);
}
END_TEST

START_TEST(tasks_that_wait_for_a_killed_leader_go_on)
{
    pid_t first = start(lead_and_hang);

    ck_assert_int_eq(hear(), 'H');
    for (int i = 0; i < TASKS; i++)
        (void)start(run_task);
    (void)usleep(20000);
    ck_assert_int_eq(kill(first, SIGKILL), 0);
    ck_assert_int_eq(waitpid(first, NULL, 0), first);
    ck_assert(all_end_well());
    ck_assert_int_eq(count_news('L'), 1);
}
END_TEST

START_TEST(task_killed_while_it_waits_is_no_harm)
{
    pid_t first = start(lead_and_hang), waiting;

    ck_assert_int_eq(hear(), 'H');
    waiting = start(run_task);
    (void)usleep(20000);
    ck_assert_int_eq(kill(waiting, SIGKILL), 0);
    ck_assert_int_eq(waitpid(waiting, NULL, 0), waiting);
    ck_assert_int_eq(kill(first, SIGKILL), 0);
    ck_assert_int_eq(waitpid(first, NULL, 0), first);
    (void)start(run_task);
    ck_assert(all_end_well());
}
END_TEST

START_TEST(what_a_leader_published_outlives_it)
{
    (void)start(publish_and_die);
    ck_assert(!all_end_well());
    for (int i = 0; i < TASKS; i++)
        (void)start(run_task);
    ck_assert(all_end_well());
    ck_assert_int_eq(count_news('L'), 0);
}
END_TEST

/* A leader may be killed after it has sent the descriptor and before it could say so. */
START_TEST(what_is_published_last_is_what_tasks_get)
{
    int stale[2];

    ck_assert_int_eq(pipe2(stale, O_CLOEXEC), 0);
    ck_assert_int_eq(publish_ns(stale[1], NULL), 0);
    close(stale[1]);
    ck_assert_int_eq(publish_ns(ns_writer, NULL), 0);
    int ns = take_ns(NULL);
    ck_assert_int_ge(ns, 0);
    ck_assert_int_eq(write(ns, "x", 1), 1);
    char byte = 0;
    ck_assert_int_eq(read(ns_reader, &byte, 1), 1);
    ck_assert_int_eq(read(stale[0], &byte, 1), 0);
    close(ns);
    close(stale[0]);
}
END_TEST

START_TEST(nothing_published_is_an_error_and_no_wait)
{
    struct vitrine_error err = {0};

    ck_assert_int_eq(take_ns(&err), -1);
    ck_assert_int_eq(err.code, VITRINE_EINTERNAL);
}
END_TEST

START_TEST(leaders_error_is_everybodys)
{
    for (int i = 0; i < TASKS; i++)
        (void)start(fail_or_follow);
    ck_assert(all_end_well());
    ck_assert_int_eq(count_news('L'), 1);
}
END_TEST

START_TEST(decision_for_the_host_is_made_once)
{
    for (int i = 0; i < TASKS; i++)
        (void)start(stay_on_host);
    ck_assert(all_end_well());
    ck_assert_int_eq(count_news('L'), 1);
}
END_TEST

START_TEST(namespace_is_gone_with_the_release)
{
    (void)start(run_task);
    ck_assert(all_end_well());
    (void)close(ns_writer);
    ck_assert(!has_ns_ended());
    leader_release(leader);
    ck_assert(has_ns_ended());
    /* A second one, and the end, are no harm. */
    leader_release(leader);
}
END_TEST

START_TEST(namespace_is_gone_when_slurmstepd_is)
{
    pid_t stepd = fork();

    if (stepd == 0) {
        (void)start(run_task);
        must(all_end_well());
        (void)raise(SIGKILL);
    }
    (void)close(ns_writer);
    leader_free(leader);
    leader = NULL;
    ck_assert_int_eq(waitpid(stepd, NULL, 0), stepd);
    ck_assert(has_ns_ended());
}
END_TEST

/* A FUSE server: holds the log until the namespace is gone or it is killed. */
static pid_t start_server(const char *words, useconds_t last)
{
    pid_t pid = fork();
    char byte;

    if (pid == 0) {
        int log = dup(leader_server_log(leader));
        leader_free(leader);
        (void)close(ns_writer);
        must(write(log, words, strlen(words)) == (ssize_t)strlen(words));
        tell('S');
        must(read(ns_reader, &byte, 1) == 0);
        (void)usleep(last);
        _exit(0);
    }
    ck_assert_int_eq(hear(), 'S');
    return pid;
}

static void make_ready_by_fuse(void)
{
    ck_assert_int_eq(leader_enter(leader), LEADER_NONE);
    leader_ready(leader)->by_fuse = true;
    publish();
    leader_leave(leader);
    (void)close(ns_writer);
}

static bool died_soon(void)
{
    for (int tries = 0; tries < 500; tries++) {
        if (leader_server_died(leader))
            return true;
        (void)usleep(10000);
    }
    return false;
}

START_TEST(death_of_the_server_is_noticed)
{
    pid_t server = start_server("out of\nmemory\n", 0);
    char words[64];

    make_ready_by_fuse();
    ck_assert(!leader_server_died(leader));
    ck_assert(!leader_server_died(leader));
    ck_assert_int_eq(kill(server, SIGKILL), 0);
    ck_assert(died_soon());
    leader_server_words(leader, words, sizeof(words));
    ck_assert_str_eq(words, "out of");
    leader_server_words(leader, words, sizeof(words));
    ck_assert_str_eq(words, "");
    leader_release(leader);
    ck_assert(!leader_server_died(leader));
}
END_TEST

START_TEST(only_a_server_that_is_needed_is_missed)
{
    ck_assert(!leader_server_died(leader)); /* nobody prepared yet */
    ck_assert_int_eq(leader_enter(leader), LEADER_NONE);
    publish();
    leader_leave(leader);
    ck_assert(!leader_server_died(leader)); /* the kernel serves the image */
}
END_TEST

START_TEST(server_that_says_nothing_is_not_waited_for)
{
    char words[64] = "before";
    char small[4];

    leader_server_words(leader, words, sizeof(words));
    ck_assert_str_eq(words, "");
    pid_t server = start_server("abcdef", 0);
    leader_server_words(leader, small, sizeof(small));
    ck_assert_str_eq(small, "abc");
    (void)kill(server, SIGKILL);
}
END_TEST

static double now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

START_TEST(release_waits_for_the_servers_end_but_not_for_ever)
{
    static const struct {
        useconds_t last;
        double least, most;
    } cases[] = {{20000, 0.019, 3}, {60000000, 0.1, 10}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        pid_t server = start_server("", cases[i].last);

        make_ready_by_fuse();
        ck_assert(!leader_server_died(leader));
        double begin = now();
        leader_release(leader);
        double took = now() - begin;
        ck_assert_msg(took >= cases[i].least && took < cases[i].most, "%f s", took);
        (void)kill(server, SIGKILL);
        leader_free(leader);
        make_leader();
    }
}
END_TEST

START_TEST(half_made_and_absent_leaders_can_be_freed)
{
    struct leader *other = leader_new(NULL);

    ck_assert_ptr_nonnull(other);
    leader_free(other);
    leader_free(NULL);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("leader");
    TCase *tc = tcase_create("leader");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_leader, free_leader);
    tcase_add_test(tc, one_task_leads_and_all_get_the_namespace);
    tcase_add_test(tc, leader_that_is_killed_is_followed_by_the_next);
    tcase_add_test(tc, tasks_that_wait_for_a_killed_leader_go_on);
    tcase_add_test(tc, task_killed_while_it_waits_is_no_harm);
    tcase_add_test(tc, what_a_leader_published_outlives_it);
    tcase_add_test(tc, what_is_published_last_is_what_tasks_get);
    tcase_add_test(tc, nothing_published_is_an_error_and_no_wait);
    tcase_add_test(tc, leaders_error_is_everybodys);
    tcase_add_test(tc, decision_for_the_host_is_made_once);
    tcase_add_test(tc, namespace_is_gone_with_the_release);
    tcase_add_test(tc, namespace_is_gone_when_slurmstepd_is);
    tcase_add_test(tc, death_of_the_server_is_noticed);
    tcase_add_test(tc, only_a_server_that_is_needed_is_missed);
    tcase_add_test(tc, server_that_says_nothing_is_not_waited_for);
    tcase_add_test(tc, release_waits_for_the_servers_end_but_not_for_ever);
    tcase_add_test(tc, half_made_and_absent_leaders_can_be_freed);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
