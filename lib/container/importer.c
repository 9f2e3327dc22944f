/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user: in the task that prepares the container, with capabilities in reserve
 * that the program does not get, or in srun, sbatch and salloc.
 *
 * What is asked most often, whether an image with a known digest is in the user's own
 * cache, is answered here without another process. Everything else is the program's: it
 * has libraries that slurmstepd must not load, and it alone may read a shared cache.
 */
#include "container/importer.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/spawn.h"
#include "build-config.h"
#include "container/config-api.h"
#include "container/lookup.h"
#include "import/protocol.h"
#include "privileged/caps.h"
#include "spec/registryref.h"
#include "store/store.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Tests start a program of their own. */
#ifndef IMPORT_PROGRAM
#define IMPORT_PROGRAM VITRINE_IMPORT_PROGRAM
#endif

/* How long an image is kept for a job of which nobody knows when it ends. */
#define LEASE_S (7LL * 24 * 3600)

/* How often to look whether a signal has come that is blocked. */
#define LOOK_MS 100

/* --- without the program --- */

static int find_cached(const struct config *config, const struct vitrine_spec *spec,
                       const char *digest, int *ret_fd, bool *ret_found,
                       struct vitrine_error *err)
{
    struct store store;
    cleanup_free char *dir =
        config_cache_dir(config, spec->identity.user, spec->identity.home, err);
    int rc = dir ? store_open(dir, config->cache_size, false, &store, err) : -1;

    if (dir && rc == 0 && digest[0])
        rc = store_find(&store, digest, ret_fd, ret_found, err);
    /* One that cannot be leased can be used all the same. */
    if (dir && rc == 0 && *ret_found && spec->job)
        (void)store_lease(&store, digest, spec->job,
                          spec->until > 0 ? spec->until : time(NULL) + LEASE_S, NULL);
    if (dir)
        store_close(&store);
    if (rc < 0 && err)
        err->code = VITRINE_ECACHE;
    return rc;
}

/* The digest that is known: what was pinned, or what the reference says. */
static void known_digest(const struct vitrine_spec *spec, const char *source,
                         char ret[VITRINE_DIGEST_MAX])
{
    struct registryref ref;
    const char *digest = spec->image_digest;

    if ((!digest || !digest[0]) && registryref_parse(source, &ref, NULL) == 0)
        digest = ref.digest;
    (void)snprintf(ret, VITRINE_DIGEST_MAX, "%s",
                   digest && registryref_is_digest(digest) ? digest : "");
}

/* --- with it --- */

static neg_errno forget(void *arg)
{
    (void)arg;
    return caps_forget();
}

/* The environment without what is meant for the job's own programs: libraries that would
 * be loaded into this one. */
static char **make_environ(const char *const *env)
{
    size_t n = 0, count = 0;

    while (env && env[count])
        count++;
    char **list = calloc(count + 1, sizeof(*list));
    for (size_t i = 0; list && i < count; i++)
        if (strncmp(env[i], "LD_", 3) != 0)
            list[n++] = (char *)env[i];
    return list;
}

static neg_errno start(const struct config *config, const struct vitrine_spec *spec,
                       const char *source, int sock, pid_t *ret)
{
    static const char *const modes[] = {[VITRINE_TALK_LINES] = "plain",
                                        [VITRINE_TALK_BAR] = "auto",
                                        [VITRINE_TALK_NOT] = "quiet"};
    const char *pinned = spec->image_digest, *user = spec->identity.user;
    const char *where = spec->search ? spec->search[0] : NULL;
    char until[24] = "-";
    const char *const argv[] = {"vitrine-import",
                                config->path ? config->path : "-",
                                source,
                                pinned && registryref_is_digest(pinned) ? pinned : "-",
                                user ? user : "",
                                spec->identity.home ? spec->identity.home : "",
                                spec->step ? spec->step : "-",
                                until,
                                modes[spec->talk],
                                NULL};
    const int fds[] = {[STDIN_FILENO] = -1,
                       [STDOUT_FILENO] = -1,
                       [STDERR_FILENO] = STDERR_FILENO,
                       [IMPORT_RESULT_FD] = sock};
    cleanup_free char **env = make_environ(spec->environ);
    const struct spawn spawn = {
        .program = IMPORT_PROGRAM,
        .argv = (char *const *)argv,
        .envp = env,
        .fds = fds,
        .nfds = sizeof(fds) / sizeof(*fds),
        .cwd = where && access(where, X_OK) == 0 ? where : NULL,
        .become = forget,
    };

    if (!env)
        return -ENOMEM;
    if (spec->until > 0)
        (void)snprintf(until, sizeof(until), "%lld", (long long)spec->until);
    int rc = spawn_start(&spawn);
    if (rc >= 0)
        *ret = rc;
    return rc < 0 ? rc : 0;
}

/* Why there is no answer. */
static int fail_silent(const char *source, neg_errno rc, int status,
                       struct vitrine_error *err)
{
    if (rc == -EINTR)
        return vitrine_fail(err, VITRINE_EINTERNAL,
                            "the import of image %s was cancelled", source);
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        return vitrine_fail(err, VITRINE_EINTERNAL,
                            "the import of image %s was ended by signal %d (%s)", source,
                            WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WIFSIGNALED(status))
        return vitrine_fail(err, VITRINE_EINTERNAL,
                            "the process that imports image %s was killed (out of "
                            "memory?)",
                            source);
    return error_from(err, VITRINE_EINTERNAL, rc,
                      "the program that imports images, %s, is out of order",
                      IMPORT_PROGRAM);
}

