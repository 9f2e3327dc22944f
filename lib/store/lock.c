/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as whom the cache belongs to. */
#include "store/lock.h"
#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

/* Of /proc/PID/stat: when it was started; proc(5). */
#define START_FIELD 22

/* Others may come first, each time. */
#define TRIES 10

struct lock {
    int dir; /* borrowed from the store */
    int fd;
    char name[NAME_MAX + 1];
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t ends;
    bool ended;
};

/* Text of the file: "BOOT PIDS PID START RANDOM HOST\n". */
struct owner {
    char boot[40]; /* random_id of this boot */
    uint64_t pids; /* inode of the namespace that process ids are of */
    int pid;
    uint64_t start;  /* in ticks since the boot; 0: not known */
    char random[20]; /* 16 hexadecimal digits, another one for each lock */
    char host[256];
};

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static neg_errno read_small(int dir, const char *path, char *ret, size_t size)
{
    cleanup_free char *text = NULL;
    cleanup_fd int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    size_t n = 0;
    int rc = fd < 0 ? -errno : fd_read_all(fd, size - 1, &text, &n);

    if (rc == 0 && text)
        memcpy(ret, text, n + 1);
    return rc;
}

/* The next of the numbers in a text; false: there is none. */
static bool take_number(const char **at, uint64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoull(*at, &end, 10);
    if (end == *at || errno)
        return false;
    *at = end;
    return true;
}

/* When a process was started, and whether it has ended and only waits for its parent. */
static neg_errno read_start(int pid, uint64_t *ret, bool *ret_ended)
{
    char path[40], text[1024];
    uint64_t number = 0;
    int rc;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    rc = read_small(AT_FDCWD, path, text, sizeof(text));
    if (rc < 0)
        return rc;
    /* A program's name may hold anything, also ")". Behind it: " STATE", field 3. */
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ' || !at[2])
        return -EPROTO;
    *ret_ended = at[2] == 'Z' || at[2] == 'X';
    at += 3;
    for (int field = 4; field <= START_FIELD; field++)
        if (!take_number(&at, &number))
            return -EPROTO;
    *ret = number;
    return 0;
}

