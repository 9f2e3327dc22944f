/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user, or as whom a shared cache belongs to. Locks are asked for one after
 * the other, never one within the other, and nothing is right only because of them.
 */
#include "import/conduct.h"
#include "base/cleanup.h"
#include "base/limits.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

/* How long a waiter sleeps between two looks: a small image is there soon, and many who
 * look at a file server are a burden to it. */
#define PAUSE_FIRST_MS 50U
#define PAUSE_MAX_MS   1000U

/* Of that, until it is asked again whether to go on. */
#define PAUSE_STEP_MS 50U

/* If nothing is known of the image yet. */
#define NEED_DEFAULT (UINT64_C(64) << 20)

void import_hold_abandon(struct import_hold *hold)
{
    (void)pthread_mutex_lock(&hold->mutex);
    if (hold->file)
        store_abandon(hold->file);
    if (hold->target)
        target_abandon(hold->target);
    for (size_t i = 0; i < IMPORT_HOLD_LOCKS; i++)
        if (hold->locks[i])
            lock_abandon(hold->locks[i]);
}

int conduct_lock(struct conduct *c, int which, const char *name,
                 struct conduct_wait *wait, struct lock **ret, struct vitrine_error *err)
{
    bool taken_over;

    (void)pthread_mutex_lock(&c->hold->mutex);
    int rc = lock_try(&c->store, name, &wait->watch, ret, &taken_over, err);
    if (rc == 0)
        c->hold->locks[which] = *ret;
    (void)pthread_mutex_unlock(&c->hold->mutex);
    return rc;
}

void conduct_unlock(struct conduct *c, int which, struct lock *lock)
{
    (void)pthread_mutex_lock(&c->hold->mutex);
    c->hold->locks[which] = NULL;
    lock_release(lock);
    (void)pthread_mutex_unlock(&c->hold->mutex);
}

bool conduct_is_cancelled(const struct conduct *c)
{
    const struct vitrine_watch *watch = c->spec->watch;

    return watch && watch->cancelled && watch->cancelled(watch->arg);
}

int conduct_fail_cancelled(struct vitrine_error *err)
{
    return vitrine_fail(err, VITRINE_EINTERNAL, "it was cancelled");
}

void conduct_remark(const struct conduct *c, const char *fmt, ...)
{
    const struct vitrine_watch *watch = c->spec->watch;
    char line[1024];
    va_list ap;

    if (!watch || !watch->remark)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    watch->remark(watch->arg, line);
}

static void sleep_ms(unsigned ms)
{
    const struct timespec t = {.tv_sec = ms / 1000,
                               .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)nanosleep(&t, NULL);
}

int conduct_wait(struct conduct *c, struct conduct_wait *wait, struct vitrine_error *err)
{
    if (wait->pause_ms == 0)
        wait->pause_ms = PAUSE_FIRST_MS;
    /* Not before it has taken a moment. */
    if (wait->pause_ms > PAUSE_FIRST_MS * 2 && wait->watch.host[0] &&
        strcmp(wait->told, wait->watch.host) != 0) {
        (void)snprintf(wait->told, sizeof(wait->told), "%s", wait->watch.host);
        conduct_remark(c, "waiting for %s, which imports %s", wait->told, c->name);
    }
    for (unsigned slept = 0; slept < wait->pause_ms; slept += PAUSE_STEP_MS) {
        unsigned rest = wait->pause_ms - slept;

        if (conduct_is_cancelled(c))
            return conduct_fail_cancelled(err);
        sleep_ms(rest < PAUSE_STEP_MS ? rest : PAUSE_STEP_MS);
    }
    wait->pause_ms += wait->pause_ms / 2;
    if (wait->pause_ms > PAUSE_MAX_MS)
        wait->pause_ms = PAUSE_MAX_MS;
    store_refresh(&c->store);
    return 0;
}

static bool is_full(const struct vitrine_error *err)
{
    return err->sys_errno == ENOSPC || err->sys_errno == EDQUOT;
}

bool conduct_make_room(struct conduct *c, struct vitrine_error *err)
{
    struct store_collected collected = {0};
    int cause = err->sys_errno;

    if (!is_full(err) || conduct_is_cancelled(c))
        return false;
    if (store_collect(&c->store, c->need ? c->need : NEED_DEFAULT, &collected, NULL) ==
            0 &&
        collected.images > 0) {
        conduct_remark(c,
                       "no space is left in %s: removed %u images, which were used least "
                       "recently (%ju MiB), to try again",
                       c->store.path, collected.images,
                       (uintmax_t)(collected.bytes >> 20));
        return true;
    }
    (void)vitrine_fail(err, VITRINE_EINTERNAL,
                       "%s in the cache of images, %s, and none in it may be removed, "
                       "since all are in use or were so within the last hour: make room, "
                       "or have another CacheDir",
                       cause == EDQUOT ? "the quota is used up" : "no space is left",
                       c->store.path);
    err->sys_errno = cause;
    return false;
}

