/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_SAVE_TREE_H
#define VITRINE_TESTS_SAVE_TREE_H

/* Runs vitrine-save, and compares what it wrote with what the container shows. */
#include "fuse_mount.h"
#include "save/save-protocol.h"

#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define BASE   TOP "/base"
#define UPPER  TOP "/upper"
#define WORK   TOP "/work"
#define MERGED TOP "/merged"
#define OUT    TOP "/out"
#define SAVED  TOP "/saved"
#define NAME   "x.sqfs"

static struct save_message answer;
static int answers = -1;
static pid_t saver = -1;
static uint64_t compared, counted;

static inline const char *cannot_save(void)
{
    const char *why = child_cannot_mount();

    if (!why && WEXITSTATUS(run("mksquashfs", "-version", NULL)) == 127)
        why = "needs mksquashfs";
    if (!why && access("/dev/loop-control", R_OK | W_OK) != 0)
        why = "needs loop devices";
    if (!why && !getenv("VITRINE_TEST_SAVE"))
        why = "needs VITRINE_TEST_SAVE, which `meson test` sets";
    return why;
}

static inline void make_save_top(void)
{
    static const char *const dirs[] = {SRC, BASE, UPPER, WORK, MERGED, OUT, SAVED};

    make_top();
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
        ck_assert_int_eq(mkdir(dirs[i], 0755), 0);
}

static inline void save_main(const char *base, const char *offset, const char *upper,
                             const char *name, int control, int to_answer)
{
    int fds[] = {control, open(base, O_RDONLY | O_CLOEXEC),
                 open(upper ? upper : "/dev/null", O_RDONLY | O_CLOEXEC),
                 open(OUT, O_RDONLY | O_DIRECTORY | O_CLOEXEC), to_answer};

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        must((fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64)) >= 0);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        must(dup2(fds[i], SAVE_CONTROL_FD + (int)i) >= 0);
    (void)execl(getenv("VITRINE_TEST_SAVE"), "vitrine-save", offset, name, NULL);
    must(false);
}

/* Starts it; returns the control socket. */
static inline int save_begin(const char *base, const char *offset, const char *upper,
                             const char *name)
{
    int pair[2], ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    saver = fork();
    ck_assert_int_ge(saver, 0);
    if (saver == 0)
        save_main(base, offset, upper, name, pair[1], ends[1]);
    (void)close(pair[1]);
    (void)close(ends[1]);
    if (answers >= 0)
        (void)close(answers);
    answers = ends[0];
    return pair[0];
}

/* Whether there is an answer; it is in `answer`. */
static inline bool save_answer(void)
{
    return read(answers, &answer, sizeof(answer)) == (ssize_t)sizeof(answer);
}

static inline int save_end(void)
{
    int status = -1;

    ck_assert_int_eq(waitpid(saver, &status, 0), saver);
    return status;
}

/* All of it; whether it was saved. */
static inline bool save(const char *base, const char *offset, const char *upper,
                        const char *name)
{
    int control = save_begin(base, offset, upper, name);

    ck_assert(save_answer());
    if (answer.ok) {
        ck_assert_int_eq(fd_send(control, "g", 1, -1), 0);
        ck_assert(save_answer());
    }
    (void)close(control);
    ck_assert_int_eq(save_end(), answer.ok ? 0 : 1 << 8);
    return answer.ok == 1;
}

#define save_must(base, offset, upper)                                                   \
    ck_assert_msg(save(base, offset, upper, NAME), "%s", answer.text)

#define save_must_fail(base, offset, upper, name, words)                                 \
    do {                                                                                 \
        ck_assert(!save(base, offset, upper, name));                                     \
        ck_assert_msg(strstr(answer.text, words) != NULL, "%s", answer.text);            \
    } while (0)

static inline void mount_image(const char *image, const char *at)
{
    ck_assert_int_eq(run("mount", "-t", "squashfs", "-o", "loop,ro", image, at, NULL), 0);
}