static void make_printable(char *host)
{
    for (char *p = host; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
            *p = '?';
}

static void know_self(struct owner *ret)
{
    struct stat st;
    bool ended;

    memset(ret, 0, sizeof(*ret));
    if (read_small(AT_FDCWD, "/proc/sys/kernel/random/boot_id", ret->boot,
                   sizeof(ret->boot)) < 0)
        (void)snprintf(ret->boot, sizeof(ret->boot), "-");
    ret->boot[strcspn(ret->boot, " \n")] = '\0';
    if (stat("/proc/self/ns/pid", &st) == 0)
        ret->pids = st.st_ino;
    ret->pid = getpid();
    if (read_start(ret->pid, &ret->start, &ended) < 0)
        ret->start = 0;
    if (gethostname(ret->host, sizeof(ret->host) - 1) < 0 || !ret->host[0])
        (void)snprintf(ret->host, sizeof(ret->host), "another host");
    make_printable(ret->host);
}

static bool parse_owner(const char *text, struct owner *ret)
{
    size_t boot = strcspn(text, " "), n = strlen(text);
    const char *at = text + boot;
    uint64_t pid;

    memset(ret, 0, sizeof(*ret));
    if (n == 0 || text[n - 1] != '\n' || boot >= sizeof(ret->boot) ||
        !take_number(&at, &ret->pids) || !take_number(&at, &pid) ||
        !take_number(&at, &ret->start) || pid == 0 || pid > INT_MAX || *at != ' ')
        return false;
    ret->pid = (int)pid;
    (void)snprintf(ret->boot, sizeof(ret->boot), "%.*s", (int)boot, text);
    size_t digits = strspn(++at, "0123456789abcdef");
    if (digits != 16 || at[digits] != ' ' || at + digits + 2 >= text + n)
        return false;
    (void)snprintf(ret->random, sizeof(ret->random), "%.16s", at);
    at += digits;
    (void)snprintf(ret->host, sizeof(ret->host), "%.*s", (int)strcspn(at + 1, "\n"),
                   at + 1);
    make_printable(ret->host);
    return true;
}

/* A process of this host that is no more. What cannot be seen of one lives. */
static bool has_died(const struct owner *owner)
{
    struct owner self;
    uint64_t start;
    bool ended;

    know_self(&self);
    if (strcmp(owner->boot, self.boot) != 0 || owner->pids != self.pids ||
        self.boot[0] == '-')
        return false;
    if (kill(owner->pid, 0) < 0 && errno == ESRCH)
        return true;
    if (read_start(owner->pid, &start, &ended) < 0)
        return false;
    return ended || (owner->start && start != owner->start);
}

static void *beat(void *arg)
{
    struct lock *lock = arg;
    int64_t next = now_ns();

    (void)pthread_mutex_lock(&lock->mutex);
    while (!lock->ended) {
        next += LOCK_BEAT_S * NS_PER_S;
        const struct timespec until = {.tv_sec = next / NS_PER_S,
                                       .tv_nsec = next % NS_PER_S};

        while (!lock->ended && pthread_cond_clockwait(&lock->ends, &lock->mutex,
                                                      CLOCK_MONOTONIC, &until) == 0)
            ;
        if (lock->ended)
            break;
        /* The server's time, which is why it can also be too late without harm. */
        (void)pthread_mutex_unlock(&lock->mutex);
        (void)futimens(lock->fd, NULL);
        (void)pthread_mutex_lock(&lock->mutex);
        /* Whoever was stopped does not make up for it. */
        if (now_ns() > next + LOCK_BEAT_S * NS_PER_S)
            next = now_ns();
    }
    (void)pthread_mutex_unlock(&lock->mutex);
    return NULL;
}

/* Signals are for the program's own threads. */
static neg_errno start_beating(struct lock *lock)
{
    sigset_t all, old;
    int rc;

    (void)pthread_mutex_init(&lock->mutex, NULL);
    (void)pthread_cond_init(&lock->ends, NULL);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = -pthread_create(&lock->thread, NULL, beat, lock);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

static uint64_t random_number(void)
{
    uint64_t n;

    if (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
        n = (uint64_t)now_ns() ^ (uint64_t)getpid() << 32;
    return n;
}

static neg_errno write_owner(int fd)
{
    char text[LOCK_OWNER_MAX + 64];
    struct owner self;

    know_self(&self);
    int n = snprintf(text, sizeof(text),
                     "%s %" PRIu64 " %d %" PRIu64 " %016" PRIx64 " %.150s\n", self.boot,
                     self.pids, self.pid, self.start, random_number(), self.host);
    return fd_write_full(fd, text, (size_t)n);
}

/*
 * Without a name until it says whose it is, if the file system can do that. Otherwise
 * there is a moment in which it says nothing, and whoever dies in it is missed only when
 * the time is over. *ret -1: there is one.
 */
static neg_errno make_file(int dir, const char *name, int *ret)
{
    cleanup_fd int fd = openat(dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
    bool is_nameless = fd >= 0;
    char self[40];
    int rc;

    if (!is_nameless)
        fd =
            openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return *ret = -1, 0;
    if (fd < 0)
        return -errno;
    rc = write_owner(fd);
    if (rc < 0 && !is_nameless)
        (void)unlinkat(dir, name, 0);
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (rc == 0 && is_nameless &&
        linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW) < 0)
        rc = -errno;
    if (rc == -EEXIST)
        return *ret = -1, 0;
    if (rc == 0)
        *ret = steal_fd(&fd);
    return rc;
}

/*
 * Takes away a lock whose text is watch->owner: 1 if it did. Only one may do so with just
 * this lock, which a file made with O_EXCL sees to, called by what is random in the text:
 * or else another one's new lock could be taken for the old one. Who died between the two
 * is waited for as long as for a silent owner.
 */
static neg_errno take_away(int dir, const char *name, const struct lock_watch *watch)
{
    char claim[sizeof(((struct owner *)NULL)->random) + 16], text[LOCK_OWNER_MAX] = "";
    struct owner owner;

    /* One of no owner, who died in making it, has no number of its own. */
    if (!parse_owner(watch->owner, &owner))
        (void)snprintf(owner.random, sizeof(owner.random), "unknown");
    (void)snprintf(claim, sizeof(claim), ".%s.stale", owner.random);
    cleanup_fd int fd =
        openat(dir, claim, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) {
        if (now_ns() - watch->changed_ns >= LOCK_STALE_S * NS_PER_S * 2)
            (void)unlinkat(dir, claim, 0);
        return 0;
    }
    if (fd < 0)
        return -errno;
    int rc = read_small(dir, name, text, sizeof(text));
    bool is_same = rc == 0 && strcmp(text, watch->owner) == 0;
    if (is_same && unlinkat(dir, name, 0) < 0)
        is_same = false;
    (void)unlinkat(dir, claim, 0);
    return is_same;
}

/* Looks at who has it: whether he has died, or has been silent for too long. */
static neg_errno look(int dir, const char *name, struct lock_watch *watch,
                      bool *ret_stale)
{
    char text[LOCK_OWNER_MAX] = "";
    struct owner owner;
    struct stat st = {0};
    int rc = read_small(dir, name, text, sizeof(text));

    *ret_stale = false;
    if (rc == 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        rc = -errno;
    if (rc < 0)
        return rc == -ENOENT || rc == -ESTALE ? 0 : rc;
    int64_t mtime = st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec, now = now_ns();
    bool is_known = parse_owner(text, &owner);
    if (watch->changed_ns == 0 || watch->mtime_ns != mtime ||
        strcmp(watch->owner, text) != 0)
        watch->changed_ns = now;
    watch->mtime_ns = mtime;
    (void)snprintf(watch->owner, sizeof(watch->owner), "%s", text);
    (void)snprintf(watch->host, sizeof(watch->host), "%s",
                   is_known ? owner.host : "another process");
    *ret_stale = (is_known && has_died(&owner)) ||
                 now - watch->changed_ns >= LOCK_STALE_S * NS_PER_S;
    return 0;
}

static int check_name(const char *name, struct vitrine_error *err)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "0123456789-._+");

    if (n == 0 || name[n] || n >= NAME_MAX || name[0] == '.')
        return vitrine_fail(err, VITRINE_EINTERNAL, "\"%.200s\" cannot be locked", name);
    return 0;
}

static neg_errno try_to_own(int dir, const char *name, struct lock_watch *watch,
                            int *ret_fd, bool *ret_taken_over)
{
    int rc;

    for (int i = 0; i < TRIES; i++) {
        bool is_stale;

        rc = make_file(dir, name, ret_fd);
        if (rc < 0 || *ret_fd >= 0)
            return rc;
        rc = look(dir, name, watch, &is_stale);
        if (rc < 0 || !is_stale)
            return rc;
        rc = take_away(dir, name, watch);
        if (rc <= 0)
            return rc;
        *ret_taken_over = true;
        watch->changed_ns = 0;
    }
    return 0;
}

int lock_try(const struct store *store, const char *name, struct lock_watch *watch,
             struct lock **ret, bool *ret_taken_over, struct vitrine_error *err)
{
    cleanup_free struct lock *lock = calloc(1, sizeof(*lock));
    cleanup_fd int fd = -1;
    int rc = lock ? 0 : -ENOMEM;

    *ret = NULL;
    *ret_taken_over = false;
    if (check_name(name, err) < 0)
        return -1;
    if (rc == 0)
        rc = try_to_own(store->locks, name, watch, &fd, ret_taken_over);
    if (rc == 0 && fd < 0)
        return 0;
    if (rc == 0) {
        lock->dir = store->locks;
        lock->fd = fd;
        (void)snprintf(lock->name, sizeof(lock->name), "%s", name);
        rc = start_beating(lock);
        if (rc < 0)
            lock_abandon(lock);
    }
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot make %s/locks/%s",
                          store->path, name);
    (void)steal_fd(&fd);
    *ret = steal_ptr(&lock);
    return 0;
}

/* Only if it is still ours: nobody else's must go in its place. */
void lock_abandon(const struct lock *lock)
{
    struct stat ours, there;

    if (fstat(lock->fd, &ours) == 0 &&
        fstatat(lock->dir, lock->name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
        (void)unlinkat(lock->dir, lock->name, 0);
}

void lock_release(struct lock *lock)
{
    if (!lock)
        return;
    (void)pthread_mutex_lock(&lock->mutex);
    lock->ended = true;
    (void)pthread_cond_signal(&lock->ends);
    (void)pthread_mutex_unlock(&lock->mutex);
    (void)pthread_join(lock->thread, NULL);
    lock_abandon(lock);
    (void)close(lock->fd);
    (void)pthread_cond_destroy(&lock->ends);
    (void)pthread_mutex_destroy(&lock->mutex);
    free(lock);
}
