/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rootfs/hostmounts.h"
#include "child.h"

struct mount_case {
    const char *type, *target;
};

static void check_all(const struct mount_case *cases, size_t count, bool expected)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(hostmounts_wanted(cases[i].type, cases[i].target) == expected,
                      "%s at %s", cases[i].type, cases[i].target);
}

#define CHECK_ALL(cases, expected)                                                       \
    check_all(cases, sizeof(cases) / sizeof(*(cases)), expected)

START_TEST(shared_file_systems_are_wanted_wherever_they_are)
{
    static const struct mount_case cases[] = {
        {"lustre", "/scratch"},
        {"gpfs", "/gpfs/fs1"},
        {"nfs", "/home"},
        {"nfs4", "/usr/local"},
        {"beegfs", "/mnt/beegfs"},
        {"ceph", "/cephfs"},
        {"panfs", "/panfs"},
        {"wekafs", "/weka"},
        {"cifs", "/group"},
        {"virtiofs", "/opt/site"},
        {"autofs", "/home"},
        {"autofs", "/cvmfs"},
        {"fuse.cvmfs2", "/cvmfs/x"},
        {"fuse", "/cvmfs/atlas.cern.ch"},
        {"fuse.sshfs", "/home/u/m"},
        {"fuse.glusterfs", "/gluster"},
        {"fuse.juicefs", "/var/jfs"},
        {"9p", "/mnt/host"},
        {"ocfs2", "/shared"},
        {"gfs2", "/var/shared"},
    };

    CHECK_ALL(cases, true);
}
END_TEST

START_TEST(local_file_systems_are_wanted_away_from_the_operating_system)
{
    static const struct mount_case wanted[] = {
        {"xfs", "/scratch"}, {"ext4", "/local"},    {"btrfs", "/home"},
        {"tmpfs", "/tmp"},   {"zfs", "/tank"},      {"ext4", "/usr2"},
        {"xfs", "/varia"},   {"tmpfs", "/ramdisk"}, {"ext4", "/mnt/a"},
        {"xfs", "/srv/lib"}, {"xfs", "/data"},      {"tmpfs", "/devel"},
    };
    static const struct mount_case not_wanted[] = {
        {"xfs", "/var"},        {"ext4", "/var/lib/docker"}, {"xfs", "/usr"},
        {"btrfs", "/opt"},      {"ext4", "/boot"},           {"ext4", "/etc"},
        {"tmpfs", "/run"},      {"tmpfs", "/run/user/1000"}, {"tmpfs", "/dev/shm"},
        {"tmpfs", "/sys/fs"},   {"ext4", "/root"},           {"tmpfs", "/proc/scsi"},
        {"ext4", "/efi"},       {"xfs", "/lib/modules"},     {"ext4", "/snap/core"},
        {"ext4", "/var/log/a"}, {"xfs", "/usr/local"},
    };

    CHECK_ALL(wanted, true);
    CHECK_ALL(not_wanted, false);
}
END_TEST

START_TEST(file_systems_that_hold_no_data_are_not_wanted)
{
    static const struct mount_case cases[] = {
        {"overlay", "/scratch"},
        {"proc", "/mnt/proc"},
        {"sysfs", "/x"},
        {"cgroup", "/cgroup"},
        {"cgroup2", "/data/cgroup"},
        {"devtmpfs", "/x/dev"},
        {"devpts", "/x/pts"},
        {"securityfs", "/x"},
        {"debugfs", "/x"},
        {"tracefs", "/x"},
        {"bpf", "/x"},
        {"mqueue", "/x"},
        {"hugetlbfs", "/mnt/huge"},
        {"configfs", "/x"},
        {"pstore", "/x"},
        {"binfmt_misc", "/x"},
        {"fusectl", "/x"},
        {"efivarfs", "/x"},
        {"rpc_pipefs", "/x"},
        {"nsfs", "/x/ns"},
        {"squashfs", "/snap/core/1"},
        {"iso9660", "/media/cdrom"},
        {"selinuxfs", "/x"},
        {"", "/x"},
        {"fuse.lxcfs", "/mnt/lxcfs"},
        {"fuse.portal", "/x/doc"},
        {"fuse.vitrine", "/x"},
        {"nfsd", "/x"},
        {"lustre_tgt", "/x"},
        {"xfs2", "/x"},
        {"fuse.gvfsd-fuse", "/g"},
        {"LUSTRE", "/x"},
        {"fusex.a", "/x"},
    };

    CHECK_ALL(cases, false);
}
END_TEST

