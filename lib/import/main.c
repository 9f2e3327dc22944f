/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vitrine-import: what protocol.h says. Runs as the user, or set-user-ID as whom a cache
 * belongs to that all users share, and never with the rights of root for somebody else.
 *
 * A thread waits for what ends it: a signal, or that nobody waits for the answer. It
 * removes what a file system without nameless files would keep, and ends the process,
 * wherever the import is.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/realuser.h"
#include "import/conduct.h"
#include "import/display.h"
#include "import/protocol.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

/* What a set-user-ID program believes of its environment: where the user's credentials
 * are, and for their helpers, which run as the user, PATH. */
static const char *const believed[] = {
    "REGISTRY_AUTH_FILE", "DOCKER_CONFIG",      "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",    "ENROOT_CONFIG_PATH", "PATH",
};

enum {
    ARG_CONFIG = 1,
    ARG_IMAGE,
    ARG_DIGEST,
    ARG_USER,
    ARG_HOME,
    ARG_STEP,
    ARG_UNTIL,
    ARG_MODE,
    ARGS
};

struct program {
    struct vitrine_import_spec spec;
    struct vitrine_watch watch;
    struct display display;
    struct import_hold hold;
    struct import_message message;
    char **environ;
    char what[512];
    sigset_t ends;
};

/* ---- the end ------------------------------------------------------------------------
 */

static void end_by(int nr)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, nr);
    (void)signal(nr, SIG_DFL);
    (void)raise(nr);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    _exit(1);
}

static void *wait_for_end(void *arg)
{
    struct program *program = arg;
    struct signalfd_siginfo info = {.ssi_signo = SIGTERM};
    struct pollfd pollers[] = {
        {.fd = signalfd(-1, &program->ends, SFD_CLOEXEC), .events = POLLIN},
        {.fd = IMPORT_RESULT_FD},
    };

    /* Of this thread: the other one's is cleared whenever it becomes the user. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    while (poll(pollers, 2, -1) < 0 && errno == EINTR)
        ;
    if (pollers[0].revents)
        (void)!read(pollers[0].fd, &info, sizeof(info));
    import_hold_abandon(&program->hold);
    end_by((int)info.ssi_signo);
    return NULL;
}

/* Before there are other threads, which inherit what is blocked. What nohup(1) has had
 * ignored stays so. */
static int watch_for_end(struct program *program)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    pthread_t thread;

    (void)sigemptyset(&program->ends);
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        struct sigaction old = {0};

        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaddset(&program->ends, ends[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &program->ends, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return pthread_create(&thread, NULL, wait_for_end, program) == 0 ? 0 : -1;
}

/* ---- what is asked for --------------------------------------------------------------
 */

static const char *given(const char *arg)
{
    return strcmp(arg, "-") == 0 ? NULL : arg;
}

static bool is_believed(const char *variable)
{
    for (size_t i = 0; i < sizeof(believed) / sizeof(*believed); i++) {
        size_t n = strlen(believed[i]);

        if (strncmp(variable, believed[i], n) == 0 && variable[n] == '=')
            return true;
    }
    return false;
}

/*
 * The account's program: who the user is tells the kernel, not he himself. CONFIG is his
 * choice, but among files that root alone can have written, and of these one that names
 * the account as CacheOwner (sharing.c). With another, or for images that are not shared,
 * the process becomes the user for good, as if the program were nobody special's.
 */
static int distrust(struct program *program, const struct config *config,
                    struct vitrine_error *err)
{
    const struct passwd *entry;
    struct registryref ref;
    size_t n = 0, count = 0;

    if (geteuid() == 0)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "vitrine-import must not be set-user-ID root: it belongs to "
                            "the account that CacheOwner names, or to nobody special");
    if (registryref_parse(program->spec.image, &ref, err) < 0)
        return -1;
    if (!sharing_wanted(config, &ref)) {
        int rc = realuser_become();

        return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "cannot become the user")
                      : 0;
    }
    while (environ[count])
        count++;
    program->environ = calloc(count + 1, sizeof(*program->environ));
    if (!program->environ)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (is_believed(environ[i]))
            program->environ[n++] = environ[i];
    (void)clearenv(); /* for what libraries may look at */
    entry = getpwuid(getuid());
    if (!entry)
        return vitrine_fail(err, VITRINE_EINTERNAL,
                            "this host does not know the user with id %u",
                            (unsigned)getuid());
    program->spec.user = strdup(entry->pw_name);
    program->spec.home = strdup(entry->pw_dir);
    program->spec.environ = (const char *const *)program->environ;
    return program->spec.user && program->spec.home
               ? 0
               : vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
}

