/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an image's entry point is given as its command (container/entrypoint.h): tells the
 * environment that it was started with, on the descriptor that its argument names.
 * Statically linked, since nothing can be said of the image's C library.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int tell(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, text, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        text += n;
        size -= (size_t)n;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int fd = argc == 2 ? (int)strtol(argv[1], NULL, 10) : -1;

    for (char **var = environ; fd >= 0 && *var; var++)
        if (**var && tell(fd, *var, strlen(*var) + 1) < 0)
            return 1;
    return fd >= 0 && tell(fd, "", 1) == 0 ? 0 : 1;
}