static inline void mount_overlay(void)
{
    ck_assert_int_eq(mount("none", MERGED, "overlay", 0,
                           "userxattr,index=off,xino=off,lowerdir=" BASE
                           ",upperdir=" UPPER ",workdir=" WORK),
                     0);
}

/* --- comparing -------------------------------------------------------------------------
 */

static const char *compared_with;

static inline void same_content(const char *a, const char *b)
{
    static char x[65536], y[65536];
    cleanup_fd int a_fd = open(a, O_RDONLY | O_CLOEXEC);
    cleanup_fd int b_fd = open(b, O_RDONLY | O_CLOEXEC);
    off_t at = 0;

    ck_assert_msg(a_fd >= 0 && b_fd >= 0, "%s", a);
    while ((at = lseek(a_fd, at, SEEK_DATA)) >= 0) {
        ssize_t n = pread(a_fd, x, sizeof(x), at);

        ck_assert_msg(n >= 0, "%s", a);
        if (n == 0)
            break;
        ck_assert_msg(pread(b_fd, y, (size_t)n, at) == n, "%s", b);
        ck_assert_msg(memcmp(x, y, (size_t)n) == 0, "%s differs near %jd", a,
                      (intmax_t)at);
        at += n;
    }
}

/* Those of overlayfs itself are seen in no container. */
static inline void same_xattrs(const char *a, const char *b)
{
    char names[8192], x[8192], y[8192];
    ssize_t n = llistxattr(a, names, sizeof(names)), m = 0;

    for (char *name = names; name < names + (n > 0 ? n : 0); name += strlen(name) + 1) {
        ssize_t size = lgetxattr(a, name, x, sizeof(x));

        m += (ssize_t)strlen(name) + 1;
        ck_assert_msg(size >= 0 && lgetxattr(b, name, y, sizeof(y)) == size &&
                          memcmp(x, y, (size_t)size) == 0,
                      "%s: %s", a, name);
    }
    n = llistxattr(b, names, sizeof(names));
    ck_assert_msg((n > 0 ? n : 0) == m, "%s", b);
}

static inline int same_one(const char *path, const struct stat *a, int type,
                           struct FTW *ftw)
{
    char other[PATH_MAX], x[4096], y[4096];
    struct stat b;

    (void)snprintf(other, sizeof(other), SAVED "%s", path + strlen(compared_with));
    ck_assert_msg(lstat(other, &b) == 0, "%s: %m", other);
    ck_assert_msg(a->st_mode == b.st_mode && a->st_uid == b.st_uid &&
                      a->st_gid == b.st_gid && a->st_mtime == b.st_mtime,
                  "%s", path);
    if (S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode))
        ck_assert_msg(a->st_rdev == b.st_rdev, "%s", path);
    if (!S_ISDIR(a->st_mode))
        ck_assert_msg(a->st_size == b.st_size, "%s", path);
    same_xattrs(path, other);
    if (S_ISREG(a->st_mode))
        same_content(path, other);
    if (S_ISLNK(a->st_mode)) {
        ssize_t n = readlink(path, x, sizeof(x));

        ck_assert_msg(n > 0 && n == readlink(other, y, sizeof(y)) &&
                          memcmp(x, y, (size_t)n) == 0,
                      "%s", path);
    }
    compared++;
    return 0;
}

static inline int count_it(const char *path, const struct stat *st, int type,
                           struct FTW *ftw)
{
    counted++;
    return 0;
}

/* Everything of `dir`, and nothing more, is in the saved file, as the kernel reads it. */
static inline void check_saved(const char *dir)
{
    mount_image(OUT "/" NAME, SAVED);
    compared_with = dir;
    compared = counted = 0;
    ck_assert_int_eq(nftw(dir, same_one, 16, FTW_PHYS), 0);
    ck_assert_int_eq(nftw(SAVED, count_it, 16, FTW_PHYS), 0);
    ck_assert_uint_eq(counted, compared);
}

#endif
