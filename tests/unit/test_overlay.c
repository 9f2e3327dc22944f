/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rootfs/overlay.h"
#include "base/cleanup.h"
#include "base/syscalls.h"
#include "child.h"
#include "tree.h"

#include <sys/statvfs.h>
#include <sys/xattr.h>

/* The tree as a detached mount. */
static int open_image(void)
{
    int image = sys_open_tree(AT_FDCWD, tree_path, 0);

    must(image >= 0);
    return image;
}

static void must_hold(int dir, const char *path, const char *text)
{
    char got[64] = "";
    cleanup_fd int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);

    must(fd >= 0 && read(fd, got, sizeof(got) - 1) >= 0);
    must(strcmp(got, text) == 0);
}

static void put_layer_over_image(void *arg)
{
    struct skeleton skeleton = {.image = -1, .layer = -1};
    struct stat st;

    child_own_mounts();
    must(overlay_open(open_image(), &skeleton, NULL) == 0);
    must((fcntl(skeleton.image, F_GETFD) & FD_CLOEXEC));
    must((fcntl(skeleton.layer, F_GETFD) & FD_CLOEXEC));
    must_hold(skeleton.image, "dir/image", "image");
    cleanup_fd int dir = skeleton_dir(&skeleton, "/dir");
    must(skeleton_file(&skeleton, dir, "layer", "layer", 5) == 0);
    must(skeleton_file(&skeleton, dir, "both", "layer", 5) == 0);

    cleanup_fd int root = overlay_mount("vitrine", false, true, NULL);
    must(root >= 0);
    must_hold(root, "dir/image", "image");
    must_hold(root, "dir/layer", "layer");
    must_hold(root, "dir/both", "layer");
    must(fstatat(root, "dir", &st, 0) == 0 && st.st_mode == (S_IFDIR | 0750));
    must(st.st_uid == 7 && st.st_gid == 8);
    must(strcmp(tree_read("dir/both"), "image") == 0);
}

START_TEST(layer_lies_over_the_image_and_never_in_it)
{
    tree_write("dir/image", "image");
    tree_write("dir/both", "image");
    ck_assert_int_eq(fchmodat(tree, "dir", 0750, 0), 0);
    ck_assert_int_eq(fchownat(tree, "dir", 7, 8, 0), 0);
    child_must(put_layer_over_image, NULL);
}
END_TEST

static void look_at_root(void *arg)
{
    struct skeleton skeleton = {.searchable_is_readable = arg != NULL};
    struct statvfs fs;
    struct stat st;

    child_own_mounts();
    must(overlay_open(open_image(), &skeleton, NULL) == 0);
    cleanup_fd int root = overlay_mount("vitrine", false, true, NULL);
    must(fstat(root, &st) == 0);
    must(st.st_mode == (S_IFDIR | (arg ? 01755 : 01711)));
    must(st.st_uid == 7 && st.st_gid == 8);
    must(fstatvfs(root, &fs) == 0);
    must((fs.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV)) ==
         (ST_RDONLY | ST_NOSUID | ST_NODEV));
    must(mkdirat(root, "new", 0755) < 0 && errno == EROFS);
}

START_TEST(root_looks_like_the_images_and_is_read_only)
{
    int as_user = 1;

    ck_assert_int_eq(fchmod(tree, 01711), 0);
    ck_assert_int_eq(fchown(tree, 7, 8), 0);
    child_must(look_at_root, NULL);
    child_must(look_at_root, &as_user);
}
END_TEST

static void keep_traps_shut(void *arg)
{
    struct skeleton skeleton = {0};

    child_own_mounts();
    must(overlay_open(open_image(), &skeleton, NULL) == 0);
    cleanup_fd int root = overlay_mount("vitrine", false, true, NULL);
    must(root >= 0);
    must(faccessat(root, "hidden", F_OK, 0) < 0);
    must(faccessat(root, "redirected/shadow", F_OK, 0) < 0);
}

/* Any user can make these in a directory of his own. */
START_TEST(overlay_attributes_of_an_image_lead_nowhere)
{
    char path[128];

    ck_assert_int_eq(mknodat(tree, "hidden", S_IFCHR, 0), 0);
    tree_mkdirs("redirected/");
    (void)snprintf(path, sizeof(path), "%s/redirected", tree_path);
    if (setxattr(path, "user.overlay.redirect", "/etc", 4, 0) < 0)
        ck_assert_int_eq(errno, EOPNOTSUPP);
    child_must(keep_traps_shut, NULL);
}
END_TEST

static void hide_base(void *arg)
{
    struct skeleton skeleton = {0};

    child_own_mounts();
    must(mount("test", OVERLAY_BASE, "tmpfs", 0, NULL) == 0);
    must(mkdir(OVERLAY_BASE "/of-host", 0755) == 0);
    must(overlay_open(open_image(), &skeleton, NULL) == 0);
    must(access(OVERLAY_BASE "/of-host", F_OK) < 0);
    must(access(OVERLAY_BASE "/image", F_OK) == 0);
}

START_TEST(hosts_tmp_is_out_of_sight)
{
    child_must(hide_base, NULL);
}
END_TEST

static void use_no_image(void *arg)
{
    struct skeleton skeleton = {.image = -7, .layer = -7};
    struct vitrine_error err = {0};
    const int bad[] = {-1, open("/", O_PATH | O_CLOEXEC),
                       open("/dev/null", O_RDONLY | O_CLOEXEC)};

    child_own_mounts();
    must(overlay_open(bad[*(const int *)arg], &skeleton, &err) == -1);
    must(err.code == VITRINE_EMOUNT && strstr(err.text, "image"));
    must(skeleton.image == -7 && skeleton.layer == -7);
}

START_TEST(what_is_no_detached_mount_is_refused)
{
    for (int i = 0; i < 3; i++)
        child_must(use_no_image, &i);
}
END_TEST

static void mount_without_layers(void *arg)
{
    struct vitrine_error err = {0};

    child_own_mounts();
    must(mount("test", OVERLAY_BASE, "tmpfs", 0, NULL) == 0);
    must(overlay_mount("vitrine", false, true, &err) == -1);
    must(err.code == VITRINE_EMOUNT && strstr(err.text, "overlay"));
}

START_TEST(overlay_without_layers_is_an_error)
{
    child_must(mount_without_layers, NULL);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("overlay");
    TCase *tc = tcase_create("overlay");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, tree_make, tree_remove);
    tcase_add_test(tc, layer_lies_over_the_image_and_never_in_it);
    tcase_add_test(tc, root_looks_like_the_images_and_is_read_only);
    tcase_add_test(tc, overlay_attributes_of_an_image_lead_nowhere);
    tcase_add_test(tc, hosts_tmp_is_out_of_sight);
    tcase_add_test(tc, what_is_no_detached_mount_is_refused);
    tcase_add_test(tc, overlay_without_layers_is_an_error);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(child_cannot_mount, make_suite)
