/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "privileged/caps.h"
#include "child.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#define TASK_CAPS                                                                        \
    (CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_CHROOT) | CAP_BIT(CAP_SETUID) |            \
     CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETFCAP) | CAP_BIT(CAP_SYS_PTRACE))
#define BUILDER_CAPS                                                                     \
    (CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) |           \
     CAP_BIT(CAP_FOWNER))

static void must_have(uint64_t permitted, uint64_t effective)
{
    must(child_caps("CapPrm:") == permitted);
    must(child_caps("CapEff:") == effective);
    must(child_caps("CapInh:") == 0);
    must(child_caps("CapAmb:") == 0);
}

static void keep_and_become_user(void)
{
    must(caps_keep() == 0);
    child_become_user();
}

static void must_be_powerless(void)
{
    must(child_caps("CapEff:") == 0);
    must(setuid(0) < 0);
    must(seteuid(0) < 0);
    must(mount("test", "/mnt", "tmpfs", 0, NULL) < 0);
    must(unshare(CLONE_NEWNS) < 0);
    must(open("/dev/loop-control", O_RDWR | O_CLOEXEC) < 0);
}

static void keep(void *arg)
{
    keep_and_become_user();
    must_be_powerless();
    must((child_caps("CapPrm:") & TASK_CAPS) == TASK_CAPS);
    must(caps_lower() == 0);
    must_have(TASK_CAPS, 0);
    must_be_powerless();
}

START_TEST(what_is_kept_is_not_effective)
{
    child_must(keep, NULL);
}
END_TEST

static void raise_and_lower(void *arg)
{
    uint64_t bounding = child_caps("CapBnd:");

    keep_and_become_user();
    for (int i = 0; i < 3; i++) {
        must(caps_raise() == 0);
        must_have(TASK_CAPS, TASK_CAPS);
        must(caps_lower() == 0);
        must_have(TASK_CAPS, 0);
        must_be_powerless();
    }
    must(child_caps("CapBnd:") == bounding);
}

START_TEST(raising_gives_six_capabilities_until_lowered)
{
    child_must(raise_and_lower, NULL);
}
END_TEST

static void raise_what_was_not_kept(void *arg)
{
    child_become_user();
    must(caps_raise() == -EPERM);
    must(caps_lower() == -EPERM);
    must_have(0, 0);
}

START_TEST(nothing_can_be_raised_that_was_not_kept)
{
    child_must(raise_what_was_not_kept, NULL);
}
END_TEST

static void survive_root_for_a_moment(void *arg)
{
    keep_and_become_user();
    must(caps_raise() == 0);
    must(seteuid(0) == 0);
    must(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
    must(seteuid(CHILD_UID) == 0);
    must(caps_lower() == 0);
    must_have(TASK_CAPS, 0);
    must_be_powerless();
    must(caps_raise() == 0);
}

START_TEST(kept_capabilities_survive_a_moment_as_root)
{
    child_must(survive_root_for_a_moment, NULL);
}
END_TEST

static void forget(void *arg)
{
    keep_and_become_user();
    must(caps_forget() == 0);
    must_have(0, 0);
    must(caps_raise() == -EPERM);
    must(prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) == 0);
    /* Such a task stays on the host, where sudo shall work. */
    must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
    must_be_powerless();
}

START_TEST(forgetting_leaves_an_ordinary_process)
{
    child_must(forget, NULL);
}
END_TEST

static void drop(void *arg)
{
    uint64_t bounding = child_caps("CapBnd:");

    keep_and_become_user();
    if (arg)
        must(caps_raise() == 0);
    must(caps_drop() == 0);
    must_have(0, 0);
    must(caps_raise() == -EPERM);
    must(prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) == 0);
    must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    must(child_caps("CapBnd:") == bounding);
    must_be_powerless();
}

START_TEST(dropping_is_final_and_sets_no_new_privs)
{
    int raised = 1;

    child_must(drop, NULL);
    child_must(drop, &raised);
}
END_TEST

/* The program that a task starts, should it ever not come to caps_drop(). */
static void execute(void *arg)
{
    static const char script[] =
        "while read -r key value; do case $key in Cap[PIEA]*) "
        "[ $value = 0000000000000000 ] || exit 1;; esac; done </proc/$$/status";

    keep_and_become_user();
    must(caps_raise() == 0);
    if (arg)
        must(caps_lower() == 0);
    (void)execl("/bin/sh", "sh", "-c", script, (char *)NULL);
    _exit(2);
}

