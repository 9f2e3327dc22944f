/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rootfs/rootfs.h"
#include "base/cleanup.h"
#include "container.h"

#include <sys/statvfs.h>

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool has_text(const char *path, const char *text)
{
    char buf[4096] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0)
        must(read(fd, buf, sizeof(buf) - 1) >= 0);
    (void)close(fd);
    return strstr(buf, text) != NULL;
}

static void see_image_and_host(void)
{
    struct stat st;

    must(has_text("/opt/app/data", "image"));
    must(exists("/proc/self/status") && exists("/sys/kernel"));
    must(open("/dev/null", O_RDWR | O_CLOEXEC) >= 0);
    must(has_text("/etc/passwd", "root:x:0:0"));
    must(has_text("/etc/passwd", "ada:x:54321:54322"));
    must(exists(tree_path)); /* in /var/tmp */
    must(stat("/", &st) == 0 && st.st_mode == (S_IFDIR | 0705));
    must(st.st_uid == 7 && st.st_gid == 8);
    must(stat("/opt", &st) == 0 && st.st_mode == (S_IFDIR | 0755));
}

START_TEST(container_has_the_image_with_the_hosts_kernel_and_names)
{
    tree_write("opt/app/data", "image");
    tree_write("etc/passwd", "root:x:0:0:::\n");
    ck_assert_int_eq(fchmod(tree, 0705), 0);
    ck_assert_int_eq(fchown(tree, 7, 8), 0);
    container_check((struct container){.inside = see_image_and_host});
}
END_TEST

static void see_empty_image(void)
{
    must(exists("/proc/self/status") && exists("/dev/null") && exists("/etc/group"));
    must(!exists("/bin") && !exists("/opt"));
}

START_TEST(empty_image_gets_what_every_container_has)
{
    container_check((struct container){.inside = see_empty_image});
}
END_TEST

static void see_nothing_of_host(void)
{
    char line[1024];
    FILE *mounts = fopen("/proc/self/mountinfo", "re");

    must(!exists(host_dir));
    must(!exists("/proc/self/cwd/../../work"));
    must(chdir("..") == 0 && !exists(host_dir + 1));
    /* The host's root is not mounted anywhere any more, not even out of sight. */
    must(mounts != NULL);
    while (fgets(line, sizeof(line), mounts)) {
        char root[512], point[512];

        must(sscanf(line, "%*d %*d %*s %511s %511s", root, point) == 2);
        must(strcmp(point, "/") != 0 || strstr(line, " - overlay "));
    }
    (void)fclose(mounts);
}

START_TEST(hosts_root_is_gone)
{
    container_check((struct container){.inside = see_nothing_of_host});
}
END_TEST

static void see_read_only_root(void)
{
    struct statvfs fs;

    must(statvfs("/", &fs) == 0);
    must((fs.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV)) ==
         (ST_RDONLY | ST_NOSUID | ST_NODEV));
    must(mkdir("/new", 0755) < 0 && errno == EROFS);
    must(open("/open/new", O_WRONLY | O_CREAT, 0644) < 0 && errno == EROFS);
    must(open("/open/file", O_WRONLY) < 0 && errno == EROFS);
    must(open("/etc/passwd", O_WRONLY) < 0);
}

START_TEST(root_is_read_only_without_setuid_and_devices)
{
    tree_write("open/file", "");
    ck_assert_int_eq(fchmodat(tree, "open", 0777, 0), 0);
    ck_assert_int_eq(fchmodat(tree, "open/file", 0666, 0), 0);
    container_check((struct container){.inside = see_read_only_root});
}
END_TEST

static void hide_secret(void)
{
    must(has_text("/etc/passwd", "ada:"));
    must(!has_text("/etc/passwd", "secret") && !has_text("/etc/group", "secret"));
    must(!has_text("/victim/file", "secret") && !has_text("/open", "secret"));
}

