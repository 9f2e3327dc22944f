/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/named.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/remove.h"
#include "privileged/room.h"
#include "spec/registryref.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Between two looks at a container that runs but shows no process yet: 5 ms, for 10 s. */
#define LOOK_PAUSE_NS 5000000
#define LOOKS         2000

#define RECORD_MAX 65536

#define ASIDE_MAX 100

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What overlayfs gets. */
static const char *const layers[] = {"upper", "work"};

int named_check(const char *name, struct vitrine_error *err)
{
    if (room_is_name(name))
        return 0;
    return vitrine_fail(err, VITRINE_EUSAGE,
                        "'%.80s' is no name for a container: up to 64 letters, digits, "
                        "'.', '_', '+' and '-', the first of them no '.'",
                        name);
}

/* "123.0", "123.batch": what runs in a step. */
static bool is_step(const char *name)
{
    size_t job = strspn(name, "0123456789");

    if (job == 0 || name[job] != '.')
        return false;
    const char *step = name + job + 1;
    return (step[0] && step[strspn(step, "0123456789")] == '\0') ||
           strcmp(step, "batch") == 0 || strcmp(step, "interactive") == 0;
}

/* The two bytes of the lock: the container's, and one for who looks what there is.
 * Looking takes the first one's read lock, so without the second many who look at once
 * would keep each other from the write lock. */
enum { CONTAINER, DOOR };

static neg_errno lock_byte(int fd, int byte, short type, bool wait)
{
    struct flock what = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &what) < 0)
        if (errno != EINTR || !wait)
            return -errno;
    return 0;
}

static neg_errno lock(int fd, short type, bool wait)
{
    return lock_byte(fd, CONTAINER, type, wait);
}

/* --- its directory --- */

static int room_path(const struct config *config, const struct vitrine_spec *spec,
                     char *buf, size_t size, struct vitrine_error *err)
{
    char boot[ROOM_BOOT_MAX];
    int rc = 0, n;

    if (config->scope == CONFIG_SCOPE_USER) {
        n = snprintf(buf, size, "%s/user/%u", config->container_dir,
                     (unsigned)spec->identity.uid);
    } else {
        rc = room_boot(boot);
        n = snprintf(buf, size, "%s/job/%s/%s", config->container_dir, boot,
                     spec->job ? spec->job : "");
    }
    if (rc < 0 || n >= (int)size)
        return error_from(err, VITRINE_EINTERNAL, rc < 0 ? rc : -ENAMETOOLONG,
                          "cannot tell where containers are");
    return 0;
}

static int open_room(const struct config *config, const struct vitrine_spec *spec,
                     struct vitrine_error *err)
{
    char path[PATH_MAX];
    struct stat st;

