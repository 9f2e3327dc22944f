/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "namespace/seccomp.h"
#include "base/cleanup.h"
#include "child.h"
#include "privileged/caps.h"
#include "privileged/userns.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define PROJECT 60000

/* A fake root with one id, in a directory of his; PROJECT is a group of his. */
static void become_fake_root(void)
{
    const gid_t groups[] = {CHILD_GID, PROJECT};
    int ns = -1;

    child_own_mounts();
    must(mount("test", "/mnt", "tmpfs", 0, "mode=777") == 0 && chdir("/mnt") == 0);
    must(setgroups(2, groups) == 0);
    must(caps_keep() == 0);
    must(setresgid(CHILD_GID, CHILD_GID, CHILD_GID) == 0);
    must(setresuid(CHILD_UID, CHILD_UID, CHILD_UID) == 0);
    must(caps_lower() == 0);
    must(userns_fake_root(&(struct userns_ids){.nuids = 0}, &ns) == 0);
    must(caps_drop() == 0);
    must(setns(ns, CLONE_NEWUSER) == 0);
    int fd = open("file", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    must(fd >= 0 && close(fd) == 0 && symlink("file", "link") == 0);
    must(chown("file", 33, 33) < 0 && setgroups(0, NULL) < 0 && setuid(33) < 0);
    must(seccomp_fake_ids() == 0);
}

static void must_belong(const char *path, uid_t uid, gid_t gid)
{
    struct stat st;

    must(lstat(path, &st) == 0 && st.st_uid == uid && st.st_gid == gid);
}

static void change_owners(void *arg)
{
    become_fake_root();
    int fd = open("file", O_RDWR | O_CLOEXEC);
    must(fd >= 0);
    must(chown("file", 33, 33) == 0 && lchown("link", 33, 0) == 0);
    must(chown("file", 0, 33) == 0 && chown("file", (uid_t)-1, 33) == 0);
    must(chown("file", 33, (gid_t)-1) == 0 && chown("file", 65534, 65534) == 0);
    must(fchown(fd, 33, 33) == 0 && fchownat(AT_FDCWD, "link", 1, 2, 0) == 0);
    must(fchownat(fd, "", 1, 2, AT_EMPTY_PATH) == 0);
    must_belong("file", 0, 0);
    must_belong("link", 0, 0);
}

START_TEST(changes_of_owner_that_cannot_be_done_succeed)
{
    child_must(change_owners, NULL);
}
END_TEST

static void change_groups(void *arg)
{
    become_fake_root();
    int fd = open("file", O_RDWR | O_CLOEXEC);
    must(chown("file", (uid_t)-1, PROJECT) == 0);
    must_belong("file", 0, PROJECT);
    must(fchown(fd, 0, 0) == 0);
    must_belong("file", 0, 0);
    must(fchownat(AT_FDCWD, "link", 0, PROJECT, AT_SYMLINK_NOFOLLOW) == 0);
    must_belong("link", 0, PROJECT);
    must_belong("file", 0, 0);
    must(fchownat(AT_FDCWD, "file", (uid_t)-1, PROJECT, 0) == 0);
    must_belong("file", 0, PROJECT);
    must(lchown("link", 0, (gid_t)-1) == 0);
    /* They are the kernel's own answers. */
    must(chown("none", 0, 0) < 0 && errno == ENOENT);
    must(chown("/proc/version", 0, 0) < 0 && errno == EPERM);
}

START_TEST(changes_of_owner_that_can_be_done_are_done)
{
    child_must(change_groups, NULL);
}
END_TEST

static void become_others(void *arg)
{
    const gid_t groups[] = {1, 2, 3};
    uint64_t effective;

    become_fake_root();
    effective = child_caps("CapEff:");
    must(setgroups(3, groups) == 0 && setgroups(0, NULL) == 0);
    must(setgid(33) == 0 && setregid(33, 33) == 0 && setresgid(33, 33, 33) == 0);
    must(setuid(33) == 0 && setreuid(33, 33) == 0 && setresuid(33, 33, 33) == 0);
    must(setegid(33) == 0 && seteuid(33) == 0);
    must(setfsuid(33) == 0 && setfsgid(33) == 0);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{.effective = 1, .permitted = 1}};
    must(syscall(SYS_capset, &header, data) == 0);
    must(getuid() == 0 && geteuid() == 0 && getgid() == 0 && getegid() == 0);
    must(getgroups(0, NULL) == 2 && child_caps("CapEff:") == effective);
    must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

START_TEST(who_becomes_another_user_stays_fake_root)
{
    child_must(become_others, NULL);
}
END_TEST

static void make_nodes(void *arg)
{
    struct stat st;

    become_fake_root();
    must(mknod("char", S_IFCHR | 0600, makedev(1, 3)) == 0);
    must(mknod("block", S_IFBLK | 0600, makedev(8, 0)) == 0);
    must(mknod("block", S_IFBLK | 0600, 0) == 0);
    must(mknodat(AT_FDCWD, "char", S_IFCHR | 0600, makedev(1, 3)) == 0);
    must(syscall(SYS_mknodat, AT_FDCWD, "block", S_IFBLK | 0600, makedev(8, 0)) == 0);
    must(lstat("char", &st) < 0 && lstat("block", &st) < 0);
    must(mknod("plain", S_IFREG | 0600, 0) == 0 && lstat("plain", &st) == 0);
    must(mknod("plain2", 0600, makedev(1, 3)) == 0 && lstat("plain2", &st) == 0);
    must(mkfifo("fifo", 0600) == 0 && lstat("fifo", &st) == 0 && S_ISFIFO(st.st_mode));
    must(mknod("socket", S_IFSOCK | 0600, 0) == 0 && lstat("socket", &st) == 0);
    must(mknod("fifo", S_IFIFO | 0600, 0) < 0 && errno == EEXIST);
    /* The mark of a deleted file. */
    must(mknod("gone", S_IFCHR, 0) == 0 && lstat("gone", &st) == 0 && st.st_rdev == 0);
}

START_TEST(devices_are_made_in_words_alone)
{
    child_must(make_nodes, NULL);
}
END_TEST

#ifdef __x86_64__
/* What a 32-bit program does. */
static int call32(unsigned nr, unsigned a, unsigned b, unsigned c, unsigned d)
{
    int rc;

    __asm__ volatile("int $0x80"
                     : "=a"(rc)
                     : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d)
                     : "memory", "r8", "r9", "r10", "r11");
    return rc;
}

