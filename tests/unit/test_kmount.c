/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "privileged/kmount.h"
#include "base/cleanup.h"
#include "base/syscalls.h"
#include "loopdev.h"
#include "privileged/caps.h"
#include "privileged/userns.h"
#include "tree.h"

#include <linux/fuse.h>
#include <sys/statvfs.h>

#define IMAGE_OFFSET 4096

/* image: a SquashFS with one file; shifted: the same at IMAGE_OFFSET. */
static void make_images(void)
{
    char command[512];

    tree_make();
    tree_write("content/file", "inside\n");
    (void)snprintf(command, sizeof(command),
                   "cd %s && mksquashfs content image -quiet -no-progress -all-root "
                   ">/dev/null && { head -c %d /dev/zero && cat image; } >shifted",
                   tree_path, IMAGE_OFFSET);
    ck_assert_int_eq(system(command), 0);
}

static void remove_images(void)
{
    ck_assert_msg(loopdev_wait(tree_path, 0), "a loop device is left");
    tree_remove();
}

static int open_file(const char *name)
{
    int fd = openat(tree, name, O_RDONLY | O_CLOEXEC);

    must(fd >= 0);
    return fd;
}

static void become_user(void)
{
    must(caps_keep() == 0);
    child_become_user();
}

/* However a call ended, the process is the user, with privilege in reserve alone. */
static void must_be_user_again(void)
{
    must(child_caps("CapEff:") == 0);
    must(child_caps("CapPrm:") != 0);
    must(geteuid() == CHILD_UID && getuid() == CHILD_UID);
    must(child_status("Uid:", 10) == CHILD_UID);
    must(getegid() == CHILD_GID);
    must(open("/dev/loop-control", O_RDWR | O_CLOEXEC) < 0);
}

static void must_be_limited(int mount)
{
    struct statvfs fs;

    must(fcntl(mount, F_GETFD) & FD_CLOEXEC);
    must(fstatvfs(mount, &fs) == 0);
    must((fs.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV)) ==
         (ST_RDONLY | ST_NOSUID | ST_NODEV));
}

static bool has_file(int mount)
{
    char text[16] = "";
    cleanup_fd int fd = openat(mount, "file", O_RDONLY | O_CLOEXEC);

    return fd >= 0 && read(fd, text, sizeof(text) - 1) == 7 &&
           strcmp(text, "inside\n") == 0;
}

static size_t count_mounts(void)
{
    size_t count = 0;
    char line[4096];
    FILE *mounts = fopen("/proc/self/mountinfo", "re");

    must(mounts != NULL);
    while (fgets(line, sizeof(line), mounts))
        count++;
    (void)fclose(mounts);
    return count;
}

static void mount_image(void *arg)
{
    const char *name = arg;
    uint64_t offset = strcmp(name, "shifted") == 0 ? IMAGE_OFFSET : 0;
    size_t before;

    child_own_mounts();
    before = count_mounts();
    become_user();
    int mount = kmount_squashfs(open_file(name), offset);
    must(mount >= 0);
    must_be_user_again();
    must_be_limited(mount);
    must(has_file(mount));
    must(count_mounts() == before);
}

START_TEST(image_is_mounted_detached_and_without_privilege)
{
    child_must(mount_image, (void *)"image");
    child_must(mount_image, (void *)"shifted");
}
END_TEST

static void mount_twice(void *arg)
{
    struct stat one, other;

    become_user();
    int a = kmount_squashfs(open_file("image"), 0);
    int b = kmount_squashfs(open_file("image"), 0);
    must(a >= 0 && b >= 0);
    must(fstat(a, &one) == 0 && fstat(b, &other) == 0);
    must(one.st_dev == other.st_dev);
    must(loopdev_count(tree_path) == 1);
    (void)close(a);
    must(has_file(b));
    (void)close(b);
    must(loopdev_wait(tree_path, 0));
}

START_TEST(mounts_of_one_image_share_device_and_page_cache)
{
    child_must(mount_twice, NULL);
}
END_TEST

static void use_unprivileged(void *arg)
{
    int dev = -7;

    if (arg)
        must(caps_keep() == 0);
    child_become_user();
    if (arg)
        must(caps_forget() == 0);
    must(kmount_squashfs(open_file("image"), 0) == -EPERM);
    must(kmount_directory(tree, false) == -EPERM);
    must(kmount_fuse(&dev) == -EPERM && dev == -7);
    must(geteuid() == CHILD_UID && child_caps("CapPrm:") == 0);
}

START_TEST(nothing_is_mounted_without_kept_privilege)
{
    int forgotten = 1;

    child_must(use_unprivileged, NULL);
    child_must(use_unprivileged, &forgotten);
}
END_TEST

/* Writes `bad`: the image's first `size` bytes, then `damage` over those at `at`. */
struct damage {
    size_t size, at, length;
    unsigned char byte;
};

static void mount_damaged(void *arg)
{
    become_user();
    must(kmount_squashfs(open_file("bad"), 0) < 0);
    must_be_user_again();
    must(loopdev_wait(tree_path, 0));
}

