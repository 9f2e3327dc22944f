/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "privileged/userns.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "child.h"
#include "privileged/caps.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

static int join_ns(int ns)
{
    const struct userns_set set = {
        .user = -1, .mnt = ns, .net = -1, .ipc = -1, .uts = -1};

    return userns_join(&set);
}

/* A builder that has come to life, seen from the task that forked it. */
struct builder {
    pid_t pid;
    int end; /* write end of what it waits for before it ends */
};

/* Forks a builder that does `work`, if any, once it is settled, and then waits. */
static struct builder make_builder(void (*work)(void))
{
    int born[2], mapped[2], done[2], end[2];
    char byte = 0;

    must(pipe(born) == 0 && pipe(mapped) == 0 && pipe(done) == 0 && pipe(end) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(end[1]);
        must(userns_create(0) == 0);
        must(write(born[1], &byte, 1) == 1);
        must(read(mapped[0], &byte, 1) == 1);
        must(userns_settle(CHILD_UID) == 0);
        if (work)
            work();
        must(write(done[1], &byte, 1) == 1);
        must(read(end[0], &byte, 1) == 0);
        _exit(0);
    }
    must(read(born[0], &byte, 1) == 1);
    must(userns_map(pid, USERNS_ALL, USERNS_ALL) == 0);
    must(write(mapped[1], &byte, 1) == 1);
    (void)close(done[1]);
    must(read(done[0], &byte, 1) == 1);
    return (struct builder){.pid = pid, .end = end[1]};
}

static void end_builder(struct builder b)
{
    int status = -1;

    (void)close(b.end);
    must(waitpid(b.pid, &status, 0) == b.pid && status == 0);
}

static int open_ns(struct builder b, const char *name)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)b.pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void become_user(void)
{
    must(caps_keep() == 0);
    child_become_user();
    must(caps_lower() == 0);
}

static void must_be_user_again(void)
{
    must(child_caps("CapEff:") == 0);
    must(geteuid() == CHILD_UID && getuid() == CHILD_UID && getegid() == CHILD_GID);
}

static void must_map_itself(const char *file)
{
    unsigned long inside, outside, count;
    FILE *map = fopen(file, "re");

    must(map && fscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3);
    must(inside == 0 && outside == 0 && count == 4294967295UL);
    (void)fclose(map);
}

static void check_builder(void)
{
    must(getuid() == CHILD_UID && geteuid() == CHILD_UID && getgid() == CHILD_GID);
    must_map_itself("/proc/self/uid_map");
    must_map_itself("/proc/self/gid_map");
    must(child_caps("CapEff:") == CAP_BIT(CAP_SYS_ADMIN));
    must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    /* It may mount for itself, and nothing outside. */
    must(mount("test", "/tmp", "tmpfs", 0, NULL) == 0);
    must(sethostname("no", 2) < 0 && errno == EPERM);
    must(mknod("/tmp/device", S_IFBLK | 0600, 0x700) < 0);
    must(open("/dev/loop-control", O_RDWR | O_CLOEXEC) < 0);
    must(open("/etc/shadow", O_RDONLY | O_CLOEXEC) < 0);
    must(setuid(0) < 0);
    must(kill(1, 0) < 0 && errno == EPERM);
}

static void build(void *arg)
{
    become_user();
    struct builder b = make_builder(check_builder);
    must_be_user_again();
    end_builder(b);
}

START_TEST(builder_is_the_user_with_power_over_its_own_mounts_alone)
{
    child_must(build, NULL);
}
END_TEST

static void keep_user_out(void *arg)
{
    become_user();
    struct builder b = make_builder(NULL);
    /* It cannot even be looked at: it was root, and is not dumpable. */
    must(open_ns(b, "user") < 0 && open_ns(b, "mnt") < 0);
    end_builder(b);
}

START_TEST(user_cannot_open_the_builders_namespaces)
{
    child_must(keep_user_out, NULL);
}
END_TEST

