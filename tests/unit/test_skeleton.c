/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "skeleton.h"
#include "base/cleanup.h"

/* What the image has, and where in the layer a path then is; NULL: nowhere. */
struct path_case {
    const char *link, *target; /* a symbolic link of the image */
    const char *path, *made;
};

static const struct path_case path_cases[] = {
    {NULL, NULL, "/new", "new"},
    {NULL, NULL, "/dir/new", "dir/new"},
    {NULL, NULL, "/dir/sub/new/newer", "dir/sub/new/newer"},
    {NULL, NULL, "/a/b/c", "a/b/c"},
    {"link", "dir", "/link/new", "dir/new"},
    {"link", "/dir", "/link/new", "dir/new"},
    {"link", "/", "/link/new", "new"},
    {"link", "..", "/link/new", "new"},
    {"link", "../../../../dir", "/link/new", "dir/new"},
    {"dir/link", "sub", "/dir/link/new", "dir/sub/new"},
    {"dir/link", "..", "/dir/link/new", "new"},
    {"link", "nowhere", "/link/new", "link/new"},
    {"link", "/proc/self/root", "/link/new", "link/new"},
    {"link", "/etc", "/link/new", "link/new"}, /* the host has one, the image none */
    {"dir/link", "/nowhere/x", "/dir/link", "dir/link"},
};

static void make_image(const struct path_case *c)
{
    skeleton_renew();
    tree_mkdirs("image/dir/sub/");
    ck_assert_int_eq(fchmodat(tree, "image/dir", 0751, 0), 0);
    ck_assert_int_eq(fchownat(tree, "image/dir", 7, 8, 0), 0);
    tree_write("image/file", "image");
    if (c && c->link) {
        cleanup_fd int image = openat(tree, "image", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_eq(symlinkat(c->target, image, c->link), 0);
    }
}

static mode_t mode_of(const char *path)
{
    char full[256];
    struct stat st;

    (void)snprintf(full, sizeof(full), "layer/%s", path);
    return fstatat(tree, full, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mode : 0;
}

START_TEST(directories_are_made_where_the_image_leads)
{
    for (size_t i = 0; i < sizeof(path_cases) / sizeof(*path_cases); i++) {
        make_image(&path_cases[i]);
        cleanup_fd int fd = skeleton_dir(&skeleton, path_cases[i].path);
        ck_assert_msg(fd >= 0, "%zu: %s", i, strerror(-fd));
        ck_assert_msg(mode_of(path_cases[i].made) == (S_IFDIR | 0755), "%zu", i);
        ck_assert_int_eq(skeleton_file(&skeleton, fd, "file", "text", 4), 0);
    }
}
END_TEST

START_TEST(mount_points_are_made_where_the_image_leads)
{
    static const mode_t types[] = {S_IFDIR, S_IFREG};

    for (size_t i = 0; i < 2 * sizeof(path_cases) / sizeof(*path_cases); i++) {
        const struct path_case *c = &path_cases[i / 2];
        mode_t type = types[i % 2];

        make_image(c);
        ck_assert_int_eq(skeleton_point(&skeleton, c->path, type), 0);
        ck_assert_msg(mode_of(c->made) == (type | (S_ISDIR(type) ? 0755 : 0644)), "%zu",
                      i);
        /* Twice is as good as once. */
        ck_assert_int_eq(skeleton_point(&skeleton, c->path, type), 0);
    }
}
END_TEST

START_TEST(what_the_image_has_needs_no_mount_point)
{
    make_image(NULL);
    ck_assert_int_eq(skeleton_point(&skeleton, "/dir/sub", S_IFDIR), 0);
    ck_assert_int_eq(skeleton_point(&skeleton, "/file", S_IFREG), 0);
    ck_assert_int_eq(skeleton_point(&skeleton, "/dir", S_IFDIR), 0);
    ck_assert_uint_eq(mode_of("dir"), 0);
    ck_assert_uint_eq(mode_of("file"), 0);
}
END_TEST

START_TEST(wrong_types_are_refused)
{
    static const struct {
        const char *path;
        mode_t type;
        int rc;
    } cases[] = {
        {"/file", S_IFDIR, -ENOTDIR},   {"/dir", S_IFREG, -EISDIR},
        {"/file/x", S_IFDIR, -ENOTDIR}, {"/file/x/y", S_IFREG, -ENOTDIR},
        {"/self", S_IFDIR, -ELOOP},     {"/self/x", S_IFREG, -ELOOP},
        {"relative", S_IFDIR, -EINVAL}, {"/a/../b", S_IFDIR, -EINVAL},
        {"/a//b", S_IFDIR, -EINVAL},    {"/a/", S_IFDIR, -EINVAL},
        {"", S_IFDIR, -EINVAL},         {"/dir/../../x", S_IFREG, -EINVAL},
        {"/pipe", S_IFDIR, -ENOTDIR},   {"/pipe/x", S_IFREG, -ENOTDIR},
        {"/", S_IFREG, -EISDIR},        {"/./x", S_IFREG, -EINVAL},
    };
    struct path_case self = {.link = "self", .target = "self"};

    make_image(&self);
    ck_assert_int_eq(mkfifoat(tree, "image/pipe", 0644), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int rc = skeleton_point(&skeleton, cases[i].path, cases[i].type);
        ck_assert_msg(rc == cases[i].rc, "%s: %d", cases[i].path, rc);
    }
    ck_assert_int_eq(skeleton_dir(&skeleton, "/file"), -ENOTDIR);
    ck_assert_int_eq(skeleton_dir(&skeleton, "/pipe"), -ENOTDIR);
    ck_assert_int_eq(skeleton_dir(&skeleton, "/self"), -ELOOP);
}
END_TEST

START_TEST(layers_own_entries_may_not_be_linked)
{
    make_image(NULL);
    ck_assert_int_eq(symlinkat("/etc", skeleton.layer, "trap"), 0);
    ck_assert_int_lt(skeleton_dir(&skeleton, "/trap"), 0);
    ck_assert_int_lt(skeleton_dir(&skeleton, "/trap/x"), 0);
    ck_assert_int_lt(skeleton_point(&skeleton, "/trap/x", S_IFREG), 0);
    ck_assert_int_eq(skeleton_file(&skeleton, skeleton.layer, "trap", "", 0), -EEXIST);
}
END_TEST

START_TEST(directories_look_like_the_images)
{
    struct stat image, layer;

    (void)umask(077);
    make_image(NULL);
    cleanup_fd int fd = skeleton_dir(&skeleton, "/dir/sub/new");
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstatat(tree, "image/dir", &image, 0), 0);
    ck_assert_int_eq(fstatat(tree, "layer/dir", &layer, 0), 0);
    ck_assert_uint_eq(layer.st_mode, S_IFDIR | 0751);
    ck_assert(layer.st_uid == 7 && layer.st_gid == 8);
    ck_assert_uint_eq(mode_of("dir/sub/new"), S_IFDIR | 0755);
}
END_TEST

START_TEST(searchable_directories_are_readable_if_they_must)
{
    static const struct {
        mode_t image, layer;
    } cases[] = {
        {0711, 0755},   {0710, 0750},   {0100, 0500}, {0700, 0700}, {0755, 0755},
        {01733, 01777}, {02711, 02755}, {0600, 0600}, {0, 0},
    };
    struct skeleton as_user = {.searchable_is_readable = true}, as_root = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ck_assert_uint_eq(skeleton_mode(&as_user, S_IFDIR | cases[i].image),
                          cases[i].layer);
        ck_assert_uint_eq(skeleton_mode(&as_root, S_IFDIR | cases[i].image),
                          cases[i].image);
    }
}
END_TEST

