/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting vitrine-save as the leader of a step does, into a user namespace too. */
#include "save/save.h"
#include "base/syscalls.h"
#include "privileged/caps.h"
#include "save_tree.h"

#include <sys/prctl.h>

/* A range that nobody on the machine has. */
#define SUB_UID 5000000

static struct vitrine_error err;

/* A user namespace of the user's, with ids as given; returns a descriptor. */
static int make_user_ns(const char *map)
{
    char path[64], byte;
    int up[2], down[2];

    must(pipe(up) == 0 && pipe(down) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        child_become_user();
        must(prctl(PR_SET_DUMPABLE, 1) == 0);
        must(unshare(CLONE_NEWUSER) == 0);
        must(write(up[1], "x", 1) == 1);
        must(read(down[0], &byte, 1) == 1);
        _exit(0);
    }
    must(read(up[0], &byte, 1) == 1);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof(path), "/proc/%d/%cid_map", (int)pid, i ? 'g' : 'u');
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        must(write(fd, map, strlen(map)) == (ssize_t)strlen(map));
        (void)close(fd);
    }
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    must(ns >= 0);
    must(write(down[1], "x", 1) == 1);
    must(waitpid(pid, NULL, 0) == pid);
    return ns;
}

static struct save_spec make_spec(int user_ns)
{
    return (struct save_spec){
        .base = open(SRC, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        .is_directory = true,
        .upper = -1,
        .directory = open(OUT, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        .name = NAME,
        .user_ns = user_ns,
    };
}

/* Two of the user's, one of a range of his, one of a stranger's; who may read the second
 * is nobody. */
static void make_files(void)
{
    write_file(SRC "/mine", "mine", 4);
    write_file(SRC "/secret", "secret", 6);
    write_file(SRC "/range", "range", 5);
    ck_assert_int_eq(chown(SRC, CHILD_UID, CHILD_GID), 0);
    ck_assert_int_eq(chown(SRC "/mine", CHILD_UID, CHILD_GID), 0);
    ck_assert_int_eq(chown(SRC "/secret", CHILD_UID, CHILD_GID), 0);
    ck_assert_int_eq(chown(SRC "/range", SUB_UID + 32, SUB_UID + 33), 0);
    ck_assert_int_eq(chmod(SRC "/secret", 0), 0);
    ck_assert_int_eq(chmod(SRC "/range", 0600), 0);
    ck_assert_int_eq(chown(OUT, CHILD_UID, CHILD_GID), 0);
    ck_assert_int_eq(chmod(OUT, 0700), 0);
}

static void must_be_user_again(void)
{
    must(child_caps("CapEff:") == 0);
    must(geteuid() == CHILD_UID && getuid() == CHILD_UID);
}

static void save_in_namespace(void *arg)
{
    const struct save_spec spec = make_spec(*(int *)arg);
    struct save_process process = SAVE_PROCESS_NONE;

    must(caps_keep() == 0);
    child_become_user();
    must(save_start(&spec, &process, &err) == 0);
    must_be_user_again();
    must(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    must(access(OUT "/" NAME, F_OK) < 0);
    must(save_finish(&process, -1, &err) == 0);
}

static void check_owner(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
    struct stat st;

    ck_assert_msg(stat(path, &st) == 0, "%s", path);
    ck_assert_msg(st.st_uid == uid && st.st_gid == gid && (st.st_mode & 07777) == mode,
                  "%s: %u %u %o", path, st.st_uid, st.st_gid, st.st_mode);
}

START_TEST(fake_root_saves_ids_as_they_are_inside)
{
    char map[100];

    make_files();
    (void)snprintf(map, sizeof(map), "0 %u 1\n1 %u 65535\n", CHILD_UID, SUB_UID + 1);
    int ns = make_user_ns(map);
    /* The test's own group is another number. */
    ck_assert_int_eq(chown(SRC "/mine", CHILD_UID, SUB_UID + 5), 0);
    ck_assert_int_eq(chown(SRC "/secret", CHILD_UID, SUB_UID + 5), 0);
    child_must(save_in_namespace, &ns);
    mount_image(OUT "/" NAME, SAVED);
    check_owner(SAVED "/mine", 0, 5, 0644);
    check_owner(SAVED "/secret", 0, 5, 0);
    check_owner(SAVED "/range", 32, 33, 0600);
    /* Unknown in there: this user's own group is not mapped. */
    check_owner(SAVED, 0, 65534, 0755);
    check_owner(OUT "/" NAME, CHILD_UID, CHILD_GID, 0644);
}
END_TEST

/* As a container with fake root is changed: its overlay belongs to the namespace, and so
 * do the whiteouts and marks that it makes. */
static void change_in_namespace(void *arg)
{
    must(setns(*(int *)arg, CLONE_NEWUSER) == 0);
    must(setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0);
    must(unshare(CLONE_NEWNS) == 0);
    must(mount("none", MERGED, "overlay", 0,
               "userxattr,lowerdir=" SRC ",upperdir=" UPPER ",workdir=" WORK) == 0);
    must(unlink(MERGED "/mine") == 0);
    must(unlink(MERGED "/dir/old") == 0 && rmdir(MERGED "/dir") == 0);
    must(mkdir(MERGED "/dir", 0700) == 0);
    must(chown(MERGED "/dir", 7, 8) == 0);
    must(mknod(MERGED "/dir/new", S_IFREG | 04711, 0) == 0);
    must(mkfifo(MERGED "/dir/fifo", 0600) == 0);
    must(chown(MERGED "/range", 33, 34) == 0);
    must(symlink("dir", MERGED "/link") == 0);
}

static void save_changes(void *arg)
{
    struct save_spec spec = make_spec(*(int *)arg);
    struct save_process process = SAVE_PROCESS_NONE;

    spec.upper = open(UPPER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(caps_keep() == 0);
    child_become_user();
    must(save_start(&spec, &process, &err) == 0);
    if (save_finish(&process, -1, &err) < 0)
        (void)dprintf(STDERR_FILENO, "# %s\n", err.text);
    else
        _exit(0);
    _exit(1);
}

START_TEST(fake_root_saves_what_he_has_changed)
{
    char map[100];

    make_files();
    (void)snprintf(map, sizeof(map), "0 %u 1\n1 %u 65535\n", CHILD_UID, SUB_UID + 1);
    int ns = make_user_ns(map);
    ck_assert_int_eq(mkdir(SRC "/dir", 0755), 0);
    write_file(SRC "/dir/old", "", 0);
    ck_assert_int_eq(run("chown", "-R", "54321:54321", SRC, UPPER, WORK, NULL), 0);
    ck_assert_int_eq(chown(SRC "/range", SUB_UID + 32, SUB_UID + 33), 0);
    child_must(change_in_namespace, &ns);
    child_must(save_changes, &ns);
    mount_image(OUT "/" NAME, SAVED);
    ck_assert_int_ne(access(SAVED "/mine", F_OK), 0);
    ck_assert_int_ne(access(SAVED "/dir/old", F_OK), 0);
    check_owner(SAVED "/secret", 0, 0, 0);
    check_owner(SAVED "/range", 33, 34, 0600);
    check_owner(SAVED "/dir", 7, 8, 0700);
    check_owner(SAVED "/dir/new", 0, 0, 04711);
    check_owner(SAVED "/link/fifo", 0, 0, 0600);
    ck_assert_int_lt(getxattr(SAVED "/dir", "user.overlay.opaque", NULL, 0), 0);
}
END_TEST

static void save_as_user(void *arg)
{
    struct save_spec spec = make_spec(-1);
    struct save_process process = SAVE_PROCESS_NONE;

    must(caps_keep() == 0);
    child_become_user();
    must(save_start(&spec, &process, &err) == 0);
    must_be_user_again();
    /* It can send nothing there, and no descriptors that take their time to be closed. */
    must(recv(process.control, &(char){0}, 1, MSG_DONTWAIT) == 0);
    must(save_finish(&process, -1, &err) < 0);
    must(strstr(err.text, "/range: it cannot be read: Permission denied") != NULL);
    must(strstr(err.text, "no file was made") != NULL);
    must(access(OUT "/" NAME, F_OK) < 0);
}

START_TEST(user_saves_with_his_own_rights)
{
    make_files();
    child_must(save_as_user, NULL);
}
END_TEST

static void be_refused(void *arg)
{
    struct save_spec spec = make_spec(-1);
    struct save_process process = SAVE_PROCESS_NONE;

    must(caps_keep() == 0);
    child_become_user();
    must(save_start(&spec, &process, &err) < 0);
    must(err.code == VITRINE_EUSAGE);
    must(strstr(err.text, "cannot save to " NAME ": ") != NULL);
    must(strstr(err.text, "Permission denied") != NULL);
    must(process.control == -1);
    spec.name = "dir";
    must(save_start(&spec, &process, &err) < 0);
    must(strstr(err.text, "it is a directory") != NULL);
}

START_TEST(refusal_comes_from_the_start)
{
    ck_assert_int_eq(mkdir(OUT "/dir", 0755), 0);
    child_must(be_refused, NULL);
}
END_TEST

/* The other end is the user's, who may have put anything there. */
START_TEST(what_the_program_says_is_not_trusted)
{
    struct save_message message = {.ok = 0};
    int pair[2], ends[2];

    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
        const struct save_process process = {pair[0], ends[0], -1};
        memset(message.text, i == 1 ? '\033' : 'x', sizeof(message.text));
        message.ok = i == 3 ? 17 : 0;
        ck_assert_int_eq(fd_write_full(ends[1], &message, i == 2 ? 5 : sizeof(message)),
                         0);
        ck_assert_int_lt(save_finish(&process, -1, &err), 0);
        ck_assert_uint_lt(strlen(err.text), sizeof(err.text));
        ck_assert_ptr_null(strchr(err.text, '\033'));
        (void)close(pair[1]);
        (void)close(ends[1]);
        ck_assert_int_lt(save_finish(&process, -1, &err), 0);
        ck_assert_ptr_nonnull(strstr(err.text, "was killed"));
        (void)close(pair[0]);
        (void)close(ends[0]);
    }
}
END_TEST

/* Its user can give the pipe to a process of another job, which slurmd cannot end. */
START_TEST(nobody_else_keeps_the_end_waiting)
{
    const struct save_message message = {.ok = SAVE_WORKS};
    int pair[2], ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t program = fork();
    if (program == 0)
        _exit(0);
    const struct save_process process = {pair[0], ends[0], sys_pidfd_open(program)};
    ck_assert_int_ge(process.pid, 0);
    pid_t thief = fork();
    while (thief == 0 && getppid() != 1)
        (void)fd_write_full(ends[1], &message, sizeof(message));
    ck_assert_int_lt(save_finish(&process, -1, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "was killed"));
    ck_assert_int_eq(kill(thief, SIGKILL), 0);
    ck_assert_int_eq(waitpid(thief, NULL, 0), thief);
    ck_assert_int_eq(waitpid(program, NULL, 0), program);
    const int fds[] = {process.pid, pair[0], pair[1], ends[0], ends[1]};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        (void)close(fds[i]);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("save_start");
    TCase *tc = tcase_create("save_start");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_save_top, NULL);
    tcase_add_test(tc, fake_root_saves_ids_as_they_are_inside);
    tcase_add_test(tc, fake_root_saves_what_he_has_changed);
    tcase_add_test(tc, user_saves_with_his_own_rights);
    tcase_add_test(tc, refusal_comes_from_the_start);
    tcase_add_test(tc, what_the_program_says_is_not_trusted);
    tcase_add_test(tc, nobody_else_keeps_the_end_waiting);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(cannot_save, make_suite)