/* srun, and tasks of 22.05, have these blocked, and would not end before the import has:
 * to them a signal that waits is one that has come. */
static bool has_ended(void)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    sigset_t pending;

    if (sigpending(&pending) < 0)
        return false;
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        if (sigismember(&pending, ends[i]) == 1)
            return true;
    return false;
}

static neg_errno receive(int sock, struct import_message *ret, int *ret_fd)
{
    struct pollfd poller = {.fd = sock, .events = POLLIN};
    int n;

    do {
        if (has_ended())
            return -EINTR;
        n = poll(&poller, 1, LOOK_MS);
    } while (n == 0 || (n < 0 && errno == EINTR));
    return n < 0 ? -errno : fd_recv(sock, ret, sizeof(*ret), false, ret_fd);
}

/* Waits for what it has to say, and for its end. */
static int finish(const char *source, int sock, pid_t pid, struct import_message *ret,
                  int *ret_fd, struct vitrine_error *err)
{
    cleanup_fd int fd = -1;
    struct stat st;
    int status = 0, rc = receive(sock, ret, &fd);

    /* With SIGTERM it can remove what it has begun, if it must. */
    if (rc < 0)
        (void)kill(pid, SIGTERM);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (rc < 0)
        return fail_silent(source, rc, status, err);
    ret->text[sizeof(ret->text) - 1] = '\0';
    ret->imported.digest[sizeof(ret->imported.digest) - 1] = '\0';
    if (!ret->ok) {
        (void)vitrine_fail(err,
                           ret->code > VITRINE_OK && ret->code <= VITRINE_ECACHE
                               ? (enum vitrine_errcode)ret->code
                               : VITRINE_EINTERNAL,
                           "%s", ret->text);
        return strstr(ret->text, source)
                   ? -1
                   : vitrine_wrap(err, "cannot import image %s", source);
    }
    /* Nothing else comes from a cache; but the user may trace the program. */
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        !registryref_is_digest(ret->imported.digest))
        return fail_silent(source, -EPROTO, 0, err);
    *ret_fd = steal_fd(&fd);
    return 0;
}

static int run(const struct config *config, const struct vitrine_spec *spec,
               const char *source, char ret_digest[VITRINE_DIGEST_MAX], int *ret_fd,
               struct vitrine_error *err)
{
    cleanup_free struct import_message *message = calloc(1, sizeof(*message));
    pid_t pid = 0;
    int sock[2];

    if (!message || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot import image %s", source);
    int rc = start(config, spec, source, sock[1], &pid);
    (void)close(sock[1]);
    cleanup_fd int ours = sock[0];
    if (rc < 0)
        return error_from(err, VITRINE_ECACHE, rc,
                          "cannot import image %s: cannot start " IMPORT_PROGRAM, source);
    if (finish(source, ours, pid, message, ret_fd, err) < 0)
        return -1;
    memcpy(ret_digest, message->imported.digest, VITRINE_DIGEST_MAX);
    return 0;
}

int importer_open(const struct config *config, const struct vitrine_spec *spec,
                  const char *source, char ret_digest[VITRINE_DIGEST_MAX], int *ret_fd,
                  struct vitrine_error *err)
{
    char digest[VITRINE_DIGEST_MAX];
    bool found = false;

    known_digest(spec, source, digest);
    if (!config->cache_owner &&
        find_cached(config, spec, digest, ret_fd, &found, err) < 0)
        return -1;
    if (!found)
        return run(config, spec, source, ret_digest, ret_fd, err);
    memcpy(ret_digest, digest, VITRINE_DIGEST_MAX);
    return 0;
}

/* --- before a job --- */

/* A shared cache is not the user's to look into, but it must be there. */
static int check_shared(const struct config *config, struct vitrine_error *err)
{
    if (!config->cache_owner || access(config->cache_dir, F_OK) == 0)
        return 0;
    return vitrine_fail_sys(err, VITRINE_ECACHE, "cannot reach CacheDir=%s",
                            config->cache_dir);
}

int vitrine_import_early(const struct vitrine_config *config,
                         const struct vitrine_spec *spec,
                         char ret_digest[VITRINE_DIGEST_MAX], struct vitrine_error *err)
{
    const struct config *c = config_of(config);
    char source[IMAGEREF_REGISTRY_MAX];
    cleanup_fd int fd = -1;
    bool sure;

    ret_digest[0] = '\0';
    if (lookup_source(c, spec, source, &sure, err) < 0)
        return -1;
    if (!source[0] || !sure || c->import_on == CONFIG_IMPORT_ON_NODE)
        return 0;
    if (check_shared(c, err) < 0)
        return -1;
    /* Who has imported it for the job has it, and the nodes look for themselves. */
    if (c->cache_owner && spec->image_digest && spec->image_digest[0]) {
        (void)snprintf(ret_digest, VITRINE_DIGEST_MAX, "%s", spec->image_digest);
        return 0;
    }
    return importer_open(c, spec, source, ret_digest, &fd, err);
}
