/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_CONTAINER_H
#define VITRINE_TESTS_CONTAINER_H

/*
 * Containers built as in earnest: by an unprivileged user's builder, in a user namespace
 * of root's. What they look like is then checked from inside. The image is the test's
 * tree; container_make_host() and container_remove_host() are its fixtures.
 */
#include "child.h"
#include "privileged/caps.h"
#include "privileged/kmount.h"
#include "privileged/userns.h"
#include "rootfs/rootfs.h"
#include "tree.h"

#include <sys/mman.h>

/* A directory of the host that is on no mount which containers show. */
static char host_dir[64];

static const char *const no_paths[] = {NULL};
static const struct vitrine_group groups[] = {{CHILD_GID, "ada"}};

static inline void container_make_host(void)
{
    tree_make();
    (void)snprintf(host_dir, sizeof(host_dir), "/vitrine-test-rootfs.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(host_dir));
    ck_assert_int_eq(chmod(host_dir, 0755), 0);
}

static inline void container_remove_host(void)
{
    (void)rmdir(host_dir);
    tree_remove();
}

struct container {
    void (*on_host)(void); /* as root, in the mount namespace of the job; or NULL */
    void (*inside)(void);  /* what to check; NULL if there shall be none */
    bool hides_home;
    struct rootfs_spec spec;
    struct vitrine_spec wish;
    enum vitrine_errcode code; /* of the error, if there shall be one, */
    const char *words;         /* and what it must contain */
};

static struct inside reply;
static int environ_inside; /* changes for the environment */

static inline void container_must_fail_right(const struct container *c, int rc,
                                             const struct vitrine_error *err)
{
    if (rc < 0 && c->inside)
        (void)fprintf(stderr, "# %s\n", err->text);
    must((rc == 0) == (c->inside != NULL));
    if (rc == 0)
        return;
    must(err->code == c->code);
    if (c->words && !strstr(err->text, c->words))
        (void)fprintf(stderr, "# %s\n", err->text);
    must(!c->words || strstr(err->text, c->words));
}

static inline void container_builder(struct container *c, int born, int mapped)
{
    struct vitrine_error err = {0};
    char byte = 0;

    c->spec.environ = memfd_create("environ", MFD_CLOEXEC);
    must(userns_create(0) == 0);
    must(write(born, &byte, 1) == 1);
    must(read(mapped, &byte, 1) == 1);
    must(userns_settle(CHILD_UID) == 0);
    int upper = -1, rc = rootfs_build(&c->spec, &reply, &upper, &err);
    container_must_fail_right(c, rc, &err);
    environ_inside = c->spec.environ;
    if (rc == 0)
        c->inside();
    _exit(0);
}

static inline void container_task(void *arg)
{
    struct container *c = arg;
    int born[2], mapped[2], status;
    char byte = 0;

    child_own_mounts();
    if (c->on_host)
        c->on_host();
    int dir = open(tree_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(pipe(born) == 0 && pipe(mapped) == 0);
    must(caps_keep() == 0);
    child_become_user();
    c->spec.mount = kmount_directory(dir, false);
    must(c->spec.mount >= 0);
    pid_t pid = fork();
    if (pid == 0)
        container_builder(c, born[1], mapped[0]);
    must(read(born[0], &byte, 1) == 1);
    must(userns_map(pid, USERNS_ALL, USERNS_ALL) == 0);
    must(write(mapped[1], &byte, 1) == 1);
    must(waitpid(pid, &status, 0) == pid && status == 0);
}

static inline void container_check(struct container c)
{
    if (!c.spec.image_name)
        c.spec.image_name = "/images/test";
    c.spec.wish = &c.wish;
    c.spec.image_path = c.spec.image_name;
    c.spec.tag = "vitrine:test";
    c.spec.writable = -1;
    c.wish.identity = (struct vitrine_identity){.uid = CHILD_UID,
                                                .gid = CHILD_GID,
                                                .user = "ada",
                                                .home = c.wish.identity.home,
                                                .groups = groups,
                                                .ngroups = 1};
    if (!c.wish.binds)
        c.wish.binds = no_paths;
    c.spec.shown.uid = CHILD_UID;
    c.spec.shown.home = c.wish.identity.home;
    c.spec.shown.show_home = !c.hides_home;
    c.spec.shown.cwd = c.wish.cwd;
    c.spec.shown.files = c.wish.host_files;
    c.spec.shown.binds = c.wish.binds;
    child_must(container_task, &c);
}

#endif
