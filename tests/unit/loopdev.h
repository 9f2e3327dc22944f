/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_LOOPDEV_H
#define VITRINE_TESTS_LOOPDEV_H

/* Loop devices over files below one directory; those of other tests do not count. */
#include "child.h"

#include <dirent.h>
#include <limits.h>

static inline size_t loopdev_count(const char *dir)
{
    size_t count = 0;
    DIR *blocks = opendir("/sys/devices/virtual/block");

    ck_assert_ptr_nonnull(blocks);
    for (struct dirent *entry; (entry = readdir(blocks));) {
        char path[PATH_MAX], file[PATH_MAX] = "";

        if (strncmp(entry->d_name, "loop", 4) != 0)
            continue;
        (void)snprintf(path, sizeof(path),
                       "/sys/devices/virtual/block/%s/loop/backing_file", entry->d_name);
        FILE *backing = fopen(path, "re");
        if (backing && fgets(file, sizeof(file), backing) &&
            strncmp(file, dir, strlen(dir)) == 0)
            count++;
        if (backing)
            (void)fclose(backing);
    }
    (void)closedir(blocks);
    return count;
}

/* The kernel clears a device a moment after its last user has gone. */
static inline bool loopdev_wait(const char *dir, size_t count)
{
    for (int tries = 0; tries < 500; tries++) {
        if (loopdev_count(dir) == count)
            return true;
        (void)usleep(10000);
    }
    return false;
}

static inline const char *loopdev_missing(void)
{
    const char *why = child_cannot_mount();

    if (!why && access("/dev/loop-control", R_OK | W_OK) < 0)
        why = "needs loop devices";
    return why;
}

#endif