START_TEST(no_capability_survives_an_exec)
{
    int lowered = 1;

    child_must(execute, NULL);
    child_must(execute, &lowered);
}
END_TEST

static void serve_root(void *arg)
{
    uint64_t all = child_caps("CapPrm:");

    must(caps_keep() == 0);
    must(caps_raise() == 0);
    must(caps_lower() == 0);
    must_have(all, all);
    must(caps_forget() == 0);
    must_have(all, all);
    must(caps_drop() == 0);
    must_have(all, all);
    must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

START_TEST(job_of_root_keeps_what_root_has)
{
    child_must(serve_root, NULL);
}
END_TEST

static void build(void *arg)
{
    must(caps_builder_start() == 0);
    child_become_user();
    must(caps_builder_settle() == 0);
    must_have(BUILDER_CAPS, CAP_BIT(CAP_SYS_ADMIN));
    must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    must(prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) == 0);
    must(open("/proc/1/mem", O_RDONLY | O_CLOEXEC) < 0);

    must(caps_builder_own_root() == 0);
    must_have(BUILDER_CAPS, BUILDER_CAPS);
    must(caps_builder_disown() == 0);
    must_have(BUILDER_CAPS, CAP_BIT(CAP_SYS_ADMIN));
    must(caps_builder_own_root() == 0);

    must(caps_builder_only_mount() == 0);
    must_have(CAP_BIT(CAP_SYS_ADMIN), CAP_BIT(CAP_SYS_ADMIN));
    must(caps_builder_own_root() == -EPERM);
    must(caps_builder_disown() == -EPERM);
    must(caps_builder_settle() == -EPERM);
    must_have(CAP_BIT(CAP_SYS_ADMIN), CAP_BIT(CAP_SYS_ADMIN));
    must(setuid(0) < 0);
}

static void build_as_root(void *arg)
{
    const uint64_t all = BUILDER_CAPS | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_SETFCAP);

    must(caps_builder_settle_root() == 0);
    must_have(all, CAP_BIT(CAP_SYS_ADMIN));
    must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    must(caps_builder_own_root() == 0);
    must_have(all, all);
    must(caps_builder_disown() == 0);
    must_have(all, CAP_BIT(CAP_SYS_ADMIN));
    must(caps_builder_only_mount() == 0);
    must_have(CAP_BIT(CAP_SYS_ADMIN), CAP_BIT(CAP_SYS_ADMIN));
    must(caps_builder_own_root() == -EPERM);
}

START_TEST(fake_roots_builder_keeps_what_his_overlay_needs)
{
    child_must(build_as_root, NULL);
}
END_TEST

START_TEST(builder_ends_with_the_right_to_mount_alone)
{
    child_must(build, NULL);
}
END_TEST

static void build_without_privilege(void *arg)
{
    child_become_user();
    must(caps_builder_start() == 0);
    must(caps_builder_settle() == -EPERM);
    must(caps_builder_own_root() == -EPERM);
    must(caps_builder_only_mount() == -EPERM);
    must_have(0, 0);
}

START_TEST(builder_gains_nothing_that_it_had_not)
{
    child_must(build_without_privilege, NULL);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("caps");
    TCase *tc = tcase_create("caps");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, what_is_kept_is_not_effective);
    tcase_add_test(tc, raising_gives_six_capabilities_until_lowered);
    tcase_add_test(tc, nothing_can_be_raised_that_was_not_kept);
    tcase_add_test(tc, kept_capabilities_survive_a_moment_as_root);
    tcase_add_test(tc, forgetting_leaves_an_ordinary_process);
    tcase_add_test(tc, dropping_is_final_and_sets_no_new_privs);
    tcase_add_test(tc, no_capability_survives_an_exec);
    tcase_add_test(tc, job_of_root_keeps_what_root_has);
    tcase_add_test(tc, fake_roots_builder_keeps_what_his_overlay_needs);
    tcase_add_test(tc, builder_ends_with_the_right_to_mount_alone);
    tcase_add_test(tc, builder_gains_nothing_that_it_had_not);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(child_cannot_mount, make_suite)