int conduct_open_source(struct conduct *c, struct vitrine_error *err)
{
    if (c->source)
        return 0;
    if (c->ref.kind == REGISTRYREF_REGISTRY)
        return source_registry_open(&c->ref, c->config, c->spec, &c->source, err);
    if (c->ref.kind == REGISTRYREF_OCI_LAYOUT)
        return source_oci_open(&c->ref, c->config, c->spec, &c->source, err);
    return source_archive_open(&c->ref, c->config, c->spec, &c->source, err);
}

void conduct_close_source(struct conduct *c)
{
    if (c->source)
        c->source->ops->close(c->source);
    c->source = NULL;
}

/* "JOB.STEP" and the reference, and in a shared cache whose they are. */
static int name_step(struct conduct *c, struct vitrine_error *err)
{
    char hash[DIGEST_TEXT], text[5200], whose[24] = "";

    if (!c->spec->step)
        return 0;
    int n = snprintf(text, sizeof(text), "%s\n%s/%s", c->spec->image,
                     c->platform.architecture, c->platform.variant);
    if (digest_of(text, (size_t)n, hash) < 0)
        return vitrine_fail(err, VITRINE_EINTERNAL, "no digest can be computed");
    if (c->sharing.is_shared)
        (void)snprintf(whose, sizeof(whose), "%ju-", (uintmax_t)c->sharing.uid);
    (void)snprintf(c->step, sizeof(c->step), "step-%s%.100s-%.32s", whose, c->spec->step,
                   hash + 7);
    return 0;
}

static int begin(struct conduct *c, const struct config *config,
                 const struct vitrine_import_spec *spec, struct import_hold *hold,
                 struct vitrine_error *err)
{
    c->config = config;
    c->spec = spec;
    c->hold = hold;
    if (!spec->image || registryref_parse(spec->image, &c->ref, err) < 0)
        return spec->image ? -1 : vitrine_fail(err, VITRINE_EUSAGE, "no image is named");
    registryref_print(&c->ref, c->name, sizeof(c->name));
    if (spec->digest && !registryref_is_digest(spec->digest))
        return vitrine_fail(err, VITRINE_EUSAGE, "\"%.100s\" is no digest of an image",
                            spec->digest);
    if (spec->digest)
        (void)snprintf(c->ref.digest, sizeof(c->ref.digest), "%s", spec->digest);
    return manifest_platform(spec->platform, &c->platform, err);
}

/* Keeps the image in the cache until the job's end. */
static int lease(struct conduct *c, const char *key, struct vitrine_error *err)
{
    char who[160], host[100] = "", whose[24] = "";
    int64_t until = c->spec->until, most = time(NULL) + LIMIT_LEASE_S;

    if (until <= 0)
        return 0;
    if (c->sharing.is_shared)
        (void)snprintf(whose, sizeof(whose), "%ju-", (uintmax_t)c->sharing.uid);
    (void)gethostname(host, sizeof(host) - 1);
    if (c->spec->step)
        (void)snprintf(who, sizeof(who), "%s%.*s", whose,
                       (int)strcspn(c->spec->step, "."), c->spec->step);
    else
        (void)snprintf(who, sizeof(who), "%s%s.%d", whose, host, (int)getpid());
    return store_lease(&c->store, key, who, until < most ? until : most, err);
}

/* As the owner of the image's lock. */
static int own(struct conduct *c, const char *digest, const char *key, bool *ret_cached,
               struct vitrine_error *err)
{
    bool failed;

    /* Whoever had the lock before may have made it. */
    store_refresh(&c->store);
    if (store_find(&c->store, key, NULL, ret_cached, err) < 0)
        return -1;
    if (*ret_cached)
        return 0;
    if (agree_read_failure(c, &failed, err) < 0)
        return -1;
    /* Other users' locks are others: see obtain(). */
    if (!c->sharing.is_shared)
        store_sweep(&c->store, key);
    if (make_in_store(c, digest, key, err) == 0)
        return 0;
    agree_write_failure(c, err);
    return -1;
}

/*
 * Has the image made, by whomever; in a shared cache by the user's own processes. He can
 * hold them up while they keep their locks (a full pipe as standard error will do), and
 * that must not hold up others: who makes the same image at the same time does it twice.
 */
static int obtain(struct conduct *c, const char *digest, const char *key,
                  bool *ret_cached, struct vitrine_error *err)
{
    struct conduct_wait wait = {0};
    struct lock *lock;
    char name[100], whose[24] = "";
    bool failed;

    if (c->sharing.is_shared)
        (void)snprintf(whose, sizeof(whose), "%ju-", (uintmax_t)c->sharing.uid);
    (void)snprintf(name, sizeof(name), "image-%s%.64s", whose, key + 7);
    for (;;) {
        if (store_find(&c->store, key, NULL, ret_cached, err) < 0)
            return -1;
        if (*ret_cached)
            return 0;
        if (agree_read_failure(c, &failed, err) < 0 ||
            conduct_lock(c, 1, name, &wait, &lock, err) < 0)
            return -1;
        if (lock)
            break;
        if (conduct_wait(c, &wait, err) < 0)
            return -1;
    }
    int rc = own(c, digest, key, ret_cached, err);
    conduct_unlock(c, 1, lock);
    return rc;
}

