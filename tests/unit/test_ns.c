/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "namespace/ns.h"
#include "base/cleanup.h"
#include "child.h"
#include "privileged/caps.h"
#include "privileged/userns.h"

#include <fcntl.h>
#include <poll.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <signal.h>
#include <sys/ioctl.h>

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

static size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");

    must(dir != NULL);
    while (readdir(dir))
        count++;
    (void)closedir(dir);
    return count;
}

static ino_t inode_of(int fd)
{
    struct stat st;

    must(fstat(fd, &st) == 0);
    return st.st_ino;
}

/* --- what builders do ------------------------------------------------------------------
 */

static int build_marker(void *arg, void *reply, int *ret_extra, struct vitrine_error *err)
{
    must(getuid() == CHILD_UID && child_caps("CapEff:") == CAP_BIT(CAP_SYS_ADMIN));
    must(mount("test", "/tmp", "tmpfs", 0, NULL) == 0);
    must(mkdir("/tmp/marker", 0755) == 0);
    must(mount("test", "/proc", "tmpfs", 0, NULL) == 0); /* as a user may */
    memcpy(reply, arg, strlen(arg) + 1);
    return 0;
}

static int build_nothing(void *arg, void *reply, int *ret_extra,
                         struct vitrine_error *err)
{
    return 0;
}

static int build_failure(void *arg, void *reply, int *ret_extra,
                         struct vitrine_error *err)
{
    memcpy(reply, "half", 5);
    return vitrine_fail(err, VITRINE_EMOUNT, "no room for %s", (const char *)arg);
}

static int build_death(void *arg, void *reply, int *ret_extra, struct vitrine_error *err)
{
    int signal_nr = *(const int *)arg;

    if (signal_nr == 0)
        _exit(0);
    /* nohup(1) may have started the tests. */
    (void)signal(signal_nr, SIG_DFL);
    (void)raise(signal_nr);
    return 0;
}

static int build_forever(void *arg, void *reply, int *ret_extra,
                         struct vitrine_error *err)
{
    pid_t self = getpid();

    must(write(*(const int *)arg, &self, sizeof(self)) == sizeof(self));
    for (;;)
        (void)pause();
}

/* Mounts and nothing else, in a namespace that root owns. */
static int make_ns(ns_build_f work, ns_meanwhile_f meanwhile, void *arg, void *reply,
                   size_t size, int *ret_ns, struct vitrine_error *err)
{
    const struct ns_wish wish = {
        .build = work, .meanwhile = meanwhile, .arg = arg, .user_ns = -1};
    int left[NS_LEFT];

    if (ns_build(&wish, reply, size, left, err) < 0)
        return -1;
    for (int i = 0; i < NS_LEFT; i++)
        must((left[i] >= 0) == (i == NS_MNT));
    *ret_ns = left[NS_MNT];
    return 0;
}

static int join_ns(int ns)
{
    const struct userns_set set = {
        .user = -1, .mnt = ns, .net = -1, .ipc = -1, .uts = -1};

    return userns_join(&set);
}

/* --- tests -----------------------------------------------------------------------------
 */

