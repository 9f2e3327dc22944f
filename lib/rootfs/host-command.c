/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts a command of the host inside of a container, with the host's loader and
 * libraries: a link of the command's name points here (rootfs/hosttools.h). Statically
 * linked, since nothing can be said of the image's C library. Runs as the user, without
 * privilege.
 */
#include "rootfs/hosttools.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

/* Two lines: the loader, and its library path. */
static int read_settings(char *buf, size_t size, char **ret_libraries)
{
    int fd = open(HOSTTOOLS_SETTINGS, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

    if (n <= 0)
        return -1;
    buf[n] = '\0';
    char *line = strchr(buf, '\n');
    if (!line)
        return -1;
    *line = '\0';
    *ret_libraries = line + 1;
    (*ret_libraries)[strcspn(*ret_libraries, "\n")] = '\0';
    return 0;
}

/* Where the command lies below HOSTTOOLS_HOST, by the path that was executed: argv[0] is
 * whatever the caller liked. */
static int find_command(char *buf, size_t size)
{
    char dir[PATH_MAX] = "";
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): an address is what the kernel gives */
    const char *name = (const char *)getauxval(AT_EXECFN);

    if (!name || (name[0] != '/' && !getcwd(dir, sizeof(dir))))
        return -1;
    int n = snprintf(buf, size, "%s%s%s%s", HOSTTOOLS_HOST, dir,
                     name[0] == '/' ? "" : "/", name);
    return n < 0 || (size_t)n >= size ? -1 : 0;
}

int main(int argc, char **argv)
{
    static char settings[65536], path[PATH_MAX];
    char *libraries;
    char **args = calloc((size_t)argc + 8, sizeof(*args));

    if (!args || find_command(path, sizeof(path)) < 0)
        return fail("command", strerror(ENAMETOOLONG));
    if (read_settings(settings, sizeof(settings), &libraries) < 0)
        return fail(path, "cannot read " HOSTTOOLS_SETTINGS);
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
    (void)execv(settings, args);
    return fail(path, strerror(errno));
}
