/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_BASE_CLEANUP_H
#define VITRINE_BASE_CLEANUP_H

/* Resources that end with their scope. Each helper keeps errno and accepts "nothing". */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_freep(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_fdp(const int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        (void)close(*fd);
    errno = saved;
}

static inline void cleanup_filep(FILE *const *file)
{
    int saved = errno;

    if (*file)
        (void)fclose(*file);
    errno = saved;
}

static inline void cleanup_dirp(DIR *const *dir)
{
    int saved = errno;

    if (*dir)
        (void)closedir(*dir);
    errno = saved;
}

#define cleanup_free __attribute__((cleanup(cleanup_freep)))
#define cleanup_fd   __attribute__((cleanup(cleanup_fdp)))
#define cleanup_file __attribute__((cleanup(cleanup_filep)))
#define cleanup_dir  __attribute__((cleanup(cleanup_dirp)))

/* Takes the descriptor out of *fd, which then holds nothing. */
static inline int steal_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* Takes the pointer out of *p, which then holds nothing. */
#define steal_ptr(p)                                                                     \
    __extension__({                                                                      \
        __typeof__(*(p)) taken_ = *(p);                                                  \
        *(p) = NULL;                                                                     \
        taken_;                                                                          \
    })

#endif
