/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cache of all users: each has what the registry gives to him, and nothing else. */
#include "importing.h"

#define ACCOUNT "64001"
#define ALICE   64011
#define BOB     64012

/* As vitrine-import runs that is set-user-ID to the account. */
static int import_as(uid_t user)
{
    struct outcome *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();

    if (pid == 0) {
        int fd = -1;

        if (setresgid(user, user, user) < 0 || setresuid(user, 64001, 64001) < 0)
            _exit(2);
        shared->rc =
            conduct_import(&config, &spec, NULL, &shared->imported, &fd, &shared->error);
        _exit(shared->rc == 0 && fd < 0);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    imported = shared->imported;
    error = shared->error;
    return shared->rc;
}

static void make_shared(void)
{
    make();
    config.cache_owner = ACCOUNT;
    ck_assert_int_eq(mkdir(cache_dir, 0700), 0);
    ck_assert_int_eq(chown(cache_dir, 64001, 64001), 0);
}

START_TEST(each_user_asks_for_himself)
{
    must_ok(import_as(ALICE));
    ck_assert_int_eq(world->finds, 1);
    ck_assert(!imported.was_cached);
    spec.digest = key_of(1);
    must_ok(import_as(ALICE));
    ck_assert(imported.was_cached);
    ck_assert_int_eq(world->finds, 1);
    /* She was given it, he was not. */
    must_ok(import_as(BOB));
    ck_assert(imported.was_cached);
    ck_assert_int_eq(world->finds, 2);
    must_ok(import_as(BOB));
    ck_assert_int_eq(world->finds, 2);
    ck_assert_int_eq(world->builds, 1);
    check_only(1);
}
END_TEST

START_TEST(whom_the_registry_refuses_gets_nothing)
{
    must_ok(import_as(ALICE));
    world->find_fails = true;
    must_say(import_as(BOB), "says no");
    spec.digest = key_of(1);
    must_say(import_as(BOB), "says no");
    must_ok(import_as(ALICE));
}
END_TEST

START_TEST(grant_ends)
{
    char path[PATH_MAX + 200];
    struct dirent *entry;

    must_ok(import_as(ALICE));
    (void)snprintf(path, sizeof(path), "%s/grants/%d", cache_dir, ALICE);
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            age(dirfd(dir), entry->d_name, 8 * 24 * 3600);
    (void)closedir(dir);
    spec.digest = key_of(1);
    world->find_fails = true;
    must_say(import_as(ALICE), "says no");
}
END_TEST

/* Bob's own registry says that it has Alice's private image. */
START_TEST(another_registry_does_not_give_what_is_there)
{
    must_ok(import_as(ALICE));
    spec.image = "docker://evil.example/bobs/own:1";
    spec.digest = key_of(1);
    must_ok(import_as(BOB));
    ck_assert(!imported.was_cached);
    ck_assert_int_eq(world->builds, 2);
    ck_assert_int_eq(cache_count("images"), 2);
    /* Nor does another repository of the same one. */
    spec.image = "docker://registry.example/group/other:1";
    must_ok(import_as(BOB));
    ck_assert(!imported.was_cached);
    ck_assert_int_eq(world->builds, 3);
}
END_TEST

START_TEST(steps_of_users_are_their_own)
{
    spec.step = "1.0";
    must_ok(import_as(BOB));
    (void)snprintf(world->tag, sizeof(world->tag), "%.71s", key_of(5));
    must_ok(import_as(ALICE));
    ck_assert_str_eq(imported.digest, key_of(5));
    must_ok(import_as(BOB));
    ck_assert_str_eq(imported.digest, key_of(1));
}
END_TEST

START_TEST(nodes_of_a_step_make_one_request_here_too)
{
    pid_t pids[24];

    spec.step = "1.0";
    world->find_ms = 100;
    world->build_ms = 200;
    for (int i = 0; i < 24; i++)
        if ((pids[i] = fork()) == 0)
            _exit(import_as(ALICE) == 0 ? 0 : 1);
    for (int i = 0; i < 24; i++) {
        int status;

        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(world->finds, 1);
    ck_assert_int_eq(world->builds, 1);
}
END_TEST

START_TEST(others_are_told_who_may_write)
{
    must_say(import(), "has to belong to " ACCOUNT);
    config.cache_owner = "0";
    must_say(import(), "must not be root");
    config.cache_owner = "no-such-account";
    must_say(import(), "no-such-account");
}
END_TEST

/* What is the user's own goes to his own cache. */
START_TEST(archives_are_not_shared)
{
    char home[PATH_MAX];

    (void)snprintf(home, sizeof(home), "%s/home", tree_path);
    spec.home = home;
    spec.image = "docker-archive:/some/file.tar";
    must_ok(import());
    ck_assert_ptr_nonnull(strstr(imported.path, "/home/.cache/vitrine/images/"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("sharing");
    TCase *tc = tcase_create("sharing");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_shared, tree_remove);
    tcase_add_test(tc, each_user_asks_for_himself);
    tcase_add_test(tc, whom_the_registry_refuses_gets_nothing);
    tcase_add_test(tc, grant_ends);
    tcase_add_test(tc, another_registry_does_not_give_what_is_there);
    tcase_add_test(tc, steps_of_users_are_their_own);
    tcase_add_test(tc, nodes_of_a_step_make_one_request_here_too);
    tcase_add_test(tc, others_are_told_who_may_write);
    tcase_add_test(tc, archives_are_not_shared);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(child_cannot_mount, make_suite)
