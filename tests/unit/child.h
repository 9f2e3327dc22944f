/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_CHILD_H
#define VITRINE_TESTS_CHILD_H

/*
 * For tests that change what belongs to the whole process: ids, capabilities, namespaces.
 * Each does so in a child of its own, which says with must() what it claims.
 */
#include "unit.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A user and a group that no machine has. */
#define CHILD_UID 54321
#define CHILD_GID 54322

/* Ends the child, telling where, if the claim is false. */
#define must(claim)                                                                      \
    do {                                                                                 \
        if (!(claim)) {                                                                  \
            (void)dprintf(STDERR_FILENO, "# %s:%d: false: %s (%m)\n", __FILE__,          \
                          __LINE__, #claim);                                             \
            _exit(1);                                                                    \
        }                                                                                \
    } while (0)

typedef void (*child_f)(void *arg);

/* Forks, does the work there, and returns the child's wait status: 0 if all was true. */
static inline int child_run(child_f work, void *arg)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        work(arg);
        _exit(0);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* A test that is one child. */
#define child_must(work, arg) ck_assert_int_eq(child_run(work, arg), 0)

/* What slurmstepd does between task_init_privileged and task_init. */
static inline void child_become_user(void)
{
    must(setgroups(0, NULL) == 0);
    must(setresgid(CHILD_GID, CHILD_GID, CHILD_GID) == 0);
    must(setresuid(CHILD_UID, CHILD_UID, CHILD_UID) == 0);
}

/* Mounts of the child are nobody else's. */
static inline void child_own_mounts(void)
{
    must(unshare(CLONE_NEWNS) == 0);
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

/* A line of /proc/self/status, say "CapEff:", as a number in `base`. */
static inline uint64_t child_status(const char *key, int base)
{
    char line[256];
    uint64_t value = UINT64_MAX;
    FILE *file = fopen("/proc/thread-self/status", "re");

    must(file != NULL);
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtoull(line + strlen(key), NULL, base);
    (void)fclose(file);
    return value;
}

static inline uint64_t child_caps(const char *key)
{
    return child_status(key, 16);
}

#define CAP_BIT(cap) (UINT64_C(1) << (cap))

static inline void child_try_mounts(void *arg)
{
    _exit(unshare(CLONE_NEWNS) == 0 &&
                  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
              ? 0
              : 1);
}

/* Why tests that mount cannot run here, or NULL. */
static inline const char *child_cannot_mount(void)
{
    unsigned long inside, outside, count = 0;
    FILE *map = fopen("/proc/self/uid_map", "re");

    if (map && fscanf(map, "%lu %lu %lu", &inside, &outside, &count) != 3)
        count = 0;
    if (map)
        (void)fclose(map);
    if (geteuid() != 0)
        return "needs root";
    if (count != UINT32_MAX)
        return "needs root of the host, not of a user namespace";
    return child_run(child_try_mounts, NULL) == 0 ? NULL : "needs the right to mount";
}

/* UNIT_MAIN() for tests that depend on the machine: `cannot()` says why not, or NULL. */
#define CHILD_MAIN(cannot, make_suite)                                                   \
    int main(void)                                                                       \
    {                                                                                    \
        const char *why = cannot();                                                      \
        SRunner *runner;                                                                 \
        if (why && !getenv("VITRINE_MUST_WORK"))                                         \
            return printf("1..0 # SKIP %s\n", why) < 0;                                  \
        if (why)                                                                         \
            return printf("1..1\nnot ok 1 - must not be skipped: %s\n", why) < 0;        \
        runner = srunner_create(make_suite());                                           \
        srunner_set_tap(runner, "-");                                                    \
        srunner_run_all(runner, CK_SILENT);                                              \
        srunner_free(runner);                                                            \
        return EXIT_SUCCESS;                                                             \
    }

#endif
