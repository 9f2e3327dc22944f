/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as root, in slurmstepd and in the job's epilog. What users have put into their
 * directories is removed by a child that has become the user, in a namespace where all
 * his ids are his: nothing else can be removed by it, whatever traps there are.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/remove.h"
#include "config/config.h"
#include "config/secure.h"
#include "container/config-api.h"
#include "container/fakeroot.h"
#include "container/named.h"
#include "privileged/caps.h"
#include "privileged/room.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define PASSWD_BUFFER 32768

/* For the containers of one job, in an epilog, which keeps the node from the next. */
#define REMOVAL_MS 300000

int vitrine_name_check(const char *name, struct vitrine_error *err)
{
    return named_check(name, err);
}

int vitrine_make_room(const struct vitrine_config *config, uid_t uid, gid_t gid,
                      const char *job, struct vitrine_error *err)
{
    const struct config *conf = config_of(config);

    if (mkdir(conf->container_dir, 0711) < 0 && errno != EEXIST)
        return vitrine_fail_sys(err, VITRINE_ECONFIG,
                                "cannot keep containers in %s (ContainerDir)",
                                conf->container_dir);
    if (secure_check_directory(conf->container_dir, err) < 0)
        return vitrine_wrap(err, "cannot keep containers in %s (ContainerDir)",
                            conf->container_dir);
    cleanup_fd int dir = room_make(conf->container_dir, uid, gid,
                                   conf->scope == CONFIG_SCOPE_JOB ? job : NULL);

    if (dir == -EPERM)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "cannot keep containers in %s (ContainerDir): it, and what "
                            "Vitrine makes in it, must belong to root and be writable by "
                            "nobody else",
                            conf->container_dir);
    if (dir < 0)
        return error_from(err, VITRINE_ECONFIG, dir,
                          "cannot keep containers in %s (ContainerDir)",
                          conf->container_dir);
    return 0;
}

/* --- removal --- */

/* What a directory is called whose job has ended. */
#define ENDED "ended."

/* For what others have left, so that nobody's epilog waits long for their users. */
#define LEFTOVERS_MS 5000

static int64_t now_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int become_owner(const struct stat *st, struct vitrine_error *err)
{
    char buf[PASSWD_BUFFER];
    struct passwd entry, *found = NULL;
    struct fakeroot fakeroot;

    (void)getpwuid_r(st->st_uid, &entry, buf, sizeof(buf), &found);
    const struct vitrine_identity who = {
        .uid = st->st_uid, .gid = st->st_gid, .user = found ? found->pw_name : NULL};
    if (caps_keep() < 0 || setgroups(0, NULL) < 0 ||
        setresgid(st->st_gid, st->st_gid, st->st_gid) < 0 ||
        setresuid(st->st_uid, st->st_uid, st->st_uid) < 0 || caps_lower() < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot become uid %u",
                                (unsigned)st->st_uid);
    if (fakeroot_open(&who, true, &fakeroot, err) < 0)
        return -1;
    if (caps_raise() < 0 || setns(fakeroot.user_ns, CLONE_NEWUSER) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot enter a namespace");
    return 0;
}

/* In a child: exits with 0 if the directory is empty. */
static void remove_as_owner(int dir, const struct stat *st)
{
    _exit(become_owner(st, NULL) == 0 && remove_content(dir) == 0 ? 0 : 1);
}

/* The child is the user's own process, which he can stop, and he can fill the directory
 * as fast as it is emptied: the epilog must not wait for him for ever. */
static void await_removal(pid_t pid, int ended, int64_t until)
{
    struct pollfd end = {.fd = ended, .events = POLLIN};
    int64_t left = until - now_ms();

    if (poll(&end, 1, left > 0 ? (int)left : 0) == 0)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static neg_errno remove_users(int dir, const struct stat *st, int64_t until)
{
    int ended[2]; /* the child alone holds the write end */

    if (pipe2(ended, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    int rc = pid < 0 ? -errno : 0;
    if (pid == 0)
        remove_as_owner(dir, st);
    (void)close(ended[1]);
    if (pid > 0)
        await_removal(pid, ended[0], until);
    (void)close(ended[0]);
    return rc;
}

static neg_errno remove_job(int parent, const char *name, int64_t until)
{
    struct stat st;
    cleanup_fd int dir =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (dir < 0 || fstat(dir, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    int rc = st.st_uid == 0 ? remove_content(dir) : remove_users(dir, &st, until);
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0)
        return rc < 0 ? rc : -errno;
    return 0;
}

/* What is left of it, later epilogs try again: its user may have killed the child. */
static neg_errno end_job(int boot, const char *job)
{
    char ended[sizeof(ENDED) + ROOM_BOOT_MAX];

    (void)snprintf(ended, sizeof(ended), ENDED "%s", job);
    if (renameat(boot, job, boot, ended) < 0)
        return errno == ENOENT ? 0 : -errno;
    return remove_job(boot, ended, now_ms() + REMOVAL_MS);
}

/* Those of a boot whose names begin so, as long as there is time. */
static neg_errno remove_jobs(int boot, const char *prefix, int64_t until)
{
    int rc = 0;
    cleanup_fd int copy = openat(boot, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *stream = copy < 0 ? NULL : fdopendir(copy);

    if (!stream)
        return -errno;
    (void)steal_fd(&copy);
    for (struct dirent *entry; (entry = readdir(stream)) && now_ms() < until;) {
        if (!room_is_name(entry->d_name) ||
            strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        int one = remove_job(boot, entry->d_name, until);
        rc = rc < 0 ? rc : one;
    }
    return rc;
}

static neg_errno remove_all(const char *base, const char *job)
{
    char now[ROOM_BOOT_MAX];
    int rc = room_boot(now);
    cleanup_fd int top = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd int jobs =
        top < 0 ? -1
                : openat(top, "job", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_dir DIR *stream = jobs < 0 ? NULL : fdopendir(jobs);

    if (rc < 0 || !stream)
        return rc < 0 || errno == ENOENT ? rc : -errno;
    (void)steal_fd(&jobs);
    for (struct dirent *entry; (entry = readdir(stream));) {
        bool is_now = strcmp(entry->d_name, now) == 0;

        if (!room_is_name(entry->d_name))
            continue;
        cleanup_fd int boot = openat(dirfd(stream), entry->d_name,
                                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int one = boot < 0 ? -errno : is_now && job ? end_job(boot, job) : 0;
        int others =
            boot < 0 ? 0
                     : remove_jobs(boot, is_now ? ENDED : "", now_ms() + LEFTOVERS_MS);
        if (!is_now)
            (void)unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR);
        rc = rc < 0 ? rc : one < 0 ? one : others;
    }
    return rc;
}

int vitrine_remove_room(const struct vitrine_config *config, const char *job,
                        struct vitrine_error *err)
{
    const char *base = config_of(config)->container_dir;

    if (job && !room_is_name(job))
        return vitrine_fail(err, VITRINE_EUSAGE, "%s is no job", job);
    int rc = remove_all(base, job);
    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc,
                               "cannot remove all containers of ended jobs in %s", base)
                  : 0;
}
