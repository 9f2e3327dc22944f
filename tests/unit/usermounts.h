/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_USERMOUNTS_H
#define VITRINE_TESTS_USERMOUNTS_H

/*
 * Roots with a user's mounts in them, built by an unprivileged user's builder. The image
 * is the test's tree. The host's files are in a tmpfs at host_dir, which is the working
 * directory, so that mounts are written "./data:/x". A plan shows its `open` at /plan.
 */
#include "base/limits.h"
#include "base/path.h"
#include "base/syscalls.h"
#include "container.h"
#include "rootfs/overlay.h"
#include "rootfs/usermounts.h"

struct trial {
    const char *mounts;
    void (*on_host)(void); /* as root, in the working directory; or NULL */
    void (*inside)(void);  /* what to check; NULL if there shall be an error, */
    const char *words;     /* and what that must contain */
    const char *remark;    /* the beginning of the remark; NULL: there shall be none */
    bool is_writable_directory; /* the image as it is, without a layer */
};

static const struct usermounts *trial_mounts; /* for `inside` */
static int trial_content = -1; /* what stands for the content of a first SquashFS */

static inline void host_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    must(fchmod(fd, mode) == 0 && close(fd) == 0);
}

static inline void host_dir_at(const char *path, mode_t mode)
{
    must(mkdir(path, 0700) == 0 && chmod(path, mode) == 0);
}

static inline void trial_host(const struct trial *t)
{
    must(mount("test", host_dir, "tmpfs", 0, "mode=755") == 0 && chdir(host_dir) == 0);
    host_dir_at("data", 0755);
    host_file("data/file", "data", 0644);
    host_dir_at("other", 0755);
    host_file("other/file", "other", 0644);
    host_dir_at("open", 0777);
    host_file("open/file", "open", 0666);
    host_dir_at("closed", 0700);
    host_file("closed/file", "secret", 0600);
    if (t->on_host)
        t->on_host();
}

static inline int trial_plan(struct plan *plan)
{
    plan_init(plan);
    must(plan_add(plan, "/plan", 0) == 0);
    plan->entries[0].tree = sys_open_tree(AT_FDCWD, "open", AT_RECURSIVE);
    plan->entries[0].type = S_IFDIR;
    return plan->entries[0].tree >= 0 ? 0 : -1;
}

static inline void trial_pivot(int root)
{
    must(fchdir(root) == 0 && sys_pivot_root(".", ".") == 0);
    must(umount2(".", MNT_DETACH) == 0 && chdir("/") == 0);
}

/* As rootfs_build() does it. */
static inline int trial_build(const struct trial *t, int image, struct usermounts *mounts,
                              struct vitrine_error *err)
{
    static struct usermounts_wish wish = {.cwd = host_dir, .home = host_dir};
    static int trees[LIMIT_MOUNT_ENTRIES];
    struct skeleton skeleton = {.image = -1, .layer = -1};
    struct plan plan;

    must(mountspec_parse(t->mounts, (struct mountspec **)&wish.list, &wish.count, NULL) ==
         0);
    must(trial_plan(&plan) == 0);
    for (size_t i = 0; i < wish.count; i++)
        trees[i] = i == 0 ? trial_content : -1;
    wish.trees = trees;
    if (usermounts_open(&wish, mounts, err) < 0)
        return -1;
    must(caps_builder_own_root() == 0 && overlay_open(image, &skeleton, NULL) == 0);
    must(skeleton_point(&skeleton, "/plan", S_IFDIR) == 0);
    if (!t->is_writable_directory && usermounts_points(mounts, &skeleton, &plan, err) < 0)
        return -1;
    int root =
        t->is_writable_directory ? image : overlay_mount("vitrine", false, true, NULL);
    must(root >= 0 && caps_builder_only_mount() == 0);
    int point = path_open_in_root(root, "/plan", O_PATH);
    must(point >= 0 || t->is_writable_directory);
    must(t->is_writable_directory || sys_move_mount(plan.entries[0].tree, point) == 0);
    if (usermounts_attach(mounts, root, err) < 0)
        return -1;
    trial_pivot(root);
    return 0;
}

static inline void trial_builder(const struct trial *t, int born, int mapped)
{
    struct vitrine_error err = {0};
    struct usermounts mounts;
    char byte = 0;
    const struct mount_attr rw = {.attr_clr = MOUNT_ATTR_RDONLY};

    must(userns_create(0) == 0);
    must(write(born, &byte, 1) == 1);
    must(read(mapped, &byte, 1) == 1);
    must(userns_settle(CHILD_UID) == 0);
    int image = sys_open_tree(AT_FDCWD, tree_path, 0);
    must(image >= 0);
    if (t->is_writable_directory)
        must(sys_mount_change(image, 0, &rw) == 0);
    int rc = trial_build(t, image, &mounts, &err);
    if (rc < 0 && (t->inside || (t->words && !strstr(err.text, t->words))))
        (void)fprintf(stderr, "# %s: %s\n", t->mounts, err.text);
    must((rc == 0) == (t->inside != NULL));
    must(rc == 0 || (err.code == VITRINE_EMOUNT && strstr(err.text, t->words)));
    if (rc == 0) {
        must(strncmp(mounts.remark, t->remark ? t->remark : "",
                     t->remark ? strlen(t->remark) : 1) == 0);
        trial_mounts = &mounts;
        t->inside();
    }
    usermounts_free(&mounts);
    _exit(0);
}

static inline void trial_task(void *arg)
{
    const struct trial *t = arg;
    int born[2], mapped[2], status;
    char byte = 0;

    child_own_mounts();
    trial_host(t);
    must(pipe(born) == 0 && pipe(mapped) == 0);
    must(caps_keep() == 0);
    int data = open("data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    child_become_user();
    trial_content = kmount_directory(data, false);
    must(trial_content >= 0);
    pid_t pid = fork();
    if (pid == 0)
        trial_builder(t, born[1], mapped[0]);
    must(read(born[0], &byte, 1) == 1);
    must(userns_map(pid, USERNS_ALL, USERNS_ALL) == 0);
    must(write(mapped[1], &byte, 1) == 1);
    must(waitpid(pid, &status, 0) == pid && status == 0);
}

static inline void trial_check(struct trial t)
{
    int status = child_run(trial_task, &t);

    ck_assert_msg(status == 0, "%s", t.mounts);
}

#endif
