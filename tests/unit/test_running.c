/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "namespace/running.h"
#include "base/cleanup.h"
#include "child.h"
#include "namespace/ns.h"
#include "privileged/caps.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define TAG "vitrine:test/a"

/* A process in a container. */
struct inside {
    const char *source; /* of the overlay */
    bool fake_root;     /* in a namespace of the user's */
    bool closed;        /* does not let itself be looked at */
    bool sandbox;       /* has made itself namespaces inside */
    pid_t pid;
    char mnt[64]; /* what /proc/self/ns/mnt is there */
};

/* --- the container ---------------------------------------------------------------------
 */

static int build(void *arg, void *reply, int *ret_extra, struct vitrine_error *err)
{
    const struct inside *inside = arg;

    must(mount("test", "/tmp", "tmpfs", 0, NULL) == 0);
    must(mkdir("/tmp/a", 0755) == 0 && mkdir("/tmp/b", 0755) == 0);
    must(mkdir("/tmp/a/proc", 0755) == 0 && mkdir("/tmp/root", 0755) == 0);
    must(mount(inside->source, "/tmp/root", "overlay", 0,
               "lowerdir=/tmp/a:/tmp/b,userxattr") == 0);
    must(mount("/proc", "/tmp/root/proc", NULL, MS_BIND | MS_REC, NULL) == 0);
    must(chdir("/tmp/root") == 0 && syscall(SYS_pivot_root, ".", ".") == 0);
    must(umount2(".", MNT_DETACH) == 0);
    return 0;
}

static void enter(const struct inside *inside)
{
    const struct userns_ids none = {.nuids = 0};
    struct vitrine_error err = {0};
    int user_ns = -1, left[NS_LEFT];

    must(caps_keep() == 0);
    child_become_user();
    must(caps_lower() == 0);
    must(!inside->fake_root || userns_fake_root(&none, &user_ns) == 0);
    const struct ns_wish wish = {
        .build = build, .arg = (void *)inside, .user_ns = user_ns};
    int rc = ns_build(&wish, NULL, 0, left, &err);
    if (rc < 0)
        (void)fprintf(stderr, "# %s\n", err.text);
    must(rc == 0);
    const struct userns_set set = {
        .mnt = left[NS_MNT], .user = user_ns, .net = -1, .ipc = -1, .uts = -1};
    must(userns_join(&set) == 0);
}

static void live(struct inside *inside, int ready)
{
    enter(inside);
    if (inside->sandbox)
        must(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
    /* As the exec of an ordinary program does, or of one that nobody may read. */
    must(prctl(PR_SET_DUMPABLE, inside->closed ? 0L : 1L, 0L, 0L, 0L) == 0);
    must(readlink("/proc/self/ns/mnt", inside->mnt, sizeof(inside->mnt) - 1) > 0);
    must(write(ready, inside->mnt, sizeof(inside->mnt)) == sizeof(inside->mnt));
    for (;;)
        (void)pause();
}

static void start(struct inside *inside)
{
    int ready[2];

    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    inside->pid = fork();
    if (inside->pid == 0)
        live(inside, ready[1]);
    (void)close(ready[1]);
    ck_assert_int_eq(read(ready[0], inside->mnt, sizeof(inside->mnt)),
                     sizeof(inside->mnt));
    (void)close(ready[0]);
}

static void end(const struct inside *inside)
{
    (void)kill(inside->pid, SIGKILL);
    (void)waitpid(inside->pid, NULL, 0);
}

/* --- who looks for it ------------------------------------------------------------------
 */

struct look {
    const char *tag;
    const struct inside *found; /* or NULL */
    uid_t uid;                  /* who looks; 0: the user */
};

static void find(void *arg)
{
    const struct look *look = arg;
    uid_t uid = look->uid ? look->uid : CHILD_UID;
    struct running running = {.root = -1};
    char mnt[64] = "", link[64];
    struct stat st;

    must(setresgid(CHILD_GID, CHILD_GID, CHILD_GID) == 0);
    must(setresuid(uid, uid, uid) == 0);
    must(prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L) == 0);
    int rc = running_find(look->tag, &running);
    must(rc == (look->found ? 0 : -ENOENT));
    if (rc < 0)
        return;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", running.set.mnt);
    must(readlink(link, mnt, sizeof(mnt) - 1) > 0);
    must(strcmp(mnt, look->found->mnt) == 0);
    must((running.set.user >= 0) == look->found->fake_root);
    must(running.set.net < 0 && running.set.ipc < 0 && running.set.uts < 0);
    must(!running.has_ranges);
    must(fstatat(running.root, "proc", &st, 0) == 0 && S_ISDIR(st.st_mode));
    running_close(&running);
    must(running.root < 0 && running.set.mnt < 0);
}

