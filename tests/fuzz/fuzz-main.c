/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a fuzzer's function once on each file of the directories given, so that what was
 * found once is tested with every build and compiler. A crash is seen by its signal; the
 * last name on stderr says which file it was.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory of exactly its size: sanitizers and valgrind then see a step too far. */
static int replay(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    struct stat st;
    uint8_t *data;

    if (fd < 0 || fstat(fd, &st) < 0) {
        perror(name);
        return -1;
    }
    data = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
    if (!data || read(fd, data, (size_t)st.st_size) != st.st_size) {
        perror(name);
        return -1;
    }
    (void)close(fd);
    (void)fprintf(stderr, "%s\n", name);
    (void)LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
    free(data);
    return 0;
}

static int replay_all(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int count = 0;

    if (!dir) {
        perror(path);
        return -1;
    }
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        if (replay(dirfd(dir), entry->d_name) < 0)
            return -1;
        count++;
    }
    (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;

    for (int i = 1; i < argc; i++) {
        int n = replay_all(argv[i]);

        if (n < 0)
            return EXIT_FAILURE;
        count += n;
    }
    (void)printf("%d files\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