static void mount_marker(void)
{
    must(mount("test", "/tmp", "tmpfs", 0, NULL) == 0);
    must(mkdir("/tmp/marker", 0755) == 0);
}

/* As root, who may open namespaces of others. The builder is gone when this returns. */
static int build_ns(void)
{
    int report[2], status;
    pid_t builder;

    must(pipe(report) == 0);
    pid_t task = fork();
    if (task == 0) {
        become_user();
        builder = make_builder(mount_marker).pid;
        must(write(report[1], &builder, sizeof(builder)) == sizeof(builder));
        (void)pause();
    }
    must(read(report[0], &builder, sizeof(builder)) == sizeof(builder));
    int ns = open_ns((struct builder){.pid = builder}, "mnt");
    must(ns >= 0);
    must(kill(builder, SIGKILL) == 0 && kill(task, SIGKILL) == 0);
    must(waitpid(task, &status, 0) == task);
    return ns;
}

static void join(void *arg)
{
    int ns = build_ns();

    become_user();
    must(join_ns(ns) == 0);
    must(access("/tmp/marker", F_OK) == 0);
    must(child_caps("CapPrm:") == 0 && child_caps("CapEff:") == 0);
    must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    must(caps_raise() == -EPERM);
    must(mount("test", "/tmp", "tmpfs", 0, NULL) < 0 && errno == EPERM);
    must(umount2("/tmp", MNT_DETACH) < 0 && errno == EPERM);
    must(join_ns(ns) == -EPERM);
}

START_TEST(task_joins_as_the_user_without_any_privilege)
{
    child_must(join, NULL);
}
END_TEST

static void fail_to_join(void *arg)
{
    int pipes[2];

    must(pipe(pipes) == 0);
    const int bad[] = {-1, 9999, pipes[0], open("/", O_RDONLY | O_CLOEXEC),
                       open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC)};
    become_user();
    must(join_ns(bad[*(const int *)arg]) < 0);
    /* Whatever happened, nothing is left. */
    must(child_caps("CapPrm:") == 0);
    must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

START_TEST(join_that_fails_drops_every_privilege_too)
{
    for (int i = 0; i < 5; i++)
        child_must(fail_to_join, &i);
}
END_TEST

static void do_without_privilege(void *arg)
{
    child_become_user();
    must(userns_create(0) == -EPERM);
    must(userns_map(getpid(), USERNS_ALL, USERNS_ALL) == -EPERM);
    must(userns_fake_root(&(struct userns_ids){.nuids = 0}, &(int){-1}) == -EPERM);
    must(join_ns(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)) == -EPERM);
}

START_TEST(nothing_is_done_without_kept_privilege)
{
    child_must(do_without_privilege, NULL);
}
END_TEST

static void map_wrong_process(void *arg)
{
    int status;

    become_user();
    pid_t gone = fork();
    if (gone == 0)
        _exit(0);
    must(waitpid(gone, &status, 0) == gone);
    must(userns_map(gone, USERNS_ALL, USERNS_ALL) < 0);
    must_be_user_again();
    /* One that is in the host's own namespace has its map already. */
    must(userns_map(getpid(), USERNS_ALL, USERNS_ALL) < 0);
    must_be_user_again();
    must(caps_raise() == 0);
}

START_TEST(mapping_what_is_no_builder_fails_without_harm)
{
    child_must(map_wrong_process, NULL);
}
END_TEST

/* --- fake root -------------------------------------------------------------------------
 */

#define MANY_GROUPS 400

/* What slurmstepd does, with the groups that `groups` are. */
static void become_member(const gid_t *groups, size_t n)
{
    must(setgroups(n, groups) == 0);
    must(caps_keep() == 0);
    must(setresgid(CHILD_GID, CHILD_GID, CHILD_GID) == 0);
    must(setresuid(CHILD_UID, CHILD_UID, CHILD_UID) == 0);
    must(caps_lower() == 0);
}

