/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "privileged/room.h"
#include "child.h"
#include "tree.h"

#include <stdarg.h>

#define JOB "123"

static char base[128], boot[ROOM_BOOT_MAX];

static void make_base(void)
{
    tree_make();
    (void)snprintf(base, sizeof(base), "%s/rooms", tree_path);
    ck_assert_int_eq(room_boot(boot), 0);
}

/* "UID:GID MODE" of a path below the base. */
static const char *look(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *look(const char *format, ...)
{
    static char text[64];
    char below[PATH_MAX], path[PATH_MAX * 2];
    struct stat st;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(below, sizeof(below), format, args);
    va_end(args);
    (void)snprintf(path, sizeof(path), "%s%s", base, below);
    if (lstat(path, &st) < 0)
        return strerror(errno);
    (void)snprintf(text, sizeof(text), "%u:%u %o", st.st_uid, st.st_gid,
                   (unsigned)st.st_mode);
    return text;
}

static neg_errno make(const char *job)
{
    int rc = room_make(base, CHILD_UID, CHILD_GID, job);

    if (rc >= 0)
        (void)close(rc);
    return rc < 0 ? rc : 0;
}

START_TEST(rooms_belong_to_users_and_all_above_to_root)
{
    static const mode_t umasks[] = {022, 0, 077, 0777};

    for (size_t i = 0; i < sizeof(umasks) / sizeof(*umasks); i++) {
        (void)umask(umasks[i]);
        ck_assert_int_eq(make(JOB), 0);
        ck_assert_int_eq(make(NULL), 0);
        ck_assert_str_eq(look("%s", ""), "0:0 40711");
        ck_assert_str_eq(look("/job"), "0:0 40711");
        ck_assert_str_eq(look("/user"), "0:0 40711");
        ck_assert_str_eq(look("/job/%s", boot), "0:0 40711");
        ck_assert_str_eq(look("/job/%s/" JOB, boot), "54321:54322 40700");
        ck_assert_str_eq(look("/user/54321"), "54321:54322 40700");
        (void)umask(022);
        tree_remove();
        tree_make();
        (void)snprintf(base, sizeof(base), "%s/rooms", tree_path);
    }
}
END_TEST

START_TEST(administrators_mode_stays)
{
    ck_assert_int_eq(mkdir(base, 0755), 0);
    ck_assert_int_eq(make(JOB), 0);
    ck_assert_str_eq(look("%s", ""), "0:0 40755");
}
END_TEST

START_TEST(what_a_user_did_in_his_room_stays)
{
    ck_assert_int_eq(make(NULL), 0);
    tree_write("rooms/user/54321/file", "text");
    ck_assert_int_eq(make(NULL), 0);
    ck_assert_str_eq(tree_read("rooms/user/54321/file"), "text");
}
END_TEST

START_TEST(what_root_has_left_is_not_given_away)
{
    ck_assert_int_eq(make(JOB), 0);
    tree_write("rooms/user/54321/file", "root's");
    ck_assert_int_eq(make(NULL), -ENOTEMPTY);
    ck_assert_str_eq(look("/user/%s", "54321"), "0:0 40755");
}
END_TEST

START_TEST(base_must_be_roots_alone)
{
    static const struct {
        uid_t uid;
        mode_t mode;
        int rc;
    } bases[] = {{0, 0711, 0},      {0, 0700, 0},       {0, 0775, -EPERM},
                 {0, 0757, -EPERM}, {0, 01777, -EPERM}, {CHILD_UID, 0755, -EPERM},
                 {1, 0700, -EPERM}};

    for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
        (void)mkdir(base, 0700);
        ck_assert_int_eq(chown(base, bases[i].uid, 0), 0);
        ck_assert_int_eq(chmod(base, bases[i].mode), 0);
        ck_assert_int_eq(make(JOB), bases[i].rc);
    }
}
END_TEST

START_TEST(what_is_below_must_be_roots)
{
    char path[PATH_MAX];

    ck_assert_int_eq(make(JOB), 0);
    (void)snprintf(path, sizeof(path), "rooms/job/%s", boot);
    ck_assert_int_eq(fchownat(tree, path, CHILD_UID, 0, 0), 0);
    ck_assert_int_eq(make(JOB), -EPERM);
    ck_assert_int_eq(fchownat(tree, path, 0, 0, 0), 0);
    ck_assert_int_eq(fchmodat(tree, "rooms/job", 0777, 0), 0);
    ck_assert_int_eq(make(JOB), -EPERM);
}
END_TEST