/* Anybody may make such an image of a directory that is shared with others, say /tmp. */
START_TEST(image_shows_nothing_that_the_user_could_not_read_outside)
{
    tree_write("victim/file", "secret:x:1:\n");
    tree_write("open", "secret:x:1:\n");
    tree_mkdirs("etc/");
    ck_assert_int_eq(fchmodat(tree, "victim", 0700, 0), 0);
    ck_assert_int_eq(fchmodat(tree, "open", 0600, 0), 0);
    ck_assert_int_eq(symlinkat("/victim/file", tree, "etc/passwd"), 0);
    ck_assert_int_eq(symlinkat("../open", tree, "etc/group"), 0);
    container_check((struct container){.inside = hide_secret});
}
END_TEST

static int asked[2], answered[2];

/* Waits for the container, then closes what was open when that was built. */
static void close_later(void)
{
    char byte;

    must(pipe(asked) == 0 && pipe(answered) == 0);
    if (fork() != 0)
        return;
    must(read(asked[0], &byte, 1) == 1);
    must(fchmodat(tree, "closed", 0700, 0) == 0);
    must(fchmodat(tree, "file", 0600, 0) == 0);
    tree_write("closed/new", "secret");
    must(write(answered[1], &byte, 1) == 1);
    _exit(0);
}

static void respect_what_is_closed(void)
{
    char byte = 0;

    must(has_text("/closed/old", "open") && has_text("/file", "open"));
    must(write(asked[1], &byte, 1) == 1 && read(answered[0], &byte, 1) == 1);
    must(!has_text("/closed/new", "secret") && !has_text("/closed/old", "open"));
    must(!has_text("/file", "open"));
}

START_TEST(what_is_closed_in_a_directory_image_is_closed_in_the_container)
{
    tree_write("closed/old", "open");
    tree_write("file", "open");
    container_check((struct container){.on_host = close_later,
                                       .inside = respect_what_is_closed,
                                       .spec.is_directory = true});
}
END_TEST

static bool is_listed(const char *dir, const char *name)
{
    cleanup_dir DIR *stream = opendir(dir);

    for (struct dirent *entry; stream && (entry = readdir(stream));)
        if (strcmp(entry->d_name, name) == 0)
            return true;
    return false;
}

static void see_in_the_dark(void)
{
    must(chdir(host_dir) == 0);
    must(has_text("file", "text") && exists("new"));
    must(!is_listed(".", "file"));
}

START_TEST(mount_points_lie_also_where_the_image_lets_nobody_look_around)
{
    char bind[128], name[128];
    const char *const binds[] = {bind, NULL};

    (void)snprintf(bind, sizeof(bind), "%s/new", host_dir);
    (void)snprintf(name, sizeof(name), "%s/file", host_dir + 1);
    ck_assert_int_eq(mkdir(bind, 0755), 0);
    tree_write(name, "text");
    ck_assert_int_eq(fchmodat(tree, host_dir + 1, 0711, 0), 0);
    ck_assert_int_eq(fchmod(tree, 0711), 0);
    for (int is_directory = 0; is_directory < 2; is_directory++)
        container_check((struct container){.inside = see_in_the_dark,
                                           .wish.binds = binds,
                                           .spec.is_directory = is_directory});
    (void)rmdir(bind);
}
END_TEST

