/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rootfs/usermounts.h"
#include "base/cleanup.h"
#include "usermounts.h"

#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool holds(const char *path, const char *text)
{
    char got[64] = "";
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd >= 0 && read(fd, got, sizeof(got) - 1) >= 0 && strcmp(got, text) == 0;
}

static unsigned long flags_of(const char *path)
{
    struct statvfs fs;

    must(statvfs(path, &fs) == 0);
    return fs.f_flag;
}

static bool can_write(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    return fd >= 0 && close(fd) == 0;
}

static void see_data_at_x(void)
{
    must(holds("/x/file", "data"));
}

static void make_link(void)
{
    must(symlink("data", "link") == 0);
}

START_TEST(sources_are_found_as_the_user_writes_them)
{
    static const char *const mounts[] = {
        "./data:/x",        "./other/../data:/x", "~/data:/x",
        "./data:./x",       "./data:/y/../x",     "./data:/x/",
        "./data:/x:rbind",  "./data:/x:bind",     "./data:/x:x-create=dir",
        "./data:/x:ro+rw",  "./link:/x",          "./data:/x:private+nofail",
        "./data:/x:rslave", "./data:/x:slave",    "./data:/x:runbindable",
    };

    for (size_t i = 0; i < COUNT(mounts); i++)
        trial_check((struct trial){
            .mounts = mounts[i], .on_host = make_link, .inside = see_data_at_x});
}
END_TEST

static void see_own_places(void)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/data/file", host_dir);
    must(holds(path, "data"));
    (void)snprintf(path, sizeof(path), "%s/other/file", host_dir);
    must(holds(path, "other"));
    (void)snprintf(path, sizeof(path), "%s/closed", host_dir);
    must(access(path, F_OK) < 0);
}

START_TEST(without_target_a_source_appears_at_its_own_place)
{
    char text[128];

    trial_check((struct trial){.mounts = "./data,./other", .inside = see_own_places});
    trial_check((struct trial){.mounts = "~/data,~/other", .inside = see_own_places});
    (void)snprintf(text, sizeof(text), "./data,%s/other", host_dir);
    trial_check((struct trial){.mounts = text, .inside = see_own_places});
}
END_TEST

static void make_traps(void)
{
    must(mount("test", "other", "tmpfs", 0, "mode=755") == 0);
    host_file("other/below", "below", 0644);
    must(mount("test", "data", "tmpfs", MS_RDONLY, "mode=755") == 0);
}