START_TEST(root_of_the_host_is_never_wanted)
{
    static const struct mount_case cases[] = {
        {"ext4", "/"}, {"nfs", "/"},  {"lustre", "/"}, {"overlay", "/"},
        {"xfs", "/"},  {"fuse", "/"}, {"tmpfs", "/"},  {"fuse.x", "/"},
    };

    CHECK_ALL(cases, false);
}
END_TEST

static char base[] = "/tmp/vitrine-test-hostmounts.XXXXXX";

static void make_base(void)
{
    ck_assert_ptr_nonnull(mkdtemp(base));
}

static void remove_base(void)
{
    (void)rmdir(base);
}

struct seen {
    const char *const *expected;
    size_t count;
    neg_errno answer;
};

/* Only mounts below the test's own directory count. */
static neg_errno note(void *arg, const char *target)
{
    struct seen *seen = arg;
    size_t len = strlen(base);

    if (strncmp(target, base, len) != 0 || target[len] == '\0')
        return 0;
    must(seen->expected[seen->count] != NULL);
    must(strcmp(target + len, seen->expected[seen->count]) == 0);
    seen->count++;
    return seen->answer;
}

static void mount_at(const char *type, const char *dir)
{
    (void)mkdir(dir, 0755);
    must(mount("test", dir, type, 0, NULL) == 0);
}

static void list_mounts(void *arg)
{
    static const char *const expected[] = {"/b", "/a b\n\\040", "/b/c", NULL};
    struct seen seen = {.expected = expected};

    child_own_mounts();
    mount_at("tmpfs", base);
    must(chdir(base) == 0);
    mount_at("tmpfs", "b");
    mount_at("tmpfs", "a b\n\\040");
    mount_at("proc", "proc");
    mount_at("tmpfs", "b/c");
    must(hostmounts_each(note, &seen) == 0);
    must(seen.count == 3);

    seen = (struct seen){.expected = expected, .answer = -E2BIG};
    must(hostmounts_each(note, &seen) == -E2BIG);
    must(seen.count == 1);
}

START_TEST(mounts_come_in_their_order_up_to_the_first_error)
{
    child_must(list_mounts, NULL);
}
END_TEST

START_TEST(mounts_below_a_directory_are_found)
{
    char where[256] = "", dir[] = "/var/tmp/vitrine-test-below.XXXXXX";

    ck_assert_int_eq(hostmounts_below("/", where, sizeof(where)), 1);
    ck_assert(where[0] == '/' && where[1] != '\0');
    /* What only begins with its name is not below it. */
    ck_assert_int_eq(hostmounts_below("/pro", where, sizeof(where)), 0);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(hostmounts_below(dir, where, sizeof(where)), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("hostmounts");
    TCase *tc = tcase_create("hostmounts");

    tcase_add_checked_fixture(tc, make_base, remove_base);
    tcase_add_test(tc, shared_file_systems_are_wanted_wherever_they_are);
    tcase_add_test(tc, mounts_below_a_directory_are_found);
    tcase_add_test(tc, local_file_systems_are_wanted_away_from_the_operating_system);
    tcase_add_test(tc, file_systems_that_hold_no_data_are_not_wanted);
    tcase_add_test(tc, root_of_the_host_is_never_wanted);
    if (!child_cannot_mount() || getenv("VITRINE_MUST_WORK"))
        tcase_add_test(tc, mounts_come_in_their_order_up_to_the_first_error);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