static int make_fake_root(const struct userns_ids *ids)
{
    uint64_t permitted = child_caps("CapPrm:");
    int ns = -1;

    must(userns_fake_root(ids, &ns) == 0);
    must(ns >= 0 && (fcntl(ns, F_GETFD) & FD_CLOEXEC));
    must_be_user_again();
    must(child_caps("CapPrm:") == permitted);
    /* Its process is gone, and the caller is where it was. */
    must(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    must_map_itself("/proc/self/uid_map");
    return ns;
}

/* The text of a file, with single spaces. */
static const char *read_words(const char *path)
{
    static char text[16384];
    char word[32];
    size_t used = 0;
    FILE *file = fopen(path, "re");

    must(file != NULL);
    text[0] = '\0';
    while (fscanf(file, "%31s", word) == 1)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s ", word);
    (void)fclose(file);
    return text;
}

static void must_read(const char *path, const char *expected)
{
    const char *text = read_words(path);

    if (strcmp(text, expected) != 0)
        (void)dprintf(STDERR_FILENO, "# %s: %s\n", path, text);
    must(strcmp(text, expected) == 0);
}

/* What kept nothing may still do: the namespace is the user's. */
static void enter(int ns)
{
    uid_t owner = 0;

    must(ioctl(ns, NS_GET_OWNER_UID, &owner) == 0 && owner == CHILD_UID);
    must(caps_forget() == 0);
    must(setns(ns, CLONE_NEWUSER) == 0);
    must(getuid() == 0 && geteuid() == 0 && getgid() == 0);
}

static const struct userns_ids no_ids = {.nuids = 0};

static void fake_one_id(void *arg)
{
    const gid_t groups[] = {7, CHILD_GID, 60000, 0, 60000, 4000000000U};
    gid_t got[8];

    become_member(groups, 6);
    enter(make_fake_root(&no_ids));
    must_read("/proc/self/uid_map", "0 54321 1 ");
    must_read("/proc/self/gid_map",
              "0 54322 1 7 7 1 60000 60000 1 4000000000 4000000000 1 ");
    must_read("/proc/self/setgroups", "deny ");
    must(getgroups(8, got) == 6);
    must(setgroups(0, NULL) < 0 && setuid(1) < 0);
    must(setgid(60000) == 0);
    /* The host's root is nobody. */
    must(open("/etc/shadow", O_RDONLY | O_CLOEXEC) < 0);
    must(open("/dev/loop-control", O_RDWR | O_CLOEXEC) < 0);
}

START_TEST(fake_root_is_the_user_and_keeps_his_groups)
{
    child_must(fake_one_id, NULL);
}
END_TEST

static void fake_with_ranges(void *arg)
{
    const struct id_range uids[] = {{100000, 1000}, {300000, 10}};
    const struct id_range gids[] = {{200000, 500}};
    const struct userns_ids ids = {uids, gids, 2, 1};
    const gid_t groups[] = {7, 500, 501, 200001, CHILD_GID};

    become_member(groups, 5);
    enter(make_fake_root(&ids));
    must_read("/proc/self/uid_map", "0 54321 1 1 100000 1000 1001 300000 10 ");
    must_read("/proc/self/gid_map", "0 54322 1 1 200000 500 501 501 1 ");
    must_read("/proc/self/setgroups", "allow ");
    must(setgroups(0, NULL) == 0);
    must(setresgid(33, 33, 33) == 0 && setresuid(1010, 1010, 1010) == 0);
}

START_TEST(fake_root_with_subordinate_ids_can_become_others)
{
    child_must(fake_with_ranges, NULL);
}
END_TEST

/* Groups that would let him leave the primary one. */
static void fake_without_primary(void *arg)
{
    const gid_t groups[] = {7, 60000};

    become_member(groups, 2);
    enter(make_fake_root(&no_ids));
    must_read("/proc/self/gid_map", "0 54322 1 ");
    must(setgid(60000) < 0);
}

START_TEST(primary_group_cannot_be_left)
{
    child_must(fake_without_primary, NULL);
}
END_TEST

static void fake_many_groups(void *arg)
{
    gid_t first = *(const gid_t *)arg, groups[MANY_GROUPS];
    size_t lines = 0;

    for (gid_t i = 0; i < MANY_GROUPS; i++)
        groups[i] = i == 0 ? CHILD_GID : first + i;
    become_member(groups, MANY_GROUPS);
    enter(make_fake_root(&no_ids));
    for (const char *text = read_words("/proc/self/gid_map"); *text; text++)
        lines += *text == ' ';
    lines /= 3;
    must(lines ==
         (first < 1000 ? LIMIT_ID_MAP_LINES : 1 + (LIMIT_ID_MAP - 10) / 24 /* bytes */));
}

START_TEST(groups_that_the_kernel_cannot_map_are_left_out)
{
    gid_t low = 10, high = 4000000000U;

    child_must(fake_many_groups, &low);
    child_must(fake_many_groups, &high);
}
END_TEST

static void fake_with_bad_ranges(void *arg)
{
    static const struct id_range bad[] = {
        {0, 1},
        {0, 65536},
        {100000, 0},
        {4294967295U, 1},
        {4294967290U, 100},
        {CHILD_UID, 1},
        {CHILD_GID - 1, 10},
    };
    struct id_range overlapping[] = {{100000, 10}, {100005, 10}}, many[400];
    int ns = -7;

    become_member(NULL, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const struct userns_ids both = {&bad[i], &bad[i], 1, 1};

        must(userns_fake_root(&both, &ns) == -EINVAL);
        must_be_user_again();
    }
    const struct userns_ids twice = {.uids = overlapping, .nuids = 2};
    must(userns_fake_root(&twice, &ns) == -EINVAL);
    for (uint32_t i = 0; i < 400; i++)
        many[i] = (struct id_range){100000 + i, 1};
    const struct userns_ids too_many = {.gids = many, .ngids = 400};
    must(userns_fake_root(&too_many, &ns) == -EINVAL);
    must_be_user_again();
    must(ns == -7 && waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
}

START_TEST(ranges_with_root_or_oneself_in_them_are_refused)
{
    child_must(fake_with_bad_ranges, NULL);
}
END_TEST

static void map_hidden(void *arg)
{
    const gid_t groups[] = {CHILD_GID};

    child_own_mounts();
    must(mount("test", "/proc", "proc", 0, arg) == 0);
    become_member(groups, 1);
    must(open("/proc/1/status", O_RDONLY | O_CLOEXEC) < 0);
    end_builder(make_builder(check_builder));
    enter(make_fake_root(&no_ids));
    must_read("/proc/self/uid_map", "0 54321 1 ");
}

START_TEST(processes_may_be_hidden_from_users)
{
    child_must(map_hidden, (void *)"hidepid=1");
    child_must(map_hidden, (void *)"hidepid=2");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("userns");
    TCase *tc = tcase_create("userns");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, builder_is_the_user_with_power_over_its_own_mounts_alone);
    tcase_add_test(tc, user_cannot_open_the_builders_namespaces);
    tcase_add_test(tc, task_joins_as_the_user_without_any_privilege);
    tcase_add_test(tc, join_that_fails_drops_every_privilege_too);
    tcase_add_test(tc, nothing_is_done_without_kept_privilege);
    tcase_add_test(tc, mapping_what_is_no_builder_fails_without_harm);
    tcase_add_test(tc, fake_root_is_the_user_and_keeps_his_groups);
    tcase_add_test(tc, fake_root_with_subordinate_ids_can_become_others);
    tcase_add_test(tc, primary_group_cannot_be_left);
    tcase_add_test(tc, groups_that_the_kernel_cannot_map_are_left_out);
    tcase_add_test(tc, processes_may_be_hidden_from_users);
    tcase_add_test(tc, ranges_with_root_or_oneself_in_them_are_refused);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(child_cannot_mount, make_suite)