START_TEST(what_cannot_be_mounted_is_an_error_with_its_reason)
{
    static const struct {
        const char *mounts, *words;
    } cases[] = {
        {"./none:/x", "/none does not exist on this node"},
        {"./open/file/none:/x", "file/none does not exist on this node"},
        {"./open,./none:/x", "mount './none:/x': "},
        {"./closed/file:/x", "closed/file: Permission denied"},
        {"..:/..x,../..", "nothing can be mounted on /; write SRC:DST"},
        {"../../../..", "nothing can be mounted on /; write SRC:DST"},
        {".:/x:bind", "has mounts below it that a container cannot leave out: use rbind"},
        {"./data:/x:rw", "the host has mounted it read-only, so it cannot be rw"},
        {"./open:/x:noatime", "the host has decided when access times are kept"},
        {"./open:/x:x-create=file", "/open is a directory, but x-create=file"},
        {"./open/file:/x:x-create=dir", "/open/file is a file, but x-create=dir"},
        {"./open:/file", "it is a directory, but in the container /file is a file"},
        {"./open:/file/x", "cannot open /file/x in the container: Not a directory"},
        {"./open/file:/dir", "it is a file, but in the container /dir is a directory"},
        {"./open:/plan/file", "it is a directory, but in the container /plan/file is a "
                              "file"},
        {"./open/file:/plan", "it is a file, but in the container /plan is a directory"},
        {"./open:/plan/file/x", "cannot open /plan/file/x in the container: Not a dir"},
        {"./other:/x,./open:/x/y", "the container has no /x/y to mount on, and it cannot "
                                   "be made there: Permission denied"},
        {"./data:/x,./open:/x/y", "cannot be made there: Read-only file system"},
        {"tmpfs:/x:ro,./open:/x/y", "cannot be made there: Read-only file system"},
        {"tmpfs:/x:rubbish", "mount 'tmpfs:/x:rubbish': rubbish cannot be used"},
        {"tmpfs:/x:size=much", "size=much cannot be used"},
        {"tmpfs:/x:size=1M+mode=9", "mode=9 cannot be used"},
        {"tmpfs:/file", "it is a directory, but in the container /file is a file"},
        {"tmpfs:/y,./x.sqfs:/x:squashfs", "there is nothing to mount"},
        {"umount:/x", "nothing is mounted at /x in the container"},
        {"umount:/dir", "nothing is mounted at /dir in the container"},
        {"umount:/dir/x", "nothing is mounted at /dir/x in the container"},
        {"umount:/file/x", "nothing is mounted at /file/x in the container"},
        {"umount:/up", "nothing is mounted at /up in the container"},
        {"umount:/plan,umount:/plan/", "nothing is mounted at /plan in the container"},
        {".:/x,umount:/x/other", "came with a mount of the host's above it"},
        {"./open:/up", "/up leads to the container's root, on which nothing can be"},
        {"./open:/loop", "/loop"},
        {"./open:/loop/x", "/loop/x"},
    };

    tree_write("file", "image");
    tree_write("dir/file", "image");
    ck_assert_int_eq(symlinkat("../../..", tree, "up"), 0);
    ck_assert_int_eq(symlinkat("loop", tree, "loop"), 0);
    for (size_t i = 0; i < COUNT(cases); i++)
        trial_check((struct trial){
            .mounts = cases[i].mounts, .on_host = make_traps, .words = cases[i].words});
}
END_TEST

START_TEST(nofail_passes_over_and_says_so_unless_silent)
{
    static const struct {
        const char *mounts, *remark;
    } cases[] = {
        {"./none:/y:nofail,./data:/x", "mount './none:/y:nofail': /vitrine"},
        {"./none:/y:nofail+silent,./data:/x", NULL},
        {"./none:/y:nofail+silent,./data:/x,./no:/y:nofail", "mount './no:/y:nofail': "},
        {"./none:/y:nofail,./no:/y:nofail,./data:/x", "mount './none:/y:nofail': "},
        {"./none:/x:nofail,./data:/x/y/..", "mount './none:/x:nofail': "},
        {"./none:/x:nofail+silent,./data:/x", NULL},
        {"tmpfs:/x:nofail+rubbish,./data:/x", "mount 'tmpfs:/x:nofail+rubbish': "},
        {"./data:/x,x:/y:nofail+squashfs", "mount 'x:/y:nofail+squashfs': "},
        {"./data:/x,umount:/y:nofail", "mount 'umount:/y:nofail': nothing is mounted"},
        {"./data:/x,umount:/y:nofail+silent", NULL},
        {"./data:/x,./data:/file:nofail", "mount './data:/file:nofail': it is a dir"},
        {"./data:/x,./data:/x/y:nofail", "mount './data:/x/y:nofail': the container"},
        {"./data:/x:silent", NULL},
    };

    tree_write("file", "");
    for (size_t i = 0; i < COUNT(cases); i++)
        trial_check((struct trial){.mounts = cases[i].mounts,
                                   .remark = cases[i].remark,
                                   .inside = see_data_at_x});
}
END_TEST

static void see_data_in_etc(void)
{
    must(holds("/etc/file", "data") && access("/etc/passwd", F_OK) < 0);
    must(access("/etc/of-image", F_OK) < 0);
}

START_TEST(links_of_the_image_lead_to_its_own_directories)
{
    static const char *const links[] = {
        "etc", "/etc", "../../../etc", "/../../etc", "dir/../etc", "dir/up/etc", "other",
    };

    tree_write("etc/of-image", "");
    tree_mkdirs("dir/");
    ck_assert_int_eq(symlinkat("../../../..", tree, "dir/up"), 0);
    ck_assert_int_eq(symlinkat("/dir/up/etc", tree, "other"), 0);
    for (size_t i = 0; i < COUNT(links); i++) {
        ck_assert_int_eq(symlinkat(links[i], tree, "x"), 0);
        trial_check((struct trial){.mounts = "./data:/x", .inside = see_data_in_etc});
        ck_assert_int_eq(unlinkat(tree, "x", 0), 0);
    }
}
END_TEST