static void read_arguments(struct program *program, char **argv)
{
    static const char *const modes[] = {
        [DISPLAY_QUIET] = "quiet", [DISPLAY_LINES] = "plain", [DISPLAY_AUTO] = "auto"};
    enum display_mode mode = DISPLAY_QUIET;

    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
        if (strcmp(argv[ARG_MODE], modes[i]) == 0)
            mode = (enum display_mode)i;
    (void)snprintf(program->what, sizeof(program->what), "importing %s", argv[ARG_IMAGE]);
    display_open(&program->display, mode, stderr, program->what);
    program->watch = (struct vitrine_watch){
        .progress = display_progress, .remark = display_remark, .arg = &program->display};
    program->spec = (struct vitrine_import_spec){
        .image = argv[ARG_IMAGE],
        .digest = given(argv[ARG_DIGEST]),
        .user = argv[ARG_USER],
        .home = argv[ARG_HOME],
        .environ = (const char *const *)environ,
        .step = given(argv[ARG_STEP]),
        .until = given(argv[ARG_UNTIL]) ? strtoll(argv[ARG_UNTIL], NULL, 10) : 0,
        .watch = &program->watch,
    };
}

/* As the user, to whom the account must not tell which files it has. */
static int load_config(const char *path, struct config **ret, struct vitrine_error *err)
{
    int rc;

    if (!path)
        return config_parse("vitrine.conf", "", 0, ret, err);
    if ((rc = realuser_enter()) < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot become the user");
    rc = config_load(path, true, ret, err);
    if (realuser_leave() == 0)
        return rc;
    _exit(1);
}

static int import(struct program *program, char **argv, int *ret_fd,
                  struct vitrine_error *err)
{
    const char *path = given(argv[ARG_CONFIG]);
    struct config *config = NULL;

    read_arguments(program, argv);
    if (load_config(path, &config, err) < 0)
        return -1;
    int rc = realuser_differs() ? distrust(program, config, err) : 0;
    if (rc == 0)
        rc = conduct_import(config, &program->spec, &program->hold,
                            &program->message.imported, ret_fd, err);
    display_close(&program->display, rc == 0);
    config_free(config);
    return rc;
}

int main(int argc, char **argv)
{
    static struct program program = {.hold.mutex = PTHREAD_MUTEX_INITIALIZER};
    struct vitrine_error err = {0};
    int fd = -1;

    if (argc != ARGS || fcntl(IMPORT_RESULT_FD, F_SETFD, FD_CLOEXEC) < 0) {
        (void)fprintf(stderr, "vitrine: vitrine-import is started by Vitrine's plugin; "
                              "use vitrine import\n");
        return 2;
    }
    if (realuser_differs())
        (void)prctl(PR_SET_DUMPABLE, 0);
    (void)umask(022);
    if (watch_for_end(&program) < 0)
        return 1;
    program.message.ok = import(&program, argv, &fd, &err) == 0;
    program.message.code = (int)err.code;
    (void)snprintf(program.message.text, sizeof(program.message.text), "%s", err.text);
    return fd_send(IMPORT_RESULT_FD, &program.message, sizeof(program.message), fd) < 0;
}
