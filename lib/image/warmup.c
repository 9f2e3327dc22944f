/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user, who reads nothing that his task would not read a moment later. */
#include "image/warmup.h"
#include "base/cleanup.h"
#include "base/path.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>

/* A C library is 2 MiB; a hostile one must not keep us. */
#define WARM_UP_MAX (4L * 1024 * 1024)

/* The usual block of SquashFS, which is decompressed as a whole. */
#define WARM_UP_STEP (128L * 1024)

static const char *const files[] = {
#if defined(__x86_64__)
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/x86_64-linux-gnu/libc.so.6",
#elif defined(__aarch64__)
    "/lib/ld-linux-aarch64.so.1",
    "/lib/aarch64-linux-gnu/libc.so.6",
#endif
    "/lib64/libc.so.6",
};

/* Reads one file in steps; false when it is time to end. */
static bool warm_file(int fd, off_t size, int until)
{
    for (off_t at = 0; at < size && at < WARM_UP_MAX; at += WARM_UP_STEP) {
        struct pollfd end = {.fd = until, .events = POLLIN};

        if (poll(&end, 1, 0) != 0 || readahead(fd, at, WARM_UP_STEP) < 0)
            return false;
    }
    return true;
}

void image_warm_up(int root, int until)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        struct stat st;
        cleanup_fd int fd = path_open_in_root(root, files[i], O_RDONLY | O_NONBLOCK);

        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
            !warm_file(fd, st.st_size, until))
            return;
    }
}