static void execute_only(void)
{
    must(open("/program", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
    must(access("/program", X_OK) == 0);
    (void)execl("/program", "program", (char *)NULL);
    must(errno == ENOENT); /* its loader: it could be opened */
}

START_TEST(programs_that_nobody_may_read_can_be_executed)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "cp /bin/true %s/program", tree_path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(fchmodat(tree, "program", 0711, 0), 0);
    container_check((struct container){.inside = execute_only});
}
END_TEST

static void see_wishes(void)
{
    static const char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                               "/sbin:/bin:/var/tmp";
    char changes[4096] = "";

    must(exists(host_dir));
    must(!exists("/nonexistent/bind") && !exists("/nonexistent/home"));
    must(pread(environ_inside, changes, sizeof(changes) - 1, 0) > 0);
    must(memmem(changes, sizeof(changes), path, sizeof(path)) != NULL);
}

START_TEST(wishes_are_met_as_far_as_the_host_has_them)
{
    const char *const binds[] = {"/nonexistent/bind", "relative", "/", host_dir, NULL};
    const char *const env[] = {"PATH=/usr/bin:/var/tmp", NULL};

    container_check((struct container){
        .inside = see_wishes,
        .wish = {.binds = binds,
                 .cwd = host_dir,
                 .environ = env,
                 .identity.home = "/nonexistent/home"},
    });
}
END_TEST

static void mount_on_host(void)
{
    must(mount("test", host_dir, "tmpfs", 0, "mode=755") == 0);
    char below[128];
    (void)snprintf(below, sizeof(below), "%s/a", host_dir);
    must(mkdir(below, 0755) == 0);
}

static void see_mount(void)
{
    char below[128];

    (void)snprintf(below, sizeof(below), "%s/a", host_dir);
    must(exists(below));
}

static void see_no_mount(void)
{
    must(!exists(host_dir));
}

START_TEST(mounts_of_the_host_are_shown_if_the_administrator_wants)
{
    char *const list[] = {host_dir};

    container_check((struct container){
        .on_host = mount_on_host, .inside = see_mount, .spec.shown.host_mounts = true});
    container_check((struct container){.on_host = mount_on_host, .inside = see_no_mount});
    container_check((struct container){
        .on_host = mount_on_host,
        .inside = see_no_mount,
        .spec = {.shown.host_mounts = true, .shown.exclude = list, .shown.nexclude = 1}});
    container_check(
        (struct container){.on_host = mount_on_host,
                           .inside = see_mount,
                           .spec = {.shown.include = list, .shown.ninclude = 1}});
}
END_TEST

/* All homes are one mount. */
static char home[96], others[96], project[128];

static void mount_homes(void)
{
    char below[160];

    (void)snprintf(home, sizeof(home), "%s/ada", host_dir);
    (void)snprintf(others, sizeof(others), "%s/bob", host_dir);
    (void)snprintf(project, sizeof(project), "%s/project", home);
    must(mount("test", host_dir, "tmpfs", 0, "mode=755") == 0);
    must(mkdir(home, 0755) == 0 && mkdir(others, 0755) == 0 && mkdir(project, 0755) == 0);
    must(chown(home, CHILD_UID, CHILD_GID) == 0);
    (void)snprintf(below, sizeof(below), "%s/x", project);
    must(mkdir(below, 0755) == 0);
}

static void see_no_home(void)
{
    must(exists(home) && exists(others) && !exists(project));
    must(access(home, R_OK | W_OK | X_OK) == 0);
}

static void see_project_alone(void)
{
    char below[160];
    struct stat st;

    (void)snprintf(below, sizeof(below), "%s/x", project);
    must(exists(below) && exists(others));
    must(stat(home, &st) == 0 && st.st_nlink == 3);
}

START_TEST(home_can_be_hidden_where_all_homes_are_one_mount)
{
    (void)snprintf(home, sizeof(home), "%s/ada", host_dir);
    (void)snprintf(project, sizeof(project), "%s/project", home);
    container_check((struct container){.on_host = mount_homes,
                                       .inside = see_no_home,
                                       .hides_home = true,
                                       .wish.identity.home = home,
                                       .spec.shown.host_mounts = true});
    container_check((struct container){.on_host = mount_homes,
                                       .inside = see_project_alone,
                                       .hides_home = true,
                                       .wish.identity.home = home,
                                       .wish.cwd = project,
                                       .spec.shown.host_mounts = true});
}
END_TEST

static int fuse_device;

static void mount_fuse(const char *options)
{
    char text[128];

    fuse_device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    must(fuse_device >= 0);
    (void)snprintf(text, sizeof(text), "fd=%d,rootmode=40000,user_id=0,group_id=0%s",
                   fuse_device, options);
    must(mount("test", host_dir, "fuse.test", 0, text) == 0);
}

static void mount_dead_fuse(void)
{
    mount_fuse(",allow_other");
    (void)close(fuse_device);
}

static void mount_others_fuse(void)
{
    mount_fuse("");
}

static void mount_hanging_fuse(void)
{
    mount_fuse(",allow_other");
}

static void see_tmp(void)
{
    must(exists("/var/tmp"));
}

START_TEST(file_servers_that_do_not_answer_are_no_harm)
{
    static void (*const mounts[])(void) = {mount_dead_fuse, mount_others_fuse,
                                           mount_hanging_fuse};

    if (access("/dev/fuse", F_OK) < 0 && !getenv("VITRINE_MUST_WORK"))
        return;
    for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++)
        container_check((struct container){
            .on_host = mounts[i], .inside = see_tmp, .spec.shown.host_mounts = true});
}
END_TEST