START_TEST(damaged_images_fail_and_leave_no_device)
{
    /* Fields of the superblock: squashfs_fs.h of the kernel. */
    static const struct damage damages[] = {
        {.size = 0},
        {.size = 1},
        {.size = 95},
        {.size = 96},
        {.size = 200},
        {.size = 4096, .at = 0, .length = 4, .byte = 'x'},  /* magic */
        {.size = 4096, .at = 0, .length = 96},              /* all of it */
        {.size = 4096, .at = 4, .length = 92, .byte = 255}, /* all but the magic */
        {.size = 4096, .at = 12, .length = 4, .byte = 1},   /* block size */
        {.size = 4096, .at = 20, .length = 2, .byte = 77},  /* compressor */
        {.size = 4096, .at = 22, .length = 2, .byte = 9}, /* its block size's logarithm */
        {.size = 4096, .at = 28, .length = 2, .byte = 9}, /* version */
        {.size = 4096, .at = 32, .length = 8, .byte = 255},   /* root inode */
        {.size = 4096, .at = 64, .length = 8, .byte = 255},   /* inode table */
        {.size = 4096, .at = 72, .length = 8, .byte = 255},   /* directory table */
        {.size = 4096, .at = 96, .length = 900, .byte = 255}, /* everything behind it */
    };
    char image[4096] = "";
    cleanup_fd int fd = openat(tree, "image", O_RDONLY | O_CLOEXEC);

    ck_assert_int_gt(read(fd, image, sizeof(image)), 96);
    for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
        const struct damage *d = &damages[i];
        char bad[4096];

        memcpy(bad, image, sizeof(bad));
        memset(bad + d->at, d->byte, d->length);
        tree_write_bytes("bad", bad, d->size);
        ck_assert_msg(child_run(mount_damaged, NULL) == 0, "damage %zu", i);
    }
}
END_TEST

static void mount_no_file(void *arg)
{
    become_user();
    must(kmount_squashfs(-1, 0) == -EBADF);
    must(kmount_squashfs(tree, 0) < 0);
    must(kmount_squashfs(open("/dev/null", O_RDONLY | O_CLOEXEC), 0) < 0);
    must(kmount_squashfs(openat(tree, "image", O_PATH | O_CLOEXEC), 0) < 0);
    must(kmount_squashfs(open_file("image"), 512) < 0);
    must(kmount_squashfs(open_file("image"), 1 << 30) < 0);
    must(kmount_directory(-1, false) == -EBADF);
    must_be_user_again();
}

START_TEST(what_is_no_image_is_refused)
{
    child_must(mount_no_file, NULL);
}
END_TEST

static void show_directory(void *arg)
{
    child_own_mounts();
    must(chdir(tree_path) == 0);
    must(mkdir("content/covered", 0755) == 0);
    tree_write("content/covered/own", "");
    must(mount("test", "content/covered", "tmpfs", 0, NULL) == 0);
    must(mkdir("content/covered/mounted", 0755) == 0);
    must(chmod("content", 0777) == 0);
    become_user();
    int mount =
        kmount_directory(open("content", O_RDONLY | O_DIRECTORY | O_CLOEXEC), false);
    must(mount >= 0);
    must_be_user_again();
    must_be_limited(mount);
    must(has_file(mount));
    must(faccessat(mount, "covered/own", F_OK, 0) == 0);
    must(faccessat(mount, "covered/mounted", F_OK, 0) < 0);
    must(mkdirat(mount, "new", 0755) < 0 && errno == EROFS);
    /* The original stays what it was. */
    must(mkdir("content/new", 0755) == 0);
}

START_TEST(directory_is_shown_read_only_without_mounts_below)
{
    child_must(show_directory, NULL);
}
END_TEST

/* As root: files of 0 and of 5, which the user cannot read otherwise. */
static void make_private_image(void)
{
    tree_write("private/zero", "0");
    tree_write("private/five", "5");
    must(chdir(tree_path) == 0);
    must(chmod("private/zero", 0600) == 0 && chmod("private/five", 0600) == 0);
    must(chown("private/five", 5, 0) == 0);
    must(system("mksquashfs private image2 -quiet -no-progress >/dev/null") == 0);
}

