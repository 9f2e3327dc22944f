/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user, who reads nothing that his task would not read a moment later. */
#include "image/warmup.h"
#include "base/cleanup.h"
#include "base/path.h"

#include <fcntl.h>
#include <sys/stat.h>

/* A C library is 2 MiB; a hostile one must not keep us. */
#define WARM_UP_MAX (4L * 1024 * 1024)

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

void image_warm_up(int root)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        struct stat st;
        cleanup_fd int fd = path_open_in_root(root, files[i], O_RDONLY | O_NONBLOCK);

        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
            (void)readahead(
                fd, 0, (size_t)(st.st_size < WARM_UP_MAX ? st.st_size : WARM_UP_MAX));
    }
}