    if (room_path(config, spec, path, sizeof(path), err) < 0)
        return -1;
    cleanup_fd int room = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (room < 0 || fstat(room, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_EMOUNT,
                                "cannot open %s, where containers are kept", path);
    if (st.st_uid != spec->identity.uid)
        return vitrine_fail(err, VITRINE_EMOUNT,
                            "%s, where containers are kept, belongs to somebody else",
                            path);
    return steal_fd(&room);
}

static bool is_beside(int one, int other)
{
    struct stat a, b;

    return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev;
}

/* Makes and opens the directory and its lock. */
static int open_dir(int room, const char *name, struct named *ret,
                    struct vitrine_error *err)
{
    if (mkdirat(room, name, 0700) < 0 && errno != EEXIST)
        return vitrine_fail_sys(err, VITRINE_EMOUNT, "cannot make container %s", name);
    cleanup_fd int dir =
        openat(room, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_fd int file =
        dir < 0 ? -1
                : openat(dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0 && errno != ENOENT)
        return vitrine_fail_sys(err, VITRINE_EMOUNT, "cannot open container %s", name);
    /* Root will close these: a file system of the user's could make it wait. */
    if (file >= 0 && !(is_beside(room, dir) && is_beside(room, file)))
        return vitrine_fail(err, VITRINE_EMOUNT,
                            "cannot use container %s: something is mounted there", name);
    ret->dir = steal_fd(&dir);
    ret->lock = steal_fd(&file);
    return 0;
}

static void close_dir(struct named *named)
{
    if (named->dir >= 0)
        (void)close(named->dir);
    if (named->lock >= 0)
        (void)close(named->lock);
    named->dir = named->lock = -1;
}

/* Somebody removed what he had begun, while this one waited for the lock. */
static bool is_gone(const struct named *named)
{
    struct stat st;

    return named->lock < 0 || fstat(named->lock, &st) < 0 || st.st_nlink == 0;
}

/* --- its lock --- */

/* Processes may outlive who held the lock for them: a slurmstepd that was killed. */
static bool find_orphaned(struct named *named)
{
    return faccessat(named->dir, "image", F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
           running_find(named->tag, &named->running) == 0;
}

/* 0 with the write lock or a process found, -EAGAIN if it has ended meanwhile. */
static neg_errno settle_once(struct named *named)
{
    int rc = lock(named->lock, F_WRLCK, false);

    named->writing = rc == 0;
    if (rc != 0 && rc != -EAGAIN && rc != -EACCES)
        return rc;
    if (rc == 0) {
        named->runs = find_orphaned(named);
        named->writing = !named->runs;
        return named->runs ? lock(named->lock, F_RDLCK, false) : 0;
    }
    rc = lock(named->lock, F_RDLCK, true);
    if (rc == 0)
        rc = running_find(named->tag, &named->running);
    named->runs = rc == 0;
    if (rc != -ENOENT)
        return rc;
    /* Whoever had it has ended, or his programs have not started. */
    rc = lock(named->lock, F_WRLCK, false);
    named->writing = rc == 0;
    if (rc == 0)
        return 0;
    (void)lock(named->lock, F_UNLCK, false);
    return -EAGAIN;
}

static int settle(struct named *named, const char *name, struct vitrine_error *err)
{
    const struct timespec pause = {.tv_nsec = LOOK_PAUSE_NS};
    int rc = lock_byte(named->lock, DOOR, F_WRLCK, true);

    if (rc == 0)
        rc = -EAGAIN;
    for (int looks = 0; looks < LOOKS && rc == -EAGAIN && !is_gone(named); looks++) {
        if (looks > 0)
            (void)nanosleep(&pause, NULL);
        rc = settle_once(named);
    }
    (void)lock_byte(named->lock, DOOR, F_UNLCK, false);
    if (is_gone(named))
        return 0;
    if (rc == -EAGAIN)
        return vitrine_fail(err, VITRINE_EMOUNT,
                            "container %s runs, but none of its processes can be joined; "
                            "try again when its programs have started",
                            name);
    return rc < 0 ? error_from(err, VITRINE_EMOUNT, rc, "cannot lock container %s", name)
                  : 0;
}

/* --- what it was made from --- */

/* "/path", or "sha256:... docker://image"; NULL if it is neither. */
static const char *split_image(char *text, char ret_digest[VITRINE_DIGEST_MAX])
{
    char *blank = strchr(text, ' ');

    if (text[0] == '/')
        return text;
    if (!blank || blank - text != VITRINE_DIGEST_MAX - 1 || !blank[1])
        return NULL;
    *blank = '\0';
    if (!registryref_is_digest(text))
        return NULL;
    memcpy(ret_digest, text, VITRINE_DIGEST_MAX);
    return blank + 1;
}

static int read_record(struct named *named, const char *name, struct vitrine_error *err)
{
    cleanup_free char *text = NULL;
    cleanup_fd int fd =
        openat(named->dir, "image", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return 0;
    int rc = fd < 0 ? -errno : fd_read_all(fd, RECORD_MAX, &text, NULL);
    if (rc < 0 || !text)
        return error_from(err, VITRINE_EMOUNT, rc, "cannot read container %s", name);
    char *print = strchr(text, '\n');
    const char *image = NULL;
    if (print) {
        *print++ = '\0';
        print[strcspn(print, "\n")] = '\0';
        image = split_image(text, named->digest);
    }
    if (!image)
        return vitrine_fail(err, VITRINE_EMOUNT,
                            "container %s is damaged: it does not say its image; use "
                            "another name",
                            name);
    named->image = strdup(image);
    named->print = strdup(print);
    if (!named->image || !named->print)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    named->exists = true;
    return 0;
}

/* Removes one of the directories, or else puts it aside: a fake root's files can belong
 * to subordinate ids of the user's, which he cannot remove here. */
static neg_errno discard(const struct named *named, const char *what)
{
    char aside[16];
    cleanup_fd int dir =
        openat(named->dir, what, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (dir < 0)
        return errno == ENOENT ? 0 : -errno;
    if (remove_content(dir) == 0 && unlinkat(named->dir, what, AT_REMOVEDIR) == 0)
        return 0;
    for (int i = 0; i < ASIDE_MAX; i++) {
        (void)snprintf(aside, sizeof(aside), "failed.%d", i);
        if (renameat(named->dir, what, named->dir, aside) == 0)
            return 0;
        if (errno != EEXIST && errno != ENOTEMPTY)
            break;
    }
    return -errno;
}

int named_prepare(struct named *named, struct vitrine_error *err)
{
    for (size_t i = 0; i < COUNT(layers); i++) {
        /* Left by somebody who began and was killed, perhaps with another image. */
        int rc = named->exists ? 0 : discard(named, layers[i]);

        if (rc == 0 && mkdirat(named->dir, layers[i], 0700) < 0 && errno != EEXIST)
            rc = -errno;
        if (rc < 0)
            return error_from(err, VITRINE_EMOUNT, rc, "cannot make the container");
    }
    return 0;
}

int named_create(struct named *named, const char *image, const char *digest,
                 const char *print, struct vitrine_error *err)
{
    cleanup_free char *text = NULL;

    if (named->dir < 0 || named->exists)
        return 0;
    if (asprintf(&text, "%s%s%s\n%s\n", digest, digest[0] ? " " : "", image, print) < 0)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    (void)unlinkat(named->dir, "image.new", 0);
    cleanup_fd int fd =
        openat(named->dir, "image.new",
               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));
    if (rc == 0 &&
        (fsync(fd) < 0 || renameat(named->dir, "image.new", named->dir, "image") < 0))
        rc = -errno;
    if (rc < 0)
        return error_from(err, VITRINE_EMOUNT, rc, "cannot make the container");
    named->exists = true;
    return 0;
}

int named_started(struct named *named, struct vitrine_error *err)
{
    int rc = named->lock < 0 ? 0 : lock(named->lock, F_RDLCK, false);

    named->writing = false;
    return rc < 0 ? error_from(err, VITRINE_EMOUNT, rc, "cannot lock the container") : 0;
}

/* --- */

static int check_start(const struct vitrine_spec *spec, const struct named *named,
                       struct vitrine_error *err)
{
    const char *name = spec->container;

    if (spec->start == VITRINE_START_CREATE && named->exists)
        return vitrine_fail(
            err, VITRINE_EUSAGE,
            "container %s exists already; use it with --container-name=%s "
            "or choose another name",
            name, name);
    if (spec->start == VITRINE_START_EXEC && !named->runs)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "container %s does not run on this node; start it without "
                            ":exec",
                            name);
    if (!named->exists && !named->runs && !spec->image)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "there is no container %s on this node; make it with "
                            "--container-image",
                            name);
    return 0;
}

static int open_step(const struct vitrine_spec *spec, struct named *named,
                     struct vitrine_error *err)
{
    (void)snprintf(named->tag, sizeof(named->tag), "vitrine:step/%s", spec->container);
    int rc = running_find(named->tag, &named->running);
    named->runs = rc == 0;
    return rc == 0 ? 0
                   : vitrine_fail(err, VITRINE_EUSAGE,
                                  "no container of step %s runs on this node",
                                  spec->container);
}

static int open_named(const struct config *config, const struct vitrine_spec *spec,
                      struct named *named, struct vitrine_error *err)
{
    const char *name = spec->container;