static void see_data_below_links(void)
{
    must(holds("/etc/new/deep/file", "data"));
    must(holds("/nowhere/file", "other") && holds("/nothing/x/file", "other"));
}

START_TEST(missing_targets_are_made_behind_links)
{
    tree_write("etc/of-image", "");
    ck_assert_int_eq(symlinkat("../../etc", tree, "x"), 0);
    ck_assert_int_eq(symlinkat("/none", tree, "nowhere"), 0);
    ck_assert_int_eq(symlinkat("/proc/self/root", tree, "nothing"), 0);
    trial_check(
        (struct trial){.mounts = "./data:/x/new/deep,./other:/nowhere,./other:/nothing/x",
                       .inside = see_data_below_links});
    ck_assert_str_eq(tree_read("etc/of-image"), "");
    ck_assert_int_lt(faccessat(tree, "etc/new", F_OK, 0), 0);
}
END_TEST

static void see_data_in_plan(void)
{
    must(holds("/plan/new/file", "data"));
}

START_TEST(links_that_lead_into_what_is_mounted_lead_there)
{
    ck_assert_int_eq(symlinkat("/y", tree, "x"), 0);
    ck_assert_int_eq(symlinkat("./../plan/.", tree, "y"), 0);
    trial_check((struct trial){.mounts = "./data:/x/new", .inside = see_data_in_plan});
}
END_TEST

static void make_host_links(void)
{
    must(symlink("/etc", "open/etc") == 0);
    must(symlink("../../../../../..", "open/up") == 0);
    must(symlink("nowhere", "open/dangling") == 0);
}

static void see_hosts_links(void)
{
    must(holds("/etc/x/file", "data") && holds("/y/file", "other"));
}

START_TEST(links_of_a_host_mount_stay_inside_too)
{
    tree_write("etc/x/of-image", "");
    tree_write("y/of-image", "");
    trial_check((struct trial){.mounts = "./data:/plan/etc/x,./other:/plan/up/y",
                               .on_host = make_host_links,
                               .inside = see_hosts_links});
    trial_check((struct trial){.mounts = "./data:/plan/dangling",
                               .on_host = make_host_links,
                               .words = "cannot be made there"});
    trial_check((struct trial){.mounts = "./data/file:/plan/dangling",
                               .on_host = make_host_links,
                               .words = "cannot be made there"});
    trial_check((struct trial){.mounts = "./data:/plan/etc/new",
                               .on_host = make_host_links,
                               .words = "cannot be made there: Read-only file system"});
}
END_TEST

static void see_nested(void)
{
    struct stat st;

    must(holds("/plan/a/b/file", "data") && holds("/plan/new", "data"));
    must(holds("/x/file", "open") && holds("/x/a/b/c/file", "other"));
    must(stat("/plan/a", &st) == 0 && st.st_uid == CHILD_UID);
    must((st.st_mode & 07777) == 0755);
    must(holds("/t/file", "open") && holds("/t/d/file", "other"));
}

START_TEST(targets_in_what_is_mounted_are_made_as_the_user)
{
    trial_check((struct trial){
        .mounts = "./data:/plan/a/b,./data/file:/plan/new,"
                  "./open:/x,./other:/x/a/b/c,tmpfs:/t,./open/file:/t/file,./other:/t/d",
        .inside = see_nested});
}
END_TEST

static void see_files(void)
{
    must(holds("/etc/motd", "data") && holds("/new/deep/file", "other"));
    must(holds("/etc/of-image", "image"));
    must(can_write("/null") && holds("/null", ""));
}

static void make_null(void)
{
    must(mknod("null", S_IFCHR | 0666, makedev(1, 3)) == 0 && chmod("null", 0666) == 0);
}