static void try_32(void *arg)
{
    _exit(call32(20, 0, 0, 0, 0) == getpid() ? 0 : 1);
}

static void ask_as_32(void *arg)
{
    static const struct {
        unsigned nr, args[4];
    } calls[] = {
        {182, {0, 33, 33, 0}}, /* chown: of no file at all */
        {16, {0, 33, 33, 0}},   {95, {99, 33, 33, 0}},      {212, {0, 33, 33, 0}},
        {198, {0, 33, 33, 0}},  {207, {99, 33, 33, 0}},     {298, {99, 0, 33, 33}},
        {23, {33, 0, 0, 0}},    {213, {33, 0, 0, 0}},       {46, {33, 0, 0, 0}},
        {214, {33, 0, 0, 0}},   {70, {33, 33, 0, 0}},       {203, {33, 33, 0, 0}},
        {71, {33, 33, 0, 0}},   {204, {33, 33, 0, 0}},      {164, {33, 33, 33, 0}},
        {208, {33, 33, 33, 0}}, {170, {33, 33, 33, 0}},     {210, {33, 33, 33, 0}},
        {81, {0, 0, 0, 0}},     {206, {0, 0, 0, 0}},        {138, {33, 0, 0, 0}},
        {215, {33, 0, 0, 0}},   {139, {33, 0, 0, 0}},       {216, {33, 0, 0, 0}},
        {185, {0, 0, 0, 0}},    {14, {0, S_IFCHR, 259, 0}}, {297, {99, 0, S_IFBLK, 259}},
    };

    become_fake_root();
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        const unsigned *a = calls[i].args;
        int rc = call32(calls[i].nr, a[0], a[1], a[2], a[3]);

        if (rc != 0)
            (void)dprintf(STDERR_FILENO, "# %u: %d\n", calls[i].nr, rc);
        must(rc == 0);
    }
    must(getuid() == 0 && getgroups(0, NULL) == 2);
    /* What can be done is tried: there is no such file. */
    must(call32(212, 0, 0, PROJECT, 0) == -EFAULT);
    must(call32(207, 99, (unsigned)-1, 0, 0) == -EBADF);
    must(call32(297, 99, 0, S_IFIFO, 0) == -EFAULT);
    must(call32(20, 0, 0, 0, 0) == getpid());
}

START_TEST(programs_of_32_bits_are_answered_too)
{
    if (child_run(try_32, NULL) == 0 || getenv("VITRINE_MUST_WORK"))
        child_must(ask_as_32, NULL);
}
END_TEST
#endif

static void use_many_groups(void *arg)
{
    gid_t groups[2000];

    for (gid_t i = 0; i < 2000; i++)
        groups[i] = 1000 + i;
    must(setgroups(2000, groups) == 0 && caps_drop() == 0);
    must(seccomp_fake_ids() == 0);
    must(chown("/none", 0, 1339) < 0 && errno == ENOENT); /* number 340 */
    must(chown("/none", 0, 1340) == 0);
}

START_TEST(more_groups_than_can_be_mapped_are_no_obstacle)
{
    child_must(use_many_groups, NULL);
}
END_TEST

static void install_unprivileged(void *arg)
{
    child_become_user();
    must(seccomp_fake_ids() == -EACCES);
    must(prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0);
    must(seccomp_fake_ids() == 0 && setuid(0) == 0 && getuid() == CHILD_UID);
}

START_TEST(filter_takes_no_new_privs)
{
    child_must(install_unprivileged, NULL);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("seccomp");
    TCase *tc = tcase_create("seccomp");

    tcase_add_test(tc, changes_of_owner_that_cannot_be_done_succeed);
    tcase_add_test(tc, changes_of_owner_that_can_be_done_are_done);
    tcase_add_test(tc, who_becomes_another_user_stays_fake_root);
    tcase_add_test(tc, devices_are_made_in_words_alone);
#ifdef __x86_64__
    tcase_add_test(tc, programs_of_32_bits_are_answered_too);
#endif
    tcase_add_test(tc, more_groups_than_can_be_mapped_are_no_obstacle);
    tcase_add_test(tc, filter_takes_no_new_privs);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(child_cannot_mount, make_suite)
