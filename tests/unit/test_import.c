/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who imports, who waits, and what is left when that goes wrong. */
#include "importing.h"
#include "nameless.h"

#include <sched.h>
#include <sys/mount.h>

static void choose(int without)
{
    if (without)
        forbid_nameless_files();
}

/* So many processes at once, which write down what they were told. */
static struct outcome *run_many(int n)
{
    struct outcome *all = mmap(NULL, sizeof(*all) * (size_t)n, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(all, MAP_FAILED);
    for (int i = 0; i < n; i++) {
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            all[i].rc = import();
            all[i].imported = imported;
            all[i].error = error;
            _exit(0);
        }
    }
    for (int i = 0; i < n; i++) {
        int status;

        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    return all;
}

START_TEST(image_is_made_once_and_found_then)
{
    must_ok(import());
    ck_assert(!imported.was_cached);
    ck_assert_str_eq(imported.digest, key_of(1));
    check_only(1);
    ck_assert_int_eq(world->builds, 1);
    /* The tag may have moved: that much is asked again. */
    must_ok(import());
    ck_assert(imported.was_cached);
    ck_assert_int_eq(world->finds, 2);
    ck_assert_int_eq(world->resolves, 1);
    ck_assert_int_eq(world->builds, 1);
    ck_assert_int_eq(world->opens, world->closes);
}
END_TEST

START_TEST(warm_start_with_a_digest_asks_nothing)
{
    char image[200];

    must_ok(import());
    memset(&world->opens, 0, sizeof(int) * 4);
    spec.digest = key_of(1);
    must_ok(import());
    ck_assert(imported.was_cached);
    spec.digest = NULL;
    (void)snprintf(image, sizeof(image), "docker://registry.example/group/app@%.71s",
                   key_of(1));
    spec.image = image;
    must_ok(import());
    ck_assert(imported.was_cached);
    ck_assert_int_eq(world->opens, 0);
}
END_TEST

START_TEST(index_is_asked_for_once)
{
    char image[200];

    (void)snprintf(image, sizeof(image), "docker://registry.example/group/app@%.71s",
                   key_of(2));
    spec.image = image;
    must_ok(import());
    ck_assert_str_eq(imported.digest, key_of(1));
    int opens = world->opens;
    must_ok(import());
    ck_assert(imported.was_cached);
    ck_assert_str_eq(imported.digest, key_of(1));
    ck_assert_int_eq(world->opens, opens);
    /* What it says for another platform is something else. */
    spec.platform = "arm64";
    must_ok(import());
    ck_assert_int_gt(world->opens, opens);
}
END_TEST

START_TEST(pinned_digest_counts_though_the_tag_moves)
{
    world->moves = true;
    spec.step = "1.0";
    must_ok(import());
    ck_assert_str_eq(imported.digest, key_of(1));
    world->moves = false;
    must_ok(import());
    ck_assert_str_eq(imported.digest, key_of(1));
    spec.step = "1.1";
    must_ok(import());
    ck_assert_str_eq(imported.digest, key_of(14));
    spec.step = NULL;
    spec.digest = key_of(5);
    must_ok(import());
    ck_assert_str_eq(imported.digest, key_of(5));
}
END_TEST

START_TEST(nodes_of_a_step_make_one_request)
{
    choose(_i);
    spec.step = "4711.0";
    world->find_ms = 100;
    world->build_ms = 300;
    struct outcome *all = run_many(64);
    int made = 0;

    for (int i = 0; i < 64; i++) {
        ck_assert_msg(all[i].rc == 0, "%s", all[i].error.text);
        ck_assert_str_eq(all[i].imported.digest, key_of(1));
        made += !all[i].imported.was_cached;
    }
    imported = all[0].imported;
    check_only(1);
    ck_assert_int_eq(made, 1);
    ck_assert_int_eq(world->finds, 1);
    ck_assert_int_eq(world->resolves, 1);
    ck_assert_int_eq(world->builds, 1);
}
END_TEST

START_TEST(processes_without_a_step_make_one_image)
{
    choose(_i);
    world->build_ms = 300;
    struct outcome *all = run_many(32);

    for (int i = 0; i < 32; i++)
        ck_assert_msg(all[i].rc == 0, "%s", all[i].error.text);
    imported = all[0].imported;
    check_only(1);
    ck_assert_int_eq(world->builds, 1);
}
END_TEST

START_TEST(failure_is_told_to_the_whole_step)
{
    spec.step = "4711.0";
    world->find_ms = world->build_ms = 200;
    world->find_fails = _i == 0;
    world->build_fails = _i == 1;
    struct outcome *all = run_many(32);

    for (int i = 0; i < 32; i++) {
        ck_assert_int_eq(all[i].rc, -1);
        ck_assert_str_eq(all[i].error.text, all[0].error.text);
        ck_assert_int_eq(all[i].error.code, _i == 0 ? VITRINE_EPERM : VITRINE_EFORMAT);
    }
    ck_assert_ptr_nonnull(strstr(all[0].error.text, _i == 0 ? "says no" : "is damaged"));
    ck_assert_int_eq(world->finds, 1);
    ck_assert_int_eq(world->builds, _i);
    check_only(0);
    /* The next step tries again. */
    world->find_fails = world->build_fails = false;
    spec.step = "4711.1";
    must_ok(import());
    check_only(1);
}
END_TEST

START_TEST(failure_of_one_user_is_not_that_of_others)
{
    world->build_fails = true;
    must_say(import(), "cannot import " IMAGE);
    must_say(import(), "a layer is damaged");
    ck_assert_int_eq(world->builds, 2);
    world->build_fails = false;
    must_ok(import());
    check_only(1);
}
END_TEST

/* Who dies when his work is done may leave a lock that nobody asks for any more. */
static void collect_locks(void)
{
    struct store_collected collected;
    const struct dirent *entry;

    cache_open(0);
    DIR *dir = fdopendir(dup(cache.locks));
    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            age(cache.locks, entry->d_name, 7200);
    (void)closedir(dir);
    must_ok(store_collect(&cache, 0, &collected, &error));
    store_close(&cache);
}

/* At each point where it can be known, and in between by the clock. */
static void kill_one(int point)
{
    world->points = 0;
    world->die_at = point;
    pid_t pid = fork();
    if (pid == 0)
        _exit(import() == 0 ? 0 : 1);
    if (point == 0) {
        (void)usleep((unsigned)rand() % 20000); /* NOLINT(cert-msc30-c) */
        (void)kill(pid, SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    world->die_at = world->building = 0;
}

START_TEST(killed_owner_is_followed)
{
    char name[STORE_NAME_MAX], step[40];
    int reached = 0;

    choose(_i);
    world->build_ms = 5;
    store_name(key_of(1), name);
    for (int round = 1; round <= 60; round++) {
        (void)snprintf(step, sizeof(step), "%d.0", round);
        spec.step = step;
        kill_one(round <= 20 ? round : 0);
        reached += world->points;
        must_ok(import());
        collect_locks();
        check_only(1);
        ck_assert_int_eq(unlink(imported.path), 0);
    }
    ck_assert_int_gt(reached, 60);
    ck_assert_int_eq(world->doubles, 0);
}
END_TEST

/* While others wait for him. */
START_TEST(waiters_follow_a_killed_owner)
{
    spec.step = "1.0";
    world->build_ms = 300;
    world->die_at = 6;
    pid_t pid = fork();
    if (pid == 0)
        _exit(import() == 0 ? 0 : 1);
    while (__atomic_load_n(&world->points, __ATOMIC_SEQ_CST) < 4)
        (void)usleep(500);
    for (int i = 0; i < 8; i++)
        if (fork() == 0)
            _exit(import() == 0 && (imported.was_cached || world->builds == 2) ? 0 : 1);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    for (int i = 0; i < 8; i++) {
        int status;

        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(world->builds, 2);
    must_ok(import());
    check_only(1);
}
END_TEST

START_TEST(waiter_says_for_whom_he_waits)
{
    char host[256] = "";

    (void)gethostname(host, sizeof(host) - 1);
    world->build_ms = 600;
    pid_t pid = fork();
    if (pid == 0)
        _exit(import() == 0 ? 0 : 1);
    while (__atomic_load_n(&world->builds, __ATOMIC_SEQ_CST) < 1)
        (void)usleep(500);
    must_ok(import());
    ck_assert_ptr_nonnull(strstr(remarks, "waiting for "));
    ck_assert_ptr_nonnull(strstr(remarks, host));
    /* Once. */
    ck_assert_ptr_eq(strchr(remarks, '\n'), remarks + strlen(remarks) - 1);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

START_TEST(cancelled_import_leaves_nothing_and_is_no_failure)
{
    choose(_i);
    spec.step = "1.0";
    is_cancelled = true;
    must_say(import(), "ended before");
    check_only(0);
    is_cancelled = false;
    must_ok(import());
    check_only(1);
    /* Waiting is ended, too. */
    tree_write_bytes("cache/locks/image-x", "", 0);
    char lock[100];
    const char *text = "other-boot 1 1 1 0123456789abcdef node9\n";
    (void)snprintf(lock, sizeof(lock), "cache/locks/image-%.64s", key_of(5) + 7);
    tree_write_bytes(lock, text, strlen(text));
    spec.digest = key_of(5);
    is_cancelled = true;
    must_say(import(), "was cancelled");
}
END_TEST

START_TEST(lease_is_for_the_job)
{
    char path[PATH_MAX + 100];
    struct stat st;

    spec.step = "4711.3";
    spec.until = time(NULL) + 5000;
    must_ok(import());
    (void)snprintf(path, sizeof(path), "%s/leases/sha256-%.64s.4711", cache_dir,
                   imported.digest + 7);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mtime, spec.until);
    /* Nobody's job runs for ever. */
    spec.until = INT64_C(1) << 40;
    must_ok(import());
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_lt(st.st_mtime, time(NULL) + 100 * 24 * 3600);
}
END_TEST

START_TEST(bad_wishes_are_told)
{
    spec.image = "docker://";
    ck_assert_int_eq(import(), -1);
    spec.image = NULL;
    must_say(import(), "no image is named");
    spec.image = IMAGE;
    spec.digest = "sha256:xyz";
    must_say(import(), "is no digest");
    spec.digest = NULL;
    spec.step = "../../etc/x";
    must_say(import(), "cannot name");
    ck_assert_int_eq(
        vitrine_import((const struct vitrine_config *)&config, &spec, &imported, NULL),
        -1);
    spec.step = NULL;
    (void)snprintf(cache_dir, sizeof(cache_dir), "relative");
    ck_assert_int_eq(import(), -1);
}
END_TEST

static int to_file(const char *name, char digest[VITRINE_DIGEST_MAX])
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", tree_path, name);
    return vitrine_import_file((const struct vitrine_config *)&config, &spec, path,
                               digest, &error);
}

START_TEST(file_of_ones_own_is_replaced_when_it_is_whole)
{
    char digest[VITRINE_DIGEST_MAX] = "";
    struct stat st;

    choose(_i);
    tree_write_bytes("out/x.sqfs", "old", 3);
    world->build_fails = true;
    must_say(to_file("out/x.sqfs", digest), "a layer is damaged");
    ck_assert_int_eq(fstatat(tree, "out/x.sqfs", &st, 0), 0);
    ck_assert_int_eq(st.st_size, 3);
    world->build_fails = false;
    must_ok(to_file("out/x.sqfs", digest));
    ck_assert_str_eq(digest, key_of(1));
    ck_assert_int_eq(fstatat(tree, "out/x.sqfs", &st, 0), 0);
    ck_assert_int_eq(st.st_size, (off_t)world->size);
    must_say(to_file("nowhere/x.sqfs", digest), "cannot open");
    ck_assert_int_eq(unlinkat(tree, "out/x.sqfs", 0), 0);
    ck_assert_int_eq(unlinkat(tree, "out", AT_REMOVEDIR), 0);
    /* Nor is there a cache. */
    ck_assert_int_eq(cache_count("images"), -1);
}
END_TEST

/* --- with a file system of its own ---------------------------------------------------
 */

static void mount_cache(int kib)
{
    char options[60];

    (void)snprintf(options, sizeof(options), "size=%dk,nr_inodes=60,mode=700", kib);
    (void)mkdir(cache_dir, 0700);
    ck_assert_int_eq(mount("none", cache_dir, "tmpfs", 0, options), 0);
}

START_TEST(full_disk_is_told_and_leaves_nothing)
{
    int failures = 0;

    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    choose(_i);
    world->size = 40960;
    for (int kib = 4; kib <= 80; kib += 4) {
        mount_cache(kib);
        if (import() < 0) {
            failures++;
            ck_assert_msg(strstr(error.text, "no space is left in the cache of images") ||
                              strstr(error.text, "No space left"),
                          "%s", error.text);
            ck_assert_int_eq(error.sys_errno, ENOSPC);
            check_only(0);
        } else {
            check_only(1);
        }
        ck_assert_int_eq(umount2(cache_dir, MNT_DETACH), 0);
    }
    ck_assert_int_gt(failures, 5);
    ck_assert_int_lt(failures, 18);
    ck_assert_int_eq(rmdir(cache_dir), 0);
}
END_TEST

START_TEST(old_images_make_room)
{
    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    choose(_i);
    world->size = 40960;
    mount_cache(150);
    cache_open(0);
    for (unsigned n = 5; n < 8; n++) {
        spec.digest = key_of(n);
        must_ok(import());
        age_image(n, (100 - (int)n) * 3600);
    }
    must_ok(store_lease(&cache, key_of(5), "job", time(NULL) + 60, &error));
    spec.digest = key_of(8);
    must_ok(import());
    ck_assert_ptr_nonnull(strstr(remarks, "no space is left"));
    ck_assert_ptr_nonnull(strstr(remarks, "removed 1 images"));
    ck_assert(cache_has_file(5) && !cache_has_file(6) && cache_has_file(7) &&
              cache_has_file(8));
    store_close(&cache);
    ck_assert_int_eq(umount2(cache_dir, MNT_DETACH), 0);
}
END_TEST

START_TEST(limit_is_kept)
{
    config.cache_size = 20000;
    must_ok(import());
    cache_open(0);
    age_image(1, 7200);
    spec.digest = key_of(5);
    must_ok(import());
    ck_assert(cache_has_file(1));
    spec.digest = key_of(6);
    must_ok(import());
    ck_assert(!cache_has_file(1) && cache_has_file(5) && cache_has_file(6));
    ck_assert_ptr_nonnull(strstr(remarks, "removed 1 images"));
    store_close(&cache);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("import");
    TCase *tc = tcase_create("import");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, make, tree_remove);
    tcase_add_test(tc, image_is_made_once_and_found_then);
    tcase_add_test(tc, warm_start_with_a_digest_asks_nothing);
    tcase_add_test(tc, index_is_asked_for_once);
    tcase_add_test(tc, pinned_digest_counts_though_the_tag_moves);
    tcase_add_loop_test(tc, nodes_of_a_step_make_one_request, 0, 2);
    tcase_add_loop_test(tc, processes_without_a_step_make_one_image, 0, 2);
    tcase_add_loop_test(tc, failure_is_told_to_the_whole_step, 0, 2);
    tcase_add_test(tc, failure_of_one_user_is_not_that_of_others);
    tcase_add_loop_test(tc, killed_owner_is_followed, 0, 2);
    tcase_add_test(tc, waiters_follow_a_killed_owner);
    tcase_add_test(tc, waiter_says_for_whom_he_waits);
    tcase_add_loop_test(tc, cancelled_import_leaves_nothing_and_is_no_failure, 0, 2);
    tcase_add_test(tc, lease_is_for_the_job);
    tcase_add_test(tc, bad_wishes_are_told);
    tcase_add_loop_test(tc, file_of_ones_own_is_replaced_when_it_is_whole, 0, 2);
    tcase_add_test(tc, limit_is_kept);
    if (!child_cannot_mount()) {
        tcase_add_loop_test(tc, full_disk_is_told_and_leaves_nothing, 0, 2);
        tcase_add_loop_test(tc, old_images_make_room, 0, 2);
    }
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
