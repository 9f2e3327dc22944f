/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vitrine-save: writes a container as one SquashFS file, as save-protocol.h says. Runs as
 * the user, or with every capability in a user namespace of his, which give him no right
 * to a file that is not of his own ids.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/syscalls.h"
#include "image/bytes.h"
#include "save/job.h"
#include "save/save-protocol.h"
#include "base/target.h"

#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* Of an image that is made from a directory, as mksquashfs would choose. */
#define BLOCK_SIZE UINT32_C(131072)

/* Blocks come and go: keep their memory instead of clearing it again each time. */
#define MALLOC_KEEP (4 * 1024 * 1024)

static void ignore_signals(void)
{
    static const int kept[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGCHLD};

    for (int nr = 1; nr <= SIGRTMAX; nr++) {
        bool keep = false;

        for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
            keep = keep || nr == kept[i];
        if (!keep)
            (void)signal(nr, SIG_IGN);
    }
}

/* Each level of directories takes up to two descriptors. */
static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static bool parse_offset(const char *text, uint64_t *ret)
{
    char *end;

    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || end == text || *end || text[0] == '-' || n > INT64_MAX)
        return false;
    *ret = n;
    return true;
}

/* What the base says of its compressor, to be said of ours. */
static int read_format(const struct sqfs *fs, struct output_format *ret,
                       struct vitrine_error *err)
{
    uint8_t header[2];
    int rc = 0;

    *ret = (struct output_format){.compressor = fs->super.compressor,
                                  .block_size = fs->super.block_size};
    if (!(fs->super.flags & SQUASHFS_HAS_OPTIONS))
        return 0;
    rc = sqfs_pread(fs, header, sizeof(header), SQUASHFS_SUPER_SIZE);
    /* They are never compressed themselves. */
    uint32_t size = sizeof(header) + (le16(header) & 0x7fffU);
    if (rc == 0 && (!(le16(header) & 0x8000U) || size > sizeof(ret->options)))
        rc = -EIO;
    if (rc == 0)
        rc = sqfs_pread(fs, ret->options, size, SQUASHFS_SUPER_SIZE);
    if (rc < 0)
        return error_from(err, VITRINE_EFORMAT, rc,
                          "the image is damaged: its compressor's options are out of "
                          "place");
    ret->options_size = size;
    return 0;
}

static int fill(struct job *job, const struct output_format *format, int fd, int upper,
                struct vitrine_error *err)
{
    struct image_files files;
    const struct write_others others = image_files(&files, job);
    struct output output;
    int rc = output_open(&output, fd, format, output_threads(), err);

    if (host_open(&job->host, &output) < 0 && rc == 0)
        rc = error_from(err, VITRINE_EINTERNAL, ENOMEM, "cannot begin");
    if (rc == 0 && job->fs && raw_open(&job->raw, job->fs) < 0)
        rc = error_from(err, VITRINE_EINTERNAL, ENOMEM, "cannot begin");
    if (rc == 0)
        rc = merge(job, SAVE_BASE_FD, upper, err);
    if (rc == 0)
        rc = output_flush(&output, err);
    if (rc == 0 && job->fs)
        rc = raw_copy(&job->raw, &output, err);
    if (rc == 0)
        rc = write_tree(&output, job->root, job->host.newest, &others, err);
    output_close(&output);
    host_close(&job->host);
    raw_close(&job->raw);
    map_free(&job->xattr_sets);
    return rc;
}

static int save(bool is_directory, uint64_t offset, int fd, struct vitrine_error *err)
{
    struct output_format format = {.compressor = SQUASHFS_ZSTD, .block_size = BLOCK_SIZE};
    struct job job = {0};
    struct sqfs fs;
    struct stat st;
    int upper =
        fstat(SAVE_UPPER_FD, &st) == 0 && S_ISDIR(st.st_mode) ? SAVE_UPPER_FD : -1;
    int rc = 0;

    if (is_directory)
        return fill(&job, &format, fd, upper, err);
    if (sqfs_open(&fs, SAVE_BASE_FD, offset, NULL, err) < 0)
        return vitrine_wrap(err, "the image cannot be used");
    job.fs = &fs;
    rc = read_format(&fs, &format, err);
    if (rc == 0)
        rc = fill(&job, &format, fd, upper, err);
    sqfs_close(&fs);
    return rc;
}