static void build(void *arg)
{
    char word[] = "word", reply[64] = "";
    struct vitrine_error err = {.text = "untouched"};
    size_t before;
    int ns = -1;

    become_user();
    before = count_descriptors();
    must(make_ns(build_marker, NULL, word, reply, sizeof(reply), &ns, &err) == 0);
    must(strcmp(reply, "word") == 0);
    must(strcmp(err.text, "untouched") == 0);
    must(fcntl(ns, F_GETFD) & FD_CLOEXEC);
    must(count_descriptors() == before + 1);
    must_be_user_again();
    must(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    must(access("/tmp/marker", F_OK) < 0);

    cleanup_fd int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    must(inode_of(ns) != inode_of(own));
    must(join_ns(ns) == 0);
    must(access("/tmp/marker", F_OK) == 0);
}

START_TEST(builders_mounts_and_words_outlive_it)
{
    child_must(build, NULL);
}
END_TEST

static void relay_failure(void *arg)
{
    char word[] = "you", reply[8] = "before";
    struct vitrine_error err = {0};
    size_t before;
    int ns = -7;

    become_user();
    before = count_descriptors();
    must(make_ns(build_failure, NULL, word, reply, sizeof(reply), &ns, &err) == -1);
    must(err.code == VITRINE_EMOUNT && strcmp(err.text, "no room for you") == 0);
    must(ns == -7 && strcmp(reply, "before") == 0);
    must(count_descriptors() == before);
    must_be_user_again();
    must(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    /* The caller may go without the reason. */
    must(make_ns(build_failure, NULL, word, reply, sizeof(reply), &ns, NULL) == -1);
}

START_TEST(builders_error_reaches_the_caller)
{
    child_must(relay_failure, NULL);
}
END_TEST

static void die(void *arg)
{
    struct vitrine_error err = {0};
    size_t before;
    int ns = -7;

    become_user();
    before = count_descriptors();
    must(make_ns(build_death, NULL, arg, NULL, 0, &ns, &err) == -1);
    must(err.code == VITRINE_EINTERNAL && strstr(err.text, "killed"));
    must(ns == -7);
    must(count_descriptors() == before);
    must_be_user_again();
    must(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    /* And the next one may do better. */
    must(make_ns(build_nothing, NULL, NULL, NULL, 0, &ns, &err) == 0);
}

START_TEST(builder_that_dies_is_an_error_and_no_zombie)
{
    static int signals[] = {SIGKILL, SIGUSR1, SIGPIPE, SIGHUP, 0};

    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        child_must(die, &signals[i]);
}
END_TEST

static void wait_for_end_of(pid_t pid)
{
    for (int tries = 0; tries < 500 && kill(pid, 0) == 0; tries++)
        (void)usleep(10000);
    must(kill(pid, 0) < 0 && errno == ESRCH);
}

static void lose_caller(void *arg)
{
    int told[2], ns;
    pid_t builder;

    must(pipe(told) == 0);
    pid_t caller = fork();
    if (caller == 0) {
        become_user();
        (void)make_ns(build_forever, NULL, &told[1], NULL, 0, &ns, NULL);
        _exit(1);
    }
    must(read(told[0], &builder, sizeof(builder)) == sizeof(builder));
    must(kill(builder, 0) == 0);
    must(kill(caller, SIGKILL) == 0);
    must(waitpid(caller, NULL, 0) == caller);
    wait_for_end_of(builder);
}

START_TEST(builder_dies_with_its_caller)
{
    child_must(lose_caller, NULL);
}
END_TEST

static void refuse_entry(void *arg)
{
    int ns = -1;

    become_user();
    must(make_ns(build_nothing, NULL, NULL, NULL, 0, &ns, NULL) == 0);
    /* Not with privilege in reserve, and not without. */
    must(setns(ns, CLONE_NEWNS) < 0 && errno == EPERM);
    must(caps_drop() == 0);
    must(setns(ns, CLONE_NEWNS) < 0 && errno == EPERM);
    must(setns(ns, 0) < 0 && errno == EPERM);

    int owner = ioctl(ns, NS_GET_USERNS);
    if (owner >= 0) {
        uid_t uid = CHILD_UID;

        must(ioctl(owner, NS_GET_OWNER_UID, &uid) == 0 && uid == 0);
        must(setns(owner, CLONE_NEWUSER) < 0 && errno == EPERM);
    }
    /* Nor from a namespace of his own, where a user has every capability. */
    if (unshare(CLONE_NEWUSER) == 0) {
        must(setns(ns, CLONE_NEWNS) < 0 && errno == EPERM);
        must(owner < 0 || setns(owner, CLONE_NEWUSER) < 0);
    }
}

START_TEST(user_can_neither_enter_the_namespace_nor_its_owner)
{
    child_must(refuse_entry, NULL);
}
END_TEST

static void do_without_privilege(void *arg)
{
    struct vitrine_error err = {0};
    int ns = -7;

    child_become_user();
    must(make_ns(build_nothing, NULL, NULL, NULL, 0, &ns, &err) == -1);
    must(err.code == VITRINE_EUNSUPPORTED && strstr(err.text, "namespaces"));
    must(ns == -7);
    must(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
}

START_TEST(nothing_is_built_without_kept_privilege)
{
    child_must(do_without_privilege, NULL);
}
END_TEST

static int build_long_reply(void *arg, void *reply, int *ret_extra,
                            struct vitrine_error *err)
{
    memset(reply, 'x', NS_REPLY_MAX);
    return 0;
}

static void reply_at_length(void *arg)
{
    static char reply[NS_REPLY_MAX + 1];
    int ns = -1;

    become_user();
    must(make_ns(build_long_reply, NULL, NULL, reply, NS_REPLY_MAX, &ns, NULL) == 0);
    must(reply[0] == 'x' && reply[NS_REPLY_MAX - 1] == 'x' && reply[NS_REPLY_MAX] == 0);
    (void)close(ns);
    must(make_ns(build_long_reply, NULL, NULL, reply, NS_REPLY_MAX + 1, &ns, NULL) < 0);
}

START_TEST(longest_reply_fits_and_longer_ones_are_refused)
{
    child_must(reply_at_length, NULL);
}
END_TEST

static int go[2];

static int build_after_signal(void *arg, void *reply, int *ret_extra,
                              struct vitrine_error *err)
{
    char byte;

    return read(go[0], &byte, 1) == 1 ? 0 : -1;
}

static void signal_builder(void *arg, int until)
{
    struct pollfd end = {.fd = until, .events = POLLIN};

    (*(int *)arg)++;
    must(poll(&end, 1, 0) == 0); /* the builder waits for us */
    must(write(go[1], "", 1) == 1);
    must(poll(&end, 1, 10000) == 1);
}

static void work_meanwhile(void *arg)
{
    int count = 0, ns = -1;

    must(pipe(go) == 0);
    become_user();
    must(make_ns(build_after_signal, signal_builder, &count, NULL, 0, &ns, NULL) == 0);
    must(count == 1);
}

START_TEST(caller_works_while_the_builder_does)
{
    child_must(work_meanwhile, NULL);
}
END_TEST

static void build_as_root(void *arg)
{
    int ns = -1;

    must(caps_keep() == 0);
    must(make_ns(build_nothing, NULL, NULL, NULL, 0, &ns, NULL) == 0);
    must(join_ns(ns) == 0);
    must(getuid() == 0);
}

START_TEST(root_can_have_a_container_too)
{
    child_must(build_as_root, NULL);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("ns");
    TCase *tc = tcase_create("ns");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, builders_mounts_and_words_outlive_it);
    tcase_add_test(tc, builders_error_reaches_the_caller);
    tcase_add_test(tc, builder_that_dies_is_an_error_and_no_zombie);
    tcase_add_test(tc, builder_dies_with_its_caller);
    tcase_add_test(tc, user_can_neither_enter_the_namespace_nor_its_owner);
    tcase_add_test(tc, nothing_is_built_without_kept_privilege);
    tcase_add_test(tc, longest_reply_fits_and_longer_ones_are_refused);
    tcase_add_test(tc, caller_works_while_the_builder_does);
    tcase_add_test(tc, root_can_have_a_container_too);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(child_cannot_mount, make_suite)