static void map_image(void *arg)
{
    struct stat zero, five;
    int ns = -1;

    make_private_image();
    become_user();
    must(userns_fake_root(&(struct userns_ids){.nuids = 0}, &ns) == 0);
    cleanup_fd int mount = kmount_squashfs(open_file("image2"), 0);
    cleanup_fd int plain = kmount_squashfs(open_file("image2"), 0);
    must(mount >= 0 && plain >= 0);
    int rc = kmount_idmap(mount, ns);
    must_be_user_again();
    if (rc == -EINVAL && !getenv("VITRINE_MUST_WORK"))
        return; /* before Linux 6.2 */
    must(rc == 0);
    must(fstatat(mount, "zero", &zero, 0) == 0 && fstatat(mount, "five", &five, 0) == 0);
    must(zero.st_uid == CHILD_UID && zero.st_gid == CHILD_GID && five.st_uid == 65534);
    must(openat(mount, "zero", O_RDONLY | O_CLOEXEC) >= 0);
    must(openat(mount, "five", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
    must_be_limited(mount);
    /* Another mount of the image is none the wiser. */
    must(fstatat(plain, "zero", &zero, 0) == 0 && zero.st_uid == 0);
    must(openat(plain, "zero", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
    must(kmount_idmap(mount, ns) < 0);
    must_be_user_again();
}

START_TEST(image_can_belong_to_the_root_of_a_namespace)
{
    child_must(map_image, NULL);
}
END_TEST

static void map_what_is_no_image(void *arg)
{
    int ns = -1;

    become_user();
    must(userns_fake_root(&(struct userns_ids){.nuids = 0}, &ns) == 0);
    cleanup_fd int dir =
        kmount_directory(open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), false);
    cleanup_fd int image = kmount_squashfs(open_file("image"), 0);
    must(dir >= 0 && image >= 0);
    must(kmount_idmap(dir, ns) == -EINVAL);
    must(kmount_idmap(-1, ns) == -EBADF);
    must(kmount_idmap(image, -1) < 0);
    must(kmount_idmap(image, dir) < 0);
    must(kmount_idmap(image, open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC)) < 0);
    must_be_user_again();
    must(caps_forget() == 0);
    must(kmount_idmap(image, ns) == -EPERM);
}

START_TEST(nothing_but_an_image_is_given_to_the_user)
{
    child_must(map_what_is_no_image, NULL);
}
END_TEST

static void find_options(char *line, size_t size)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");

    must(mounts != NULL);
    while (fgets(line, (int)size, mounts) && !strstr(line, " fuse.vitrine "))
        ;
    (void)fclose(mounts);
}

static void mount_fuse(void *arg)
{
    union {
        struct fuse_in_header header;
        char space[65536 * 2];
    } request;
    char line[1024] = "", expected[64];
    struct stat st;
    int dev = -1;

    child_own_mounts();
    become_user();
    cleanup_fd int mount = kmount_fuse(&dev);
    must(mount >= 0 && dev >= 0);
    must_be_user_again();
    must((fcntl(mount, F_GETFD) & FD_CLOEXEC) && (fcntl(dev, F_GETFD) & FD_CLOEXEC));
    must(read(dev, &request, sizeof(request)) > 0);
    must(request.header.opcode == FUSE_INIT);

    must(caps_raise() == 0);
    cleanup_fd int point = open(tree_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    must(sys_move_mount(mount, point) == 0);
    must(caps_lower() == 0);
    find_options(line, sizeof(line));
    (void)snprintf(expected, sizeof(expected), "user_id=%d,group_id=%d,", CHILD_UID,
                   CHILD_GID);
    must(strstr(line, " ro,nosuid,nodev,"));
    must(strstr(line, expected));
    must(strstr(line, "default_permissions") && strstr(line, "allow_other"));
    /* A server that dies ends what waits for it. */
    (void)close(dev);
    must(stat(tree_path, &st) < 0 && errno == ENOTCONN);
}

START_TEST(fuse_mount_is_the_users_and_checked_by_the_kernel)
{
    if (access("/dev/fuse", F_OK) == 0 || getenv("VITRINE_MUST_WORK"))
        child_must(mount_fuse, NULL);
}
END_TEST

static const char *missing(void)
{
    char line[128];
    bool known = false;
    const char *why = loopdev_missing();

    if (why)
        return why;
    if (system("command -v mksquashfs >/dev/null") != 0)
        return "needs mksquashfs";
    (void)!system("modprobe -q squashfs 2>/dev/null");
    FILE *types = fopen("/proc/filesystems", "re");
    while (types && fgets(line, sizeof(line), types))
        known = known || strstr(line, "squashfs");
    if (types)
        (void)fclose(types);
    return known ? NULL : "needs a kernel with squashfs";
}

static Suite *make_suite(void)
{
    Suite *suite = suite_create("kmount");
    TCase *tc = tcase_create("kmount");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_images, remove_images);
    tcase_add_test(tc, image_is_mounted_detached_and_without_privilege);
    tcase_add_test(tc, mounts_of_one_image_share_device_and_page_cache);
    tcase_add_test(tc, nothing_is_mounted_without_kept_privilege);
    tcase_add_test(tc, damaged_images_fail_and_leave_no_device);
    tcase_add_test(tc, what_is_no_image_is_refused);
    tcase_add_test(tc, directory_is_shown_read_only_without_mounts_below);
    tcase_add_test(tc, image_can_belong_to_the_root_of_a_namespace);
    tcase_add_test(tc, nothing_but_an_image_is_given_to_the_user);
    tcase_add_test(tc, fuse_mount_is_the_users_and_checked_by_the_kernel);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(missing, make_suite)