    named->room = open_room(config, spec, err);
    if (named->room < 0)
        return -1;
    (void)snprintf(named->tag, sizeof(named->tag), "vitrine:%s/%s/%s",
                   config->scope == CONFIG_SCOPE_USER ? "user" : "job",
                   config->scope == CONFIG_SCOPE_USER ? "" : spec->job, name);
    do {
        close_dir(named);
        if (open_dir(named->room, name, named, err) < 0 ||
            (named->lock >= 0 && settle(named, name, err) < 0))
            return -1;
    } while (is_gone(named));
    if (read_record(named, name, err) < 0) {
        named->writing = false; /* so that nothing of it is removed */
        return -1;
    }
    return check_start(spec, named, err);
}

static void remove_begun(const struct named *named)
{
    for (size_t i = 0; i < COUNT(layers); i++)
        (void)discard(named, layers[i]);
    (void)unlinkat(named->dir, "image.new", 0);
    (void)unlinkat(named->dir, "lock", 0);
    (void)unlinkat(named->room, named->name, AT_REMOVEDIR);
}

int named_open(const struct config *config, const struct vitrine_spec *spec,
               struct named *ret, struct vitrine_error *err)
{
    struct named named = NAMED_NONE;
    int rc;

    named.name = spec->container;
    if (named_check(spec->container, err) < 0)
        return -1;
    rc = is_step(spec->container) ? open_step(spec, &named, err)
                                  : open_named(config, spec, &named, err);
    if (rc < 0) {
        named_close(&named);
        return -1;
    }
    *ret = named;
    return 0;
}

void named_close(struct named *named)
{
    if (named->dir >= 0 && named->writing && !named->exists)
        remove_begun(named);
    close_dir(named);
    if (named->room >= 0)
        (void)close(named->room);
    if (named->runs)
        running_close(&named->running);
    free(named->image);
    free(named->print);
    *named = NAMED_NONE;
}