START_TEST(room_of_somebody_else_is_refused)
{
    int room = room_make(base, CHILD_UID + 1, CHILD_GID, JOB);

    ck_assert_int_ge(room, 0);
    (void)close(room);
    ck_assert_int_eq(make(JOB), -EPERM);
}
END_TEST

START_TEST(room_of_a_killed_maker_is_taken_over)
{
    char path[PATH_MAX];

    ck_assert_int_eq(make(JOB), 0);
    (void)snprintf(path, sizeof(path), "rooms/job/%s/" JOB, boot);
    ck_assert_int_eq(fchownat(tree, path, 0, 0, 0), 0);
    ck_assert_int_eq(make(JOB), 0);
    ck_assert_str_eq(look("/job/%s/" JOB, boot), "54321:54322 40700");
}
END_TEST

START_TEST(links_and_files_in_the_way_are_refused)
{
    static const char *const places[] = {"rooms/job", "rooms/user", "rooms/user/54321"};

    tree_mkdirs("outside/x");
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        tree_mkdirs(places[i]);
        ck_assert_int_eq(symlinkat("/var/tmp", tree, places[i]), 0);
        ck_assert_int_lt(make(i == 0 ? JOB : NULL), 0);
        ck_assert_int_eq(unlinkat(tree, places[i], 0), 0);
        tree_write(places[i], "text");
        ck_assert_int_lt(make(i == 0 ? JOB : NULL), 0);
        ck_assert_int_eq(unlinkat(tree, places[i], 0), 0);
    }
    ck_assert_int_eq(make(JOB), 0);
}
END_TEST

START_TEST(hostile_names_are_no_names)
{
    static const char *const bad[] = {"",     ".",  "..",   ".x",       "a/b", "/",
                                      "../x", "a ", "a\n",  "\303\244", "a:b", "*",
                                      "a%n",  "~",  "a\\b", "$(x)"};
    static const char *const good[] = {"1", "a", "A.b_c+d-e", "-", "_", "1.2"};
    char name[80];

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ck_assert_msg(!room_is_name(bad[i]), "%s", bad[i]);
        ck_assert_int_eq(make(bad[i]), -EINVAL);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        ck_assert_msg(room_is_name(good[i]), "%s", good[i]);
    memset(name, 'n', sizeof(name));
    name[65] = '\0';
    ck_assert(!room_is_name(name));
    name[64] = '\0';
    ck_assert(room_is_name(name));
    ck_assert_str_eq(look("%s", ""), strerror(ENOENT));
}
END_TEST

START_TEST(makers_may_race)
{
    enum { MAKERS = 16, ROUNDS = 20 };
    pid_t makers[MAKERS];
    char job[16];

    for (int round = 0; round < ROUNDS; round++) {
        (void)snprintf(job, sizeof(job), "%d", round);
        for (int i = 0; i < MAKERS; i++)
            if ((makers[i] = fork()) == 0)
                _exit(make(job) == 0 ? 0 : 1);
        for (int i = 0; i < MAKERS; i++) {
            int status = -1;

            (void)waitpid(makers[i], &status, 0);
            ck_assert_int_eq(status, 0);
        }
        ck_assert_str_eq(look("/job/%s/%s", boot, job), "54321:54322 40700");
    }
}
END_TEST

static const char *cannot(void)
{
    return geteuid() == 0 ? child_cannot_mount() : "needs root";
}

static Suite *make_suite(void)
{
    Suite *s = suite_create("room");
    TCase *tc = tcase_create("room");

    tcase_add_checked_fixture(tc, make_base, tree_remove);
    tcase_add_test(tc, rooms_belong_to_users_and_all_above_to_root);
    tcase_add_test(tc, administrators_mode_stays);
    tcase_add_test(tc, what_a_user_did_in_his_room_stays);
    tcase_add_test(tc, what_root_has_left_is_not_given_away);
    tcase_add_test(tc, base_must_be_roots_alone);
    tcase_add_test(tc, what_is_below_must_be_roots);
    tcase_add_test(tc, room_of_somebody_else_is_refused);
    tcase_add_test(tc, room_of_a_killed_maker_is_taken_over);
    tcase_add_test(tc, links_and_files_in_the_way_are_refused);
    tcase_add_test(tc, hostile_names_are_no_names);
    tcase_add_test(tc, makers_may_race);
    suite_add_tcase(s, tc);
    return s;
}

CHILD_MAIN(cannot, make_suite)
