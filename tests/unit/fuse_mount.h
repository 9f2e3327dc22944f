/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_FUSE_MOUNT_H
#define VITRINE_TESTS_FUSE_MOUNT_H

/* Mounts images of mksquashfs as the container code does, with the server as a user. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/syscalls.h"
#include "child.h"
#include "image/fuse-protocol.h"
#include "images.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>

/* Each test has a file system of its own at TOP. */
#define TOP   "/mnt"
#define SRC   TOP "/src"
#define AT    TOP "/at"
#define IMAGE TOP "/x.sqfs"

static pid_t server = -1;
static int server_log = -1; /* where its stderr can be read */

static inline int run(const char *program, ...)
{
    const char *argv[16] = {program};
    int n = 1, status = -1;
    va_list ap;

    va_start(ap, program);
    while (n < 15 && (argv[n] = va_arg(ap, const char *)))
        n++;
    va_end(ap);
    argv[15] = NULL;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        (void)dup2(null, STDOUT_FILENO);
        (void)execvp(program, (char *const *)argv);
        _exit(127);
    }
    (void)waitpid(pid, &status, 0);
    return status;
}

static inline const char *cannot(void)
{
    const char *why = child_cannot_mount();

    if (!why && access("/dev/fuse", R_OK | W_OK) != 0)
        why = "needs /dev/fuse";
    if (!why && WEXITSTATUS(run("mksquashfs", "-version", NULL)) == 127)
        why = "needs mksquashfs";
    if (!why && !getenv("VITRINE_TEST_FUSE_SERVER"))
        why = "needs VITRINE_TEST_FUSE_SERVER, which `meson test` sets";
    return why;
}

static inline void write_file(const char *path, const void *data, size_t size)
{
    cleanup_fd int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);

    ck_assert_msg(fd >= 0, "%s", path);
    ck_assert_int_eq(fd_write_full(fd, data, size), 0);
}

/* Text that compresses and is different everywhere. */
static inline char *make_content(size_t size)
{
    char *data = malloc(size + 16);

    ck_assert_ptr_nonnull(data);
    for (size_t at = 0; at < size; at += 8)
        (void)snprintf(data + at, 16, "%07x ", (unsigned)(at * 2654435761U) >> 4);
    return data;
}

static inline void make_top(void)
{
    child_own_mounts();
    ck_assert_int_eq(mount("none", TOP, "tmpfs", 0, "mode=755"), 0);
    ck_assert_int_eq(mkdir(AT, 0755), 0);
}

#define make_image(...)                                                                  \
    ck_assert_int_eq(run("mksquashfs", SRC, IMAGE, "-noappend", "-no-progress",          \
                         "-quiet", __VA_ARGS__, NULL),                                   \
                     0)

static inline int mount_fuse(int dev)
{
    char fd_text[16], id_text[16];
    const char *const options[][2] = {
        {"fd", fd_text},       {"rootmode", "40000"}, {"user_id", id_text},
        {"group_id", id_text}, {"allow_other", NULL}, {"default_permissions", NULL},
        {"ro", NULL},
    };
    cleanup_fd int fs = sys_fsopen("fuse");

    ck_assert_int_ge(fs, 0);
    (void)snprintf(fd_text, sizeof(fd_text), "%d", dev);
    (void)snprintf(id_text, sizeof(id_text), "%d", CHILD_UID);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        ck_assert_int_eq(options[i][1]
                             ? sys_fsconfig_string(fs, options[i][0], options[i][1])
                             : sys_fsconfig_flag(fs, options[i][0]),
                         0);
    ck_assert_int_eq(sys_fsconfig_create(fs), 0);
    return sys_fsmount(fs, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

static inline void server_main(int image, int dev, int log, const char *offset,
                               const char *owners)
{
    const char *program = getenv("VITRINE_TEST_FUSE_SERVER");
    int fds[] = {log, image, dev, log};

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        must((fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64)) >= 0);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        must(dup2(fds[i], STDERR_FILENO + (int)i) >= 0);
    must(setsid() >= 0);
    child_become_user();
    (void)execl(program, "vitrine-fuse", offset, owners, NULL);
    must(false);
}

/* Mounts IMAGE at AT, with its files' owners as fuse-protocol.h says, or NULL. */
static inline void serve_as(const char *offset, const char *owners)
{
    cleanup_fd int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    cleanup_fd int image = open(IMAGE, O_RDONLY | O_CLOEXEC);
    cleanup_fd int at = open(AT, O_PATH | O_CLOEXEC);
    int log[2];

    ck_assert_int_eq(pipe2(log, O_CLOEXEC), 0);
    cleanup_fd int fs = mount_fuse(dev);
    ck_assert_int_ge(fs, 0);
    ck_assert_int_eq(sys_move_mount(fs, at), 0);
    server = fork();
    ck_assert_int_ge(server, 0);
    if (server == 0)
        server_main(image, dev, log[1], offset, owners);
    (void)close(log[1]);
    server_log = log[0];
}

static inline void serve(const char *offset)
{
    serve_as(offset, NULL);
}

/* The server's end, for which it has a second: its wait status, or -1. */
static inline int server_end(void)
{
    int status;

    for (int i = 0; i < 1000; i++) {
        if (waitpid(server, &status, WNOHANG) == server)
            return status;
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    (void)kill(server, SIGKILL);
    return -1;
}

static inline void unserve(void)
{
    ck_assert_int_eq(umount2(AT, MNT_DETACH), 0);
    ck_assert_int_eq(server_end(), 0);
    (void)close(server_log);
}

#endif
