/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "privileged/userns.h"
#include "base/cleanup.h"
#include "child.h"
#include "privileged/caps.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
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
    must(userns_map(pid) == 0);
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
    must(userns_map(getpid()) == -EPERM);
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
    must(userns_map(gone) < 0);
    must_be_user_again();
    /* One that is in the host's own namespace has its map already. */
    must(userns_map(getpid()) < 0);
    must_be_user_again();
    must(caps_raise() == 0);
}

START_TEST(mapping_what_is_no_builder_fails_without_harm)
{
    child_must(map_wrong_process, NULL);
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
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(child_cannot_mount, make_suite)