START_TEST(files_and_devices_are_mounted_on_files)
{
    tree_write("etc/of-image", "image");
    tree_write("etc/motd", "image");
    trial_check((struct trial){
        .mounts = "./data/file:/etc/motd,./other/file:/new/deep/file,~/null:/null",
        .on_host = make_null,
        .inside = see_files});
}
END_TEST

static void mount_below(void)
{
    host_dir_at("open/sub", 0755);
    must(mount("test", "open/sub", "tmpfs", 0, "mode=777") == 0);
    host_file("open/sub/file", "sub", 0666);
    must(mount("test", "other", "tmpfs", 0, "mode=777") == 0);
}

static void see_read_only(void)
{
    must(holds("/x/sub/file", "sub") && holds("/y/sub/file", "sub"));
    must(!can_write("/x/file") && !can_write("/x/sub/file"));
    must(can_write("/y/file") && can_write("/y/sub/file"));
    must((flags_of("/x") & ST_RDONLY) && (flags_of("/x/sub") & ST_RDONLY));
    must((flags_of("/y") & ST_NOSUID) && (flags_of("/y/sub") & ST_NOSUID));
    must((flags_of("/z") & (ST_NOEXEC | ST_NODEV)) == (ST_NOEXEC | ST_NODEV));
    must(!(flags_of("/y") & (ST_NOEXEC | ST_NODEV | ST_RDONLY)));
}

START_TEST(flags_hold_for_the_mounts_below)
{
    trial_check(
        (struct trial){.mounts = "./open:/x:ro,./open:/y,./other:/z:bind+noexec+nodev",
                       .on_host = mount_below,
                       .inside = see_read_only});
}
END_TEST

static void see_tmpfs(void)
{
    struct statvfs fs;
    struct stat st;

    must(stat("/x", &st) == 0 && (st.st_mode & 07777) == 01777);
    must(st.st_uid == CHILD_UID && can_write("/x/new"));
    must((flags_of("/x") & (ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_RDONLY)) ==
         (ST_NOSUID | ST_NODEV));
    must(statvfs("/sized", &fs) == 0 && fs.f_blocks * fs.f_frsize == 1 << 20);
    must(stat("/sized", &st) == 0 && (st.st_mode & 07777) == 0700);
    must(flags_of("/sized") & ST_NOEXEC);
    must(access("/dir/of-image", F_OK) < 0 && can_write("/dir/new"));
    must(!can_write("/ro/new") && (flags_of("/ro") & ST_RDONLY));
}

START_TEST(tmpfs_takes_its_options)
{
    tree_write("dir/of-image", "");
    trial_check((struct trial){
        .mounts = "tmpfs:/x,tmpfs:/sized:size=1M+mode=700+noexec+nr_inodes=10,"
                  "tmpfs:/dir,tmpfs:/ro:ro+noatime+mpol=local",
        .inside = see_tmpfs});
}
END_TEST

static void see_plan_gone(void)
{
    must(access("/plan/file", F_OK) < 0 && holds("/x/file", "data"));
    must(holds("/y/file", "other"));
}

START_TEST(umount_takes_away_what_was_mounted_before)
{
    trial_check((struct trial){.mounts = "umount:/plan,./data:/x,./open:/x,umount:/x,"
                                         "./other/file:/y/file,tmpfs:/z,umount:/z,"
                                         "./data/file:/y/file,umount:/y/file",
                               .inside = see_plan_gone});
}
END_TEST

static void see_mount_in_image_again(void)
{
    must(holds("/plan/new/file", "data") && access("/plan/file", F_OK) < 0);
}

START_TEST(after_an_umount_targets_are_the_images_again)
{
    trial_check((struct trial){.mounts = "umount:/plan,./data:/plan/new",
                               .inside = see_mount_in_image_again});
}
END_TEST

static void see_content(void)
{
    unsigned long flags = ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC;

    must(holds("/a/b/file", "data") && (flags_of("/a/b") & flags) == flags);
}

START_TEST(content_of_a_squashfs_comes_mounted_and_is_read_only)
{
    trial_check(
        (struct trial){.mounts = "x.sqfs:/a/b:squashfs+noexec", .inside = see_content});
}
END_TEST