static void see_images_usr(void)
{
    must(exists("/usr/share/of-image") && !exists("/usr/share/doc"));
}

static void see_hosts_usr(void)
{
    must(exists("/usr/share/doc"));
}

START_TEST(working_directory_does_not_hide_the_images_system)
{
    container_check(
        (struct container){.inside = see_hosts_usr, .wish.cwd = "/usr/share"});
    tree_write("usr/share/of-image", "");
    container_check(
        (struct container){.inside = see_images_usr, .wish.cwd = "/usr/share"});
}
END_TEST

static void see_one_tmp(void)
{
    struct stat one, other;

    must(stat("/tmp", &one) == 0 && stat("/var/tmp", &other) == 0);
    must(one.st_ino == other.st_ino && one.st_dev == other.st_dev);
}

START_TEST(linked_mount_points_are_mounted_once)
{
    tree_mkdirs("var/");
    tree_mkdirs("tmp/");
    ck_assert_int_eq(symlinkat("../tmp", tree, "var/tmp"), 0);
    container_check((struct container){.inside = see_one_tmp});
}
END_TEST

static void see_mounts_inside(void)
{
    must(exists("/proc/self/status"));
    must(exists("/inside/self/status"));
    must(!exists(host_dir));
}

START_TEST(hostile_links_misplace_the_images_own_mounts_alone)
{
    tree_mkdirs("inside/");
    ck_assert_int_eq(symlinkat("../../../../inside", tree, "proc"), 0);
    ck_assert_int_eq(symlinkat("/../../var/tmp", tree, "tmp"), 0);
    ck_assert_int_eq(symlinkat("/nowhere", tree, "dev"), 0);
    container_check((struct container){.inside = see_mounts_inside});
}
END_TEST

START_TEST(wrong_types_in_the_image_are_named)
{
    static const char *const names[] = {"proc", "sys", "dev", "tmp", "etc", "var"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char words[8];

        (void)snprintf(words, sizeof(words), "/%s", names[i]);
        tree_write(names[i], "");
        container_check((struct container){.code = VITRINE_EMOUNT, .words = words});
        ck_assert_int_eq(unlinkat(tree, names[i], 0), 0);
    }
    tree_write("tmp", "");
    container_check((struct container){.code = VITRINE_EMOUNT, .words = "/images/test"});
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("rootfs");
    TCase *tc = tcase_create("rootfs");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, container_make_host, container_remove_host);
    tcase_add_test(tc, container_has_the_image_with_the_hosts_kernel_and_names);
    tcase_add_test(tc, empty_image_gets_what_every_container_has);
    tcase_add_test(tc, hosts_root_is_gone);
    tcase_add_test(tc, root_is_read_only_without_setuid_and_devices);
    tcase_add_test(tc, image_shows_nothing_that_the_user_could_not_read_outside);
    tcase_add_test(tc, what_is_closed_in_a_directory_image_is_closed_in_the_container);
    tcase_add_test(tc, mount_points_lie_also_where_the_image_lets_nobody_look_around);
    tcase_add_test(tc, programs_that_nobody_may_read_can_be_executed);
    tcase_add_test(tc, wishes_are_met_as_far_as_the_host_has_them);
    tcase_add_test(tc, mounts_of_the_host_are_shown_if_the_administrator_wants);
    tcase_add_test(tc, home_can_be_hidden_where_all_homes_are_one_mount);
    tcase_add_test(tc, file_servers_that_do_not_answer_are_no_harm);
    tcase_add_test(tc, working_directory_does_not_hide_the_images_system);
    tcase_add_test(tc, linked_mount_points_are_mounted_once);
    tcase_add_test(tc, hostile_links_misplace_the_images_own_mounts_alone);
    tcase_add_test(tc, wrong_types_in_the_image_are_named);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(child_cannot_mount, make_suite)
