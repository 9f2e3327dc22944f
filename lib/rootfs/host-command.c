/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts a command of the host inside of a container, with the host's loader and
 * libraries: a link of the command's name points here (rootfs/hosttools.h). Statically
 * linked, since nothing can be said of the image's C library. Runs as the user, without
 * privilege but a fake root's, which it leaves behind.
 */
#include "rootfs/hosttools.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static int fail(const char *what, const char *why)
{
    char line[PATH_MAX + 256];
    int n = snprintf(line, sizeof(line), "vitrine: cannot run the host's %s: %s\n", what,
                     why);

    if (n > 0)
        (void)!write(STDERR_FILENO, line, strlen(line));
    return 127;
}

/* Cuts the text behind the line that it begins with; NULL if that is not complete. */
static char *next_line(char *text)
{
    char *end = text ? strchr(text, '\n') : NULL;

    if (end)
        *end++ = '\0';
    return end;
}

/* Three lines: the loader, its library path, and where most commands are. */
static int read_settings(char *buf, size_t size, char **ret_libraries, char **ret_bin)
{
    int fd = open(HOSTTOOLS_SETTINGS, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

    if (n <= 0)
        return -1;
    buf[n] = '\0';
    *ret_libraries = next_line(buf);
    *ret_bin = next_line(*ret_libraries);
    return next_line(*ret_bin) ? 0 : -1;
}

/* Where the command lies below HOSTTOOLS_HOST, by the path that was executed: argv[0] is
 * whatever the caller liked. The path is the image's, where /bin may be /usr/bin. */
static int find_command(const char *bin, char *buf, size_t size)
{
    char dir[PATH_MAX] = "";
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): an address is what the kernel gives */
    const char *name = (const char *)getauxval(AT_EXECFN);

    if (!name || (name[0] != '/' && !getcwd(dir, sizeof(dir))))
        return -1;
    int n = snprintf(buf, size, "%s%s%s%s", HOSTTOOLS_HOST, dir,
                     name[0] == '/' ? "" : "/", name);
    if (n > 0 && (size_t)n < size && access(buf, F_OK) < 0)
        n = snprintf(buf, size, "%s/%s", bin, basename(name));
    return n < 0 || (size_t)n >= size ? -1 : 0;
}

/* What 0 is outside of this user namespace; 0 if it is no fake root's. */
static unsigned id_outside(const char *map)
{
    char text[64] = "";
    unsigned inside, outside;
    int fd = open(map, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!read(fd, text, sizeof(text) - 1);
        (void)close(fd);
    }
    /* NOLINTNEXTLINE(cert-err34-c): written by the kernel */
    return sscanf(text, "%u %u", &inside, &outside) == 2 && inside == 0 ? outside : 0;
}

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!write(fd, text, strlen(text));
        (void)close(fd);
    }
}

/*
 * Slurm believes what munge says of a command's user, which is the one outside, and
 * refuses one that takes itself for root. So a fake root's command runs in a namespace
 * below his, where the user is who he is. Where that cannot be, the command will tell.
 */
static void be_oneself(void)
{
    char text[32];
    unsigned uid = getuid() == 0 ? id_outside("/proc/self/uid_map") : 0;
    unsigned gid = id_outside("/proc/self/gid_map");

    if (uid == 0 || unshare(CLONE_NEWUSER) < 0)
        return;
    (void)snprintf(text, sizeof(text), "%u 0 1\n", uid);
    write_text("/proc/self/uid_map", text);
    (void)snprintf(text, sizeof(text), "%u 0 1\n", gid);
    write_text("/proc/self/setgroups", "deny");
    write_text("/proc/self/gid_map", text);
}

int main(int argc, char **argv)
{
    static char settings[65536], path[PATH_MAX];
    char *libraries, *bin;
    char **args = calloc((size_t)argc + 8, sizeof(*args));

    if (read_settings(settings, sizeof(settings), &libraries, &bin) < 0)
        return fail("command", "cannot read " HOSTTOOLS_SETTINGS);
    if (!args || find_command(bin, path, sizeof(path)) < 0)
        return fail("command", strerror(ENAMETOOLONG));
    int n = 0;
    args[n++] = settings;
    args[n++] = (char *)"--inhibit-cache";
    args[n++] = (char *)"--library-path";
    args[n++] = libraries;
    args[n++] = (char *)"--argv0";
    args[n++] = argc > 0 ? argv[0] : path;
    args[n++] = path;
    for (int i = 1; i < argc; i++)
        args[n++] = argv[i];
    be_oneself();
    (void)execv(settings, args);
    return fail(path, strerror(errno));
}