static void see_last(void)
{
    must(holds("/x/file", "other") && holds("/plan/file", "data"));
}

START_TEST(of_two_at_one_place_the_later_is_seen)
{
    trial_check((struct trial){
        .mounts = "./data:/x,./other:/x,./other:/plan,./data:/plan", .inside = see_last});
}
END_TEST

static void see_directory(void)
{
    must(holds("/x/file", "data") && holds("/open/new/deep/file", "other"));
    must(holds("/open/f", "data") && can_write("/open/mine"));
}

START_TEST(writable_directory_gets_its_mount_points_from_the_user)
{
    tree_mkdirs("open/");
    tree_mkdirs("x/");
    ck_assert_int_eq(fchmodat(tree, "open", 0777, 0), 0);
    trial_check(
        (struct trial){.mounts = "./data:/x,./other:/open/new/deep,./data/file:/open/f",
                       .is_writable_directory = true,
                       .inside = see_directory});
    trial_check((struct trial){
        .mounts = "./data:/y",
        .is_writable_directory = true,
        .words = "mount './data:/y': the container has no /y to mount on, and it cannot "
                 "be made there: Permission denied"});
}
END_TEST

START_TEST(nothing_wished_is_nothing_done)
{
    struct usermounts_wish wish = {.count = 0};
    struct usermounts mounts;

    ck_assert_int_eq(usermounts_open(&wish, &mounts, NULL), 0);
    ck_assert_int_eq(usermounts_points(&mounts, NULL, NULL, NULL), 0);
    ck_assert_int_eq(usermounts_attach(&mounts, -1, NULL), 0);
    usermounts_free(&mounts);
}
END_TEST

static void see_shown(void)
{
    static const struct {
        const char *path;
        bool shown;
    } cases[] = {
        {"/x", true},       {"/x/bin", true}, {"/x2", false},     {"/", false},
        {"/x/t/b", false},  {"/y/b", false},  {"/y/new/b", true}, {"/t", false},
        {"/none/b", false}, {"/plan", false},
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        must(usermounts_shows(trial_mounts, cases[i].path) == cases[i].shown);
}

START_TEST(shown_is_what_no_later_entry_takes_away)
{
    trial_check((struct trial){
        .mounts = "./open:/x,tmpfs:/x/t,./data:/y,umount:/y,./other:/y/new,tmpfs:/t,"
                  "./none:/none:nofail+silent",
        .inside = see_shown});
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("usermounts");
    TCase *tc = tcase_create("usermounts");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, container_make_host, container_remove_host);
    tcase_add_test(tc, sources_are_found_as_the_user_writes_them);
    tcase_add_test(tc, without_target_a_source_appears_at_its_own_place);
    tcase_add_test(tc, what_cannot_be_mounted_is_an_error_with_its_reason);
    tcase_add_test(tc, nofail_passes_over_and_says_so_unless_silent);
    tcase_add_test(tc, links_of_the_image_lead_to_its_own_directories);
    tcase_add_test(tc, missing_targets_are_made_behind_links);
    tcase_add_test(tc, links_that_lead_into_what_is_mounted_lead_there);
    tcase_add_test(tc, links_of_a_host_mount_stay_inside_too);
    tcase_add_test(tc, targets_in_what_is_mounted_are_made_as_the_user);
    tcase_add_test(tc, files_and_devices_are_mounted_on_files);
    tcase_add_test(tc, flags_hold_for_the_mounts_below);
    tcase_add_test(tc, tmpfs_takes_its_options);
    tcase_add_test(tc, umount_takes_away_what_was_mounted_before);
    tcase_add_test(tc, after_an_umount_targets_are_the_images_again);
    tcase_add_test(tc, content_of_a_squashfs_comes_mounted_and_is_read_only);
    tcase_add_test(tc, of_two_at_one_place_the_later_is_seen);
    tcase_add_test(tc, writable_directory_gets_its_mount_points_from_the_user);
    tcase_add_test(tc, nothing_wished_is_nothing_done);
    tcase_add_test(tc, shown_is_what_no_later_entry_takes_away);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(child_cannot_mount, make_suite)
