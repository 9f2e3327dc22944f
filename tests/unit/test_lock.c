/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One owner at a time, and the next one as soon as he is gone. */
#include "store/lock.h"
#include "cache_tree.h"
#include "nameless.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define NAME "image-1"

static struct lock *own(struct lock_watch *watch, bool *ret_over)
{
    struct lock *lock = NULL;
    bool over;

    must_ok(lock_try(&cache, NAME, watch, &lock, ret_over ? ret_over : &over, &error));
    return lock;
}

static void choose(int without)
{
    if (without)
        forbid_nameless_files();
}

/* A process that owns the lock. */
static pid_t start_owner(void)
{
    int ends[2];
    char byte;

    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct lock_watch watch = {0};

        if (own(&watch, NULL))
            (void)!write(ends[1], "x", 1);
        for (;;)
            (void)pause();
    }
    (void)close(ends[1]);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    (void)close(ends[0]);
    return pid;
}

static void end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(second_waits_for_the_first)
{
    struct lock_watch watch = {0};
    bool over;

    choose(_i);
    struct lock *lock = own(&watch, &over);
    ck_assert_ptr_nonnull(lock);
    ck_assert(!over);
    ck_assert_ptr_null(own(&watch, NULL));
    ck_assert(watch.host[0]);
    lock_release(lock);
    ck_assert_int_eq(cache_count("locks"), 0);
    lock = own(&watch, &over);
    ck_assert_ptr_nonnull(lock);
    ck_assert(!over);
    lock_release(lock);
    lock_release(NULL);
}
END_TEST

START_TEST(killed_owner_is_followed_at_once)
{
    struct lock_watch watch = {0};
    bool over;

    choose(_i);
    pid_t pid = start_owner();
    ck_assert_ptr_null(own(&watch, NULL));
    (void)kill(pid, SIGKILL);
    /* Not even waited for: it is a zombie. */
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
    struct lock *lock = own(&watch, &over);
    ck_assert_ptr_nonnull(lock);
    ck_assert(over);
    end(pid);
    lock_release(lock);
    ck_assert_int_eq(cache_count("locks"), 0);
}
END_TEST