static void report(int rc, const struct target *target, bool begun,
                   struct vitrine_error *err)
{
    struct save_message message = {.ok = rc == 0 ? SAVE_DONE : SAVE_FAILED};
    const char *rest = !begun             ? ""
                       : target->replaces ? "; the old file is unchanged"
                                          : "; no file was made";

    if (rc < 0) {
        int n = snprintf(message.text, sizeof(message.text),
                         "cannot save to %s: %.600s%s", target->name, err->text, rest);

        if (n >= (int)sizeof(message.text))
            message.text[sizeof(message.text) - 2] = '+';
        for (char *p = message.text; *p; p++)
            if ((unsigned char)*p < 0x20 || *p == 0x7f)
                *p = '?';
    }
    (void)fd_write_full(SAVE_ANSWERS_FD, &message, sizeof(message));
}

/* Held while it is decided what becomes of the file. */
static pthread_mutex_t deciding = PTHREAD_MUTEX_INITIALIZER;

/*
 * Says that the process is alive, which a stopped one cannot; and ends it when nobody
 * waits for the file any more: its step was killed, and the container may be used by
 * others soon.
 */
static void *talk(void *arg)
{
    const struct save_message message = {.ok = SAVE_WORKS};
    struct pollfd other = {.fd = SAVE_CONTROL_FD};
    int n;

    do {
        n = poll(&other, 1, SAVE_BEAT_S * 1000);
        if (n == 0 && fd_write_full(SAVE_ANSWERS_FD, &message, sizeof(message)) < 0)
            n = 1;
    } while (n == 0 || (n < 0 && errno == EINTR));
    (void)pthread_mutex_lock(&deciding);
    target_close(arg);
    _exit(EXIT_FAILURE);
}

/* Nobody waits for the file. */
static bool is_alone(void)
{
    struct pollfd other = {.fd = SAVE_CONTROL_FD};

    return poll(&other, 1, 0) > 0 && (other.revents & (POLLHUP | POLLERR));
}

static int start_talking(struct target *target, struct vitrine_error *err)
{
    pthread_t thread;

    errno = pthread_create(&thread, NULL, talk, target);
    return errno ? vitrine_fail_sys(err, VITRINE_EINTERNAL, "no thread can be made") : 0;
}

static bool wait_for_go(void)
{
    int passed = -1;
    char byte = 0;
    bool go = fd_recv(SAVE_CONTROL_FD, &byte, 1, false, &passed) == 0 && byte == SAVE_GO;

    if (passed >= 0)
        (void)close(passed);
    return go;
}

int main(int argc, char **argv)
{
    struct vitrine_error err = {0};
    struct target target;
    uint64_t offset = 0;

    (void)prctl(PR_SET_NAME, "vitrine-save");
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ignore_signals();
    raise_limits();
    (void)sys_close_range(SAVE_ANSWERS_FD + 1, ~0U, 0);
    (void)mallopt(M_MMAP_THRESHOLD, MALLOC_KEEP);
    (void)mallopt(M_TRIM_THRESHOLD, MALLOC_KEEP * 2);
    bool is_directory = argc == 3 && strcmp(argv[1], "-") == 0;
    if (argc != 3 || (!is_directory && !parse_offset(argv[1], &offset))) {
        (void)fprintf(stderr, "usage: vitrine-save OFFSET|- NAME (Vitrine starts it)\n");
        return EXIT_FAILURE;
    }
    int rc = target_check(&target, SAVE_DIRECTORY_FD, argv[2], &err);
    report(rc, &target, false, &err);
    if (rc < 0 || !wait_for_go()) {
        target_close(&target);
        return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    rc = target_open(&target, &err);
    if (rc == 0)
        rc = start_talking(&target, &err);
    if (rc == 0)
        rc = save(is_directory, offset, target.fd, &err);
    (void)pthread_mutex_lock(&deciding); /* for good */
    if (is_alone()) {
        target_close(&target);
        _exit(EXIT_FAILURE);
    }
    if (rc == 0)
        rc = target_commit(&target, &err);
    target_close(&target);
    report(rc, &target, true, &err);
    /* libsquashfs loses blocks that were on their way when something failed. */
    if (rc < 0)
        _exit(EXIT_FAILURE);
    return EXIT_SUCCESS;
}