static int attempt(struct conduct *c, struct vitrine_imported *ret, int *ret_fd,
                   struct vitrine_error *err)
{
    char key[DIGEST_TEXT], name[STORE_NAME_MAX];
    bool found;

    if (agree_on_digest(c, ret->digest, err) < 0 ||
        sharing_key(&c->sharing, &c->ref, ret->digest, key, err) < 0 ||
        agree_grant(c, ret->digest, key, err) < 0 ||
        obtain(c, ret->digest, key, &ret->was_cached, err) < 0 || lease(c, key, err) < 0)
        return -1;
    store_name(key, name);
    int n = snprintf(ret->path, sizeof(ret->path), "%s/images/%s", c->store.path, name);
    if (n >= (int)sizeof(ret->path))
        return vitrine_fail(err, VITRINE_ECONFIG, "%s is too long a path for a cache",
                            c->store.path);
    if (!ret_fd)
        return 0;
    if (store_find(&c->store, key, ret_fd, &found, err) < 0)
        return -1;
    return found ? 0
                 : vitrine_fail(err, VITRINE_EINTERNAL,
                                "%s was removed as soon as it was there", ret->path);
}

int conduct_import(const struct config *config, const struct vitrine_import_spec *spec,
                   struct import_hold *hold, struct vitrine_imported *ret, int *ret_fd,
                   struct vitrine_error *err)
{
    struct import_hold none = IMPORT_HOLD_NONE;
    cleanup_free struct conduct *c = calloc(1, sizeof(*c));
    cleanup_free struct vitrine_imported *done = calloc(1, sizeof(*done));

    if (!c || !done)
        return error_from(err, VITRINE_EINTERNAL, -ENOMEM, "cannot import an image");
    if (begin(c, config, spec, hold ? hold : &none, err) < 0 ||
        sharing_choose(config, spec, &c->ref, &c->sharing, err) < 0)
        return -1;
    int rc = store_open(c->sharing.dir, config->cache_size, c->sharing.is_shared,
                        &c->store, err);
    if (rc == 0)
        rc = name_step(c, err);
    if (rc == 0)
        rc = attempt(c, done, ret_fd, err);
    /* No place even for a lock. */
    if (rc < 0 && c->store.dir >= 0 && c->need == 0 && conduct_make_room(c, err))
        rc = attempt(c, done, ret_fd, err);
    conduct_close_source(c);
    store_close(&c->store);
    sharing_free(&c->sharing);
    if (rc < 0)
        return vitrine_wrap(err, "cannot import %s", c->name);
    *ret = *done;
    return 0;
}

static int make_file(struct conduct *c, int dir, const char *name,
                     char ret_digest[DIGEST_TEXT], struct vitrine_error *err)
{
    pthread_mutex_t *mutex = &c->hold->mutex;
    struct target target;

    (void)pthread_mutex_lock(mutex);
    int rc = target_check(&target, dir, name, err);
    if (rc == 0)
        rc = target_open(&target, err);
    c->hold->target = &target;
    (void)pthread_mutex_unlock(mutex);
    if (rc == 0)
        rc = make_image(c, c->spec->digest ? c->spec->digest : "", target.fd, ret_digest,
                        err);
    (void)pthread_mutex_lock(mutex);
    if (rc == 0)
        rc = target_commit(&target, err);
    c->hold->target = NULL;
    target_close(&target);
    (void)pthread_mutex_unlock(mutex);
    return rc;
}

int conduct_import_file(const struct config *config,
                        const struct vitrine_import_spec *spec, const char *file,
                        struct import_hold *hold, char ret_digest[VITRINE_DIGEST_MAX],
                        struct vitrine_error *err)
{
    struct import_hold none = IMPORT_HOLD_NONE;
    cleanup_free struct conduct *c = calloc(1, sizeof(*c));
    cleanup_free char *parent = strdup(file);
    char *slash = parent ? strrchr(parent, '/') : NULL;
    const char *name = slash ? file + (slash - parent) + 1 : file;
    char digest[DIGEST_TEXT];

    if (!c || !parent)
        return error_from(err, VITRINE_EINTERNAL, -ENOMEM, "cannot import an image");
    if (begin(c, config, spec, hold ? hold : &none, err) < 0)
        return -1;
    if (slash)
        slash[slash == parent] = '\0';
    cleanup_fd int dir = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return vitrine_fail_sys(err, VITRINE_EUSAGE, "cannot open %s, where %s shall be",
                                slash ? parent : ".", name);
    int rc = make_file(c, dir, name, digest, err);
    conduct_close_source(c);
    if (rc < 0)
        return vitrine_wrap(err, "cannot import %s to %s", c->name, file);
    (void)snprintf(ret_digest, VITRINE_DIGEST_MAX, "%s", digest);
    return 0;
}