/* As another process with the same number would. */
START_TEST(number_of_a_process_is_not_enough)
{
    struct lock_watch watch = {0};
    unsigned long long start;
    char text[512], *rest;

    pid_t pid = start_owner();
    int fd = openat(cache.locks, NAME, O_RDWR | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    ck_assert_int_gt(n, 0);
    text[n] = '\0';
    ck_assert_ptr_null(own(&watch, NULL));
    rest = strchr(strchr(strchr(text, ' ') + 1, ' ') + 1, ' ') + 1;
    start = strtoull(rest, NULL, 10);
    ck_assert_uint_gt(start, 0);
    rest[strcspn(rest, " ") - 1] ^= 1;
    ck_assert_int_eq(pwrite(fd, text, (size_t)n, 0), n);
    (void)close(fd);
    struct lock *lock = own(&watch, NULL);
    ck_assert_ptr_nonnull(lock);
    lock_release(lock);
    end(pid);
}
END_TEST

static void write_foreign(const char *text)
{
    tree_write_bytes("cache/locks/" NAME, text, strlen(text));
}

/* Of owners on other hosts nothing is known but their time. */
START_TEST(owner_elsewhere_is_believed_until_he_is_silent)
{
    static const char *const owners[] = {
        "other-boot 1 999999999 1 0123456789abcdef othernode\n",
        "other-boot 1 999999999 1 0123456789abcdef othernode",
        "",
        "damaged\n",
        "other-boot 1 -5 1 0123456789abcdef \033[31m\n",
    };
    struct lock_watch watch = {0};
    struct lock *lock;
    bool over;

    write_foreign(owners[_i]);
    ck_assert_ptr_null(own(&watch, NULL));
    ck_assert_str_eq(watch.host, _i == 0 ? "othernode" : "another process");
    ck_assert_int_ne(watch.changed_ns, 0);
    /* 29 seconds, and then it moves. */
    watch.changed_ns -= INT64_C(29000000000);
    ck_assert_ptr_null(own(&watch, NULL));
    age(cache.locks, NAME, 100000);
    watch.changed_ns -= INT64_C(29000000000);
    ck_assert_ptr_null(own(&watch, NULL));
    watch.changed_ns -= INT64_C(29000000000);
    ck_assert_ptr_null(own(&watch, NULL));
    watch.changed_ns -= INT64_C(1100000000);
    lock = own(&watch, &over);
    ck_assert_ptr_nonnull(lock);
    ck_assert(over);
    lock_release(lock);
    ck_assert_int_eq(cache_count("locks"), 0);
}
END_TEST

/* One that takes over may die in doing so. */
START_TEST(who_takes_over_and_dies_is_waited_for)
{
    struct lock_watch watch = {0};
    struct lock *lock;

    write_foreign("other-boot 1 999999999 1 0123456789abcdef othernode\n");
    int fd = openat(cache.locks, ".0123456789abcdef.stale", O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    ck_assert_ptr_null(own(&watch, NULL));
    watch.changed_ns -= INT64_C(31000000000);
    ck_assert_ptr_null(own(&watch, NULL));
    ck_assert_ptr_null(own(&watch, NULL));
    watch.changed_ns -= INT64_C(30000000000);
    ck_assert_ptr_null(own(&watch, NULL));
    lock = own(&watch, NULL);
    ck_assert_ptr_nonnull(lock);
    lock_release(lock);
    ck_assert_int_eq(cache_count("locks"), 0);
}
END_TEST

START_TEST(owner_is_heard_of)
{
    struct lock_watch watch = {0};
    struct timespec before, after;
    struct stat st;

    struct lock *lock = own(&watch, NULL);
    ck_assert_int_eq(fstatat(cache.locks, NAME, &st, 0), 0);
    before = st.st_mtim;
    (void)usleep((LOCK_BEAT_S * 1000 + 500) * 1000);
    ck_assert_int_eq(fstatat(cache.locks, NAME, &st, 0), 0);
    after = st.st_mtim;
    ck_assert(after.tv_sec > before.tv_sec);
    lock_release(lock);
}
END_TEST

/* Who was taken for dead does not take the lock from who has it now. */
START_TEST(lost_lock_is_not_released)
{
    struct lock_watch watch = {0}, other = {0};
    char text[512];

    struct lock *lock = own(&watch, NULL);
    ck_assert_int_eq(renameat(cache.locks, NAME, cache.locks, ".x"), 0);
    struct lock *next = own(&other, NULL);
    ck_assert_ptr_nonnull(next);
    lock_release(lock);
    int fd = openat(cache.locks, NAME, O_RDONLY | O_CLOEXEC);
    ck_assert_int_gt(read(fd, text, sizeof(text)), 0);
    (void)close(fd);
    lock_abandon(next);
    ck_assert_int_eq(cache_count("locks"), 1); /* .x */
    lock_release(next);
}
END_TEST

/* In shared memory. */
struct count {
    int inside, most, turns, doubles;
};

static void take_turns(struct count *count)
{
    for (int turn = 0; turn < 20;) {
        struct lock_watch watch = {0};
        struct lock *lock = own(&watch, NULL);

        if (!lock) {
            (void)usleep(500);
            continue;
        }
        turn++;
        if (__atomic_add_fetch(&count->inside, 1, __ATOMIC_SEQ_CST) > 1)
            (void)__atomic_add_fetch(&count->doubles, 1, __ATOMIC_SEQ_CST);
        (void)usleep(300);
        (void)__atomic_sub_fetch(&count->inside, 1, __ATOMIC_SEQ_CST);
        (void)__atomic_add_fetch(&count->turns, 1, __ATOMIC_SEQ_CST);
        lock_release(lock);
    }
    _exit(0);
}

START_TEST(never_two_at_once)
{
    struct count *count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[8];

    choose(_i);
    for (size_t i = 0; i < 8; i++)
        if ((pids[i] = fork()) == 0)
            take_turns(count);
    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(waitpid(pids[i], NULL, 0), pids[i]);
    ck_assert_int_eq(count->turns, 160);
    ck_assert_int_eq(count->doubles, 0);
    ck_assert_int_eq(cache_count("locks"), 0);
}
END_TEST

/* Owners die, many want to follow: each time one does. */
START_TEST(one_follows_who_died)
{
    struct count *count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    choose(_i);
    for (int round = 0; round < 15; round++) {
        pid_t owner = start_owner(), pids[6];

        end(owner);
        memset(count, 0, sizeof(*count));
        for (size_t i = 0; i < 6; i++) {
            if ((pids[i] = fork()) == 0) {
                struct lock_watch watch = {0};

                if (own(&watch, NULL))
                    (void)__atomic_add_fetch(&count->inside, 1, __ATOMIC_SEQ_CST);
                (void)__atomic_add_fetch(&count->turns, 1, __ATOMIC_SEQ_CST);
                while (__atomic_load_n(&count->turns, __ATOMIC_SEQ_CST) < 6)
                    (void)usleep(500);
                _exit(0);
            }
        }
        for (size_t i = 0; i < 6; i++)
            ck_assert_int_eq(waitpid(pids[i], NULL, 0), pids[i]);
        ck_assert_int_eq(count->inside, 1);
        struct lock_watch watch = {0};
        struct lock *lock = own(&watch, NULL);
        ck_assert_ptr_nonnull(lock);
        lock_release(lock);
        ck_assert_int_eq(cache_count("locks"), 0);
    }
}
END_TEST

START_TEST(names_are_checked)
{
    static const char *const bad[] = {"", "a/b", ".x", "a b"};
    struct lock_watch watch = {0};
    struct lock *lock;
    bool over;

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        must_say(lock_try(&cache, bad[i], &watch, &lock, &over, &error),
                 "cannot be locked");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("lock");
    TCase *tc = tcase_create("lock");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, cache_make, cache_end);
    tcase_add_loop_test(tc, second_waits_for_the_first, 0, 2);
    tcase_add_loop_test(tc, killed_owner_is_followed_at_once, 0, 2);
    tcase_add_test(tc, number_of_a_process_is_not_enough);
    tcase_add_loop_test(tc, owner_elsewhere_is_believed_until_he_is_silent, 0, 5);
    tcase_add_test(tc, who_takes_over_and_dies_is_waited_for);
    tcase_add_test(tc, owner_is_heard_of);
    tcase_add_test(tc, lost_lock_is_not_released);
    tcase_add_loop_test(tc, never_two_at_once, 0, 2);
    tcase_add_loop_test(tc, one_follows_who_died, 0, 2);
    tcase_add_test(tc, names_are_checked);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