static void check(const char *tag, const struct inside *found)
{
    struct look look = {.tag = tag, .found = found};

    child_must(find, &look);
}

/* --- tests -----------------------------------------------------------------------------
 */

START_TEST(container_is_found_by_its_tag_as_long_as_it_runs)
{
    struct inside a = {.source = TAG}, b = {.source = TAG "b"};

    check(TAG, NULL);
    start(&b);
    start(&a);
    check(TAG, &a);
    check(TAG "b", &b);
    check("vitrine:test/", NULL);
    check(TAG "bc", NULL);
    check("", NULL);
    end(&a);
    check(TAG, NULL);
    check(TAG "b", &b);
    end(&b);
}
END_TEST

START_TEST(fake_roots_is_found_with_his_namespace)
{
    struct inside fake = {.source = TAG RUNNING_FAKE_ROOT, .fake_root = true};

    start(&fake);
    check(TAG, &fake);
    end(&fake);
}
END_TEST

/* Anybody can make such an overlay in a namespace of his own. */
START_TEST(what_a_user_made_himself_is_not_taken)
{
    struct inside forged = {.source = TAG, .fake_root = true};
    struct inside confused = {.source = TAG RUNNING_FAKE_ROOT};

    start(&forged);
    check(TAG, NULL);
    end(&forged);
    start(&confused);
    check(TAG, NULL);
    end(&confused);
}
END_TEST

START_TEST(sandbox_inside_is_not_the_container)
{
    for (int i = 0; i < 2; i++) {
        struct inside sandbox = {.source = i ? TAG RUNNING_FAKE_ROOT : TAG,
                                 .fake_root = i == 1,
                                 .sandbox = true};

        start(&sandbox);
        check(TAG, NULL);
        end(&sandbox);
    }
}
END_TEST

/* One that has not started its program yet, or one that can only be executed. */
START_TEST(process_that_cannot_be_looked_at_is_passed_over)
{
    struct inside closed = {.source = TAG, .closed = true}, open = {.source = TAG};

    start(&closed);
    check(TAG, NULL);
    start(&open);
    check(TAG, &open);
    end(&open);
    end(&closed);
}
END_TEST

START_TEST(others_do_not_find_it)
{
    struct inside a = {.source = TAG};
    struct look look = {.tag = TAG, .uid = CHILD_UID + 1};

    start(&a);
    child_must(find, &look);
    check(TAG, &a);
    end(&a);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("running");
    TCase *tc = tcase_create("running");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, container_is_found_by_its_tag_as_long_as_it_runs);
    tcase_add_test(tc, fake_roots_is_found_with_his_namespace);
    tcase_add_test(tc, what_a_user_made_himself_is_not_taken);
    tcase_add_test(tc, sandbox_inside_is_not_the_container);
    tcase_add_test(tc, process_that_cannot_be_looked_at_is_passed_over);
    tcase_add_test(tc, others_do_not_find_it);
    suite_add_tcase(s, tc);
    return s;
}

CHILD_MAIN(child_cannot_mount, make_suite)
