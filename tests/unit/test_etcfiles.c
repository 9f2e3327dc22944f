/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each test in a child that has an /etc of its own, so that it knows what the host has.
 */
#include "rootfs/etcfiles.h"
#include "skeleton.h"

#define PASSWD "root:x:0:0:root:/root:/bin/sh\n"
#define SECRET "root:$6$secret:1::::::\n"
#define ADA    "ada:x:1000:1000::/home/ada:/bin/sh\n"

static const struct vitrine_group groups[] = {{1000, "ada"}};
static const struct vitrine_identity ada = {.uid = 1000,
                                            .gid = 1000,
                                            .user = "ada",
                                            .gecos = "",
                                            .home = "/home/ada",
                                            .shell = "/bin/sh",
                                            .groups = groups,
                                            .ngroups = 1};

static void write_host(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    must(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* Neither hostname nor time zone: the image keeps its own. */
static void make_host(void)
{
    child_own_mounts();
    must(mount("test", "/etc", "tmpfs", 0, "mode=755") == 0);
    write_host("/etc/hosts", "127.0.0.1 host\n");
    write_host("/etc/resolv.conf", "nameserver 192.0.2.1\n");
    write_host("/etc/passwd", "host:x:1:1:::\n");
    write_host("/etc/shadow", SECRET);
}

static void write_all(void)
{
    struct etcfiles files;
    struct vitrine_error err = {0};

    must(etcfiles_read(skeleton.image, &ada, 0, &files, &err) == 0);
    if (etcfiles_write(&files, &skeleton, &err) < 0)
        (void)fprintf(stderr, "# %s\n", err.text);
    must(!err.text[0]);
    etcfiles_free(&files);
}

/* A file of root's that everybody may read, and no link. */
static void must_be_plain(const char *path)
{
    struct stat st;

    must(fstatat(tree, path, &st, AT_SYMLINK_NOFOLLOW) == 0);
    must(st.st_mode == (S_IFREG | 0644));
    must(st.st_uid == 0 && st.st_gid == 0);
    must(st.st_nlink == 1);
}

static void must_hold(const char *path, const char *text)
{
    must_be_plain(path);
    must(strcmp(tree_read(path), text) == 0);
}

static void fill(void *arg)
{
    make_host();
    tree_write("image/etc/passwd", PASSWD);
    tree_write("image/etc/group", "root:x:0:\n");
    tree_write("image/etc/hosts", "image\n");
    tree_write("image/etc/hostname", "image\n");
    write_all();
    must_hold("layer/etc/passwd", PASSWD ADA);
    must_hold("layer/etc/group", "root:x:0:\nada:x:1000:\n");
    must_hold("layer/etc/hosts", "127.0.0.1 host\n");
    must_hold("layer/etc/resolv.conf", "nameserver 192.0.2.1\n");
    must(faccessat(tree, "layer/etc/hostname", F_OK, 0) < 0);
    must(faccessat(tree, "layer/etc/timezone", F_OK, 0) < 0);
    must(faccessat(tree, "layer/etc/localtime", F_OK, 0) < 0);
    must_hold("image/etc/passwd", PASSWD);
}

START_TEST(names_and_network_are_the_hosts_and_the_rest_is_the_images)
{
    child_must(fill, NULL);
}
END_TEST

static void fill_nothing(void *arg)
{
    struct stat st;

    make_host();
    write_all();
    must(fstatat(tree, "layer/etc", &st, AT_SYMLINK_NOFOLLOW) == 0);
    must(st.st_mode == (S_IFDIR | 0755) && st.st_uid == 0);
    must_hold("layer/etc/passwd", ADA);
}

START_TEST(image_without_etc_gets_one)
{
    child_must(fill_nothing, NULL);
}
END_TEST

static void fill_with_umask(void *arg)
{
    make_host();
    tree_write("image/etc/passwd", PASSWD);
    must(fchmodat(tree, "image/etc/passwd", 0600, 0) == 0);
    must(fchownat(tree, "image/etc/passwd", CHILD_UID, CHILD_GID, 0) == 0);
    (void)umask(*(const mode_t *)arg);
    write_all();
    must_be_plain("layer/etc/passwd");
    must_be_plain("layer/etc/group");
    must_be_plain("layer/etc/hosts");
    must_be_plain("layer/etc/resolv.conf");
}

START_TEST(files_are_roots_and_readable_whatever_the_umask)
{
    mode_t masks[] = {0, 022, 077, 0777};

    for (size_t i = 0; i < sizeof(masks) / sizeof(*masks); i++) {
        skeleton_renew();
        child_must(fill_with_umask, &masks[i]);
    }
}
END_TEST

/* resolv.conf as a link to `arg`. */
static void replace_link(void *arg)
{
    make_host();
    tree_write("image/inside", "image\n");
    tree_write("image/etc/passwd", PASSWD);
    must(symlinkat(arg, tree, "image/etc/resolv.conf") == 0);
    write_all();
    must_hold("layer/etc/resolv.conf", "nameserver 192.0.2.1\n");
    must(strcmp(tree_read("image/inside"), "image\n") == 0);
    must(access("/etc/written", F_OK) < 0);
}

START_TEST(links_are_replaced_and_never_written_through)
{
    static const char *const targets[] = {
        "../run/systemd/resolve/stub-resolv.conf",
        "../inside",
        "/inside",
        "/etc/written",
        "../../../../../../etc/written",
        "resolv.conf",
        "/etc/shadow",
        "/",
        "..",
    };

    for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
        skeleton_renew();
        child_must(replace_link, (void *)targets[i]);
    }
}
END_TEST

/* The image's /etc as a link, and where its files then are. */
struct link_case {
    const char *target, *passwd;
};

static void follow_etc(void *arg)
{
    const struct link_case *c = arg;

    make_host();
    must(mkdir("/etc/victim", 0755) == 0);
    tree_write("image/private/etc/passwd", PASSWD);
    must(symlinkat(c->target, tree, "image/etc") == 0);
    write_all();
    must_be_plain(c->passwd);
    must(access("/etc/victim/passwd", F_OK) < 0);
    must(access("/etc/group", F_OK) < 0);
    must(faccessat(tree, "passwd", F_OK, 0) < 0);
}

START_TEST(linked_etc_stays_inside_of_the_image)
{
    static struct link_case cases[] = {
        {"private/etc", "layer/private/etc/passwd"},
        {"/private/etc", "layer/private/etc/passwd"},
        {"../../../../private/etc", "layer/private/etc/passwd"},
        {"private/nothing", "layer/etc/passwd"},
        {"/", "layer/passwd"},
        {".", "layer/passwd"},
        {"..", "layer/passwd"},
        {"../..", "layer/passwd"},
        {"/victim", "layer/etc/passwd"},
        {"../../../../../etc2", "layer/etc/passwd"},
        {"/proc/self/root/etc/victim", "layer/etc/passwd"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        skeleton_renew();
        child_must(follow_etc, &cases[i]);
    }
}
END_TEST

enum trap {
    TRAP_FIFO,
    TRAP_SOCKET,
    TRAP_DIRECTORY,
    TRAP_LINK,
    TRAP_UP,
    TRAP_MAGIC,
    TRAP_LOOP,
    TRAPS
};

/* The image's passwd is no file of names; nothing of the host's may appear there. */
static void meet_trap(void *arg)
{
    static const char *const targets[TRAPS] = {
        [TRAP_LINK] = "/etc/shadow",
        [TRAP_UP] = "../../../../../../../etc/shadow",
        [TRAP_MAGIC] = "/proc/self/root/etc/shadow",
        [TRAP_LOOP] = "passwd",
    };
    enum trap trap = *(const enum trap *)arg;
    mode_t type = trap == TRAP_FIFO ? S_IFIFO : S_IFSOCK;

    make_host();
    must(mkdirat(tree, "image/etc", 0755) == 0);
    if (targets[trap])
        must(symlinkat(targets[trap], tree, "image/etc/passwd") == 0);
    else if (trap == TRAP_DIRECTORY)
        must(mkdirat(tree, "image/etc/passwd", 0755) == 0);
    else
        must(mknodat(tree, "image/etc/passwd", type | 0644, 0) == 0);
    write_all();
    must_hold("layer/etc/passwd", ADA);
}

START_TEST(hostile_passwd_is_replaced_without_a_look_at_the_host)
{
    for (enum trap trap = 0; trap < TRAPS; trap++) {
        skeleton_renew();
        child_must(meet_trap, &trap);
    }
}
END_TEST

static void fill_longest(void *arg)
{
    enum { LONGEST = 8 * 1024 * 1024 };
    char *text = malloc(LONGEST + 1);
    struct stat st;

    make_host();
    must(text != NULL);
    memset(text, '\n', LONGEST + 1);
    memcpy(text, PASSWD, sizeof(PASSWD) - 1);
    tree_write_bytes("image/etc/passwd", text, LONGEST);
    tree_write_bytes("image/etc/group", text, LONGEST + 1);
    write_all();
    must_hold("layer/etc/passwd", PASSWD ADA);
    must_hold("layer/etc/group", "ada:x:1000:\n");
    must(fstatat(tree, "layer/etc/passwd", &st, 0) == 0 && st.st_size < 1024);
    free(text);
}

START_TEST(too_long_file_counts_as_none)
{
    child_must(fill_longest, NULL);
}
END_TEST

static void refuse_etc(void *arg)
{
    struct etcfiles files;
    struct vitrine_error err = {0};

    make_host();
    if (arg)
        must(symlinkat(arg, tree, "image/etc") == 0);
    else
        tree_write("image/etc", "");
    must(etcfiles_read(skeleton.image, &ada, 0, &files, &err) == 0);
    must(etcfiles_write(&files, &skeleton, &err) == -1);
    must(err.code == VITRINE_EMOUNT && err.sys_errno == (arg ? ELOOP : ENOTDIR));
    must(strstr(err.text, "/etc"));
    etcfiles_free(&files);
}

START_TEST(etc_that_cannot_be_a_directory_is_an_error)
{
    child_must(refuse_etc, NULL);
    skeleton_renew();
    child_must(refuse_etc, (void *)"etc");
    skeleton_renew();
    child_must(refuse_etc, (void *)"/etc/victim");
}
END_TEST

/* The host's localtime is a link to `arg`, or a file without. */
static void set_zone(void *arg)
{
    make_host();
    must(mkdir("/etc/zones", 0755) == 0);
    write_host("/etc/zones/Bern", "TZif of the host");
    write_host("/etc/timezone", "Europe/Bern\n");
    tree_write("image/etc/zones/Bern", "TZif of the image");
    must(symlinkat("zones/Bern", tree, "image/etc/localtime") == 0);
    if (arg)
        must(symlink(arg, "/etc/localtime") == 0);
    else
        write_host("/etc/localtime", "TZif of the host");
    write_all();
    must_hold("layer/etc/localtime", "TZif of the host");
    must_hold("layer/etc/timezone", "Europe/Bern\n");
}

START_TEST(time_zone_is_the_hosts_with_its_name)
{
    child_must(set_zone, NULL);
    skeleton_renew();
    child_must(set_zone, (void *)"zones/Bern");
    skeleton_renew();
    child_must(set_zone, (void *)"/etc/zones/Bern");
}
END_TEST

static void fill_apt(void *arg)
{
    struct vitrine_error err = {0};

    make_host();
    must(etcfiles_write_apt(&skeleton, &err) == 0);
    must(faccessat(tree, "layer/etc", F_OK, 0) < 0);
    tree_write("image/etc/apt/apt.conf.d/01own", "");
    must(etcfiles_write_apt(&skeleton, &err) == 0);
    must_hold("layer/etc/apt/apt.conf.d/zz-vitrine", "APT::Sandbox::User \"root\";\n");
    must(etcfiles_write_apt(&skeleton, &err) == 0);
}

START_TEST(apt_is_told_to_stay_root_where_there_is_apt)
{
    child_must(fill_apt, NULL);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("etcfiles");
    TCase *tc = tcase_create("etcfiles");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, skeleton_make, skeleton_remove);
    tcase_add_test(tc, names_and_network_are_the_hosts_and_the_rest_is_the_images);
    tcase_add_test(tc, image_without_etc_gets_one);
    tcase_add_test(tc, files_are_roots_and_readable_whatever_the_umask);
    tcase_add_test(tc, links_are_replaced_and_never_written_through);
    tcase_add_test(tc, linked_etc_stays_inside_of_the_image);
    tcase_add_test(tc, hostile_passwd_is_replaced_without_a_look_at_the_host);
    tcase_add_test(tc, too_long_file_counts_as_none);
    tcase_add_test(tc, etc_that_cannot_be_a_directory_is_an_error);
    tcase_add_test(tc, apt_is_told_to_stay_root_where_there_is_apt);
    tcase_add_test(tc, time_zone_is_the_hosts_with_its_name);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(child_cannot_mount, make_suite)