START_TEST(longest_paths_are_refused_without_harm)
{
    char path[PATH_MAX + 8];

    make_image(NULL);
    for (size_t i = 0; i < sizeof(path); i++)
        path[i] = i % 2 ? 'x' : '/';
    path[PATH_MAX] = 'x';
    path[sizeof(path) - 1] = '\0';
    ck_assert_int_lt(skeleton_point(&skeleton, path, S_IFDIR), 0);
    memset(path + 1, 'y', 256); /* NAME_MAX is 255 */
    path[257] = '\0';
    ck_assert_int_lt(skeleton_point(&skeleton, path, S_IFDIR), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("skeleton");
    TCase *tc = tcase_create("skeleton");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, skeleton_make, skeleton_remove);
    tcase_add_test(tc, directories_are_made_where_the_image_leads);
    tcase_add_test(tc, mount_points_are_made_where_the_image_leads);
    tcase_add_test(tc, what_the_image_has_needs_no_mount_point);
    tcase_add_test(tc, wrong_types_are_refused);
    tcase_add_test(tc, layers_own_entries_may_not_be_linked);
    tcase_add_test(tc, directories_look_like_the_images);
    tcase_add_test(tc, searchable_directories_are_readable_if_they_must);
    tcase_add_test(tc, longest_paths_are_refused_without_harm);
    suite_add_tcase(suite, tc);
    return suite;
}

CHILD_MAIN(child_cannot_mount, make_suite)
