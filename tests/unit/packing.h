/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_PACKING_H
#define VITRINE_TESTS_PACKING_H

/* A directory that has one of each kind of file, images of it, and a comparison. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "child.h"
#include "images.h"
#include "tree.h"
#include "vitrine-import.h"

#include <stdarg.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static char packing_src[256], packing_image[256], packing_out[256];
static struct vitrine_error packing_err;
static char packing_told[1024];
static unsigned packing_compared, packing_counted;
static const char *packing_a, *packing_b;

static inline void packing_make(void)
{
    tree_make();
    (void)snprintf(packing_src, sizeof(packing_src), "%s/src", tree_path);
    (void)snprintf(packing_image, sizeof(packing_image), "%s/x.sqfs", tree_path);
    (void)snprintf(packing_out, sizeof(packing_out), "%s/out", tree_path);
    ck_assert_int_eq(mkdirat(tree, "src", 0755), 0);
}

static inline int packing_run(const char *program, ...)
{
    const char *argv[32] = {program};
    int n = 1, status = -1;
    va_list ap;

    va_start(ap, program);
    while (n < 31 && (argv[n] = va_arg(ap, const char *)))
        n++;
    va_end(ap);
    argv[31] = NULL;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        (void)execvp(program, (char *const *)argv);
        _exit(127);
    }
    (void)waitpid(pid, &status, 0);
    return status;
}

/* An image of packing_src by mksquashfs, with up to four more words. */
static inline void packing_mksquashfs(const char *const more[4])
{
    (void)unlink(packing_image);
    ck_assert_int_eq(packing_run("mksquashfs", packing_src, packing_image, "-noappend",
                                 "-quiet", "-no-progress", more[0], more[1], more[2],
                                 more[3], NULL),
                     0);
}

static inline const char *packing_cannot(void)
{
    return WEXITSTATUS(packing_run("mksquashfs", "-version", NULL)) == 127
               ? "needs mksquashfs"
               : NULL;
}

static inline void packing_remark(void *arg, const char *line)
{
    (void)snprintf(packing_told, sizeof(packing_told), "%s", line);
}

static const struct vitrine_watch packing_watch = {.remark = packing_remark};

/* Text that compresses and is different everywhere. The caller frees it. */
static inline char *packing_content(size_t size)
{
    char *data = malloc(size + 16);

    ck_assert_ptr_nonnull(data);
    for (size_t at = 0; at < size; at += 8)
        (void)snprintf(data + at, 16, "%07x ", (unsigned)(at * 2654435761U) >> 4);
    return data;
}

static inline void packing_odd_names(void)
{
    char path[PATH_MAX], name[NAME_MAX + 1];

    memset(name, 0xfe, NAME_MAX);
    name[NAME_MAX] = '\0';
    name[3] = '\n';
    (void)snprintf(path, sizeof(path), "src/%s", name);
    tree_write(path, "odd");
    tree_write("src/ leading blank", "");
    tree_write("src/-rf", "x");
    tree_write("src/\"quoted\\", "y");
}

/* Holes before, between and behind what is there. */
static inline void packing_sparse(const char *data, off_t size)
{
    int fd = openat(tree, "src/sparse", O_CREAT | O_RDWR | O_CLOEXEC, 0600);

    ck_assert_int_eq(pwrite(fd, data, 300000, 5 << 20), 300000);
    ck_assert_int_eq(pwrite(fd, data, 7, size / 2), 7);
    ck_assert_int_eq(ftruncate(fd, size + 5), 0);
    (void)close(fd);
    fd = openat(tree, "src/hole", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ck_assert_int_eq(ftruncate(fd, 50000), 0);
    (void)close(fd);
}

static inline void packing_special(void)
{
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(fchownat(tree, "src/d1", 1234, 70000, 0), 0);
    ck_assert_int_eq(fchownat(tree, "src/file1", 4321, 1, 0), 0);
    ck_assert_int_eq(mknodat(tree, "src/char", S_IFCHR | 0600, makedev(4095, 0xabcde)),
                     0);
    ck_assert_int_eq(mknodat(tree, "src/block", S_IFBLK | 0640, makedev(8, 1)), 0);
}

static inline void packing_fill(void)
{
    static const size_t sizes[] = {0, 1, 100, 4096, 131071, 131072, 131073, 9000000};
    cleanup_free char *data = packing_content(9000000);
    char path[PATH_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        (void)snprintf(path, sizeof(path), "src/file%zu", i);
        tree_write_bytes(path, data + i, sizes[i] ? sizes[i] - i : 0);
    }
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(path, sizeof(path), "src/many/some-name-%d", i);
        tree_write(path, i % 7 ? "" : path);
    }
    tree_write("src/d1/d2/d3/inside", "deep");
    tree_write("src/closed/inside", "1");
    packing_odd_names();
    packing_sparse(data, 100 << 20);
    packing_special();
    ck_assert_int_eq(linkat(tree, "src/file6", tree, "src/d1/hard", 0), 0);
    ck_assert_int_eq(linkat(tree, "src/file6", tree, "src/many/hard", 0), 0);
    ck_assert_int_eq(symlinkat("../file1", tree, "src/d1/soft"), 0);
    ck_assert_int_eq(symlinkat("/nowhere/\x80", tree, "src/soft"), 0);
    ck_assert_int_eq(mkfifoat(tree, "src/fifo", 0600), 0);
    ck_assert_int_eq(mknodat(tree, "src/socket", S_IFSOCK | 0755, 0), 0);
    ck_assert_int_eq(fchmodat(tree, "src/file2", 04751, 0), 0);
    ck_assert_int_eq(fchmodat(tree, "src/file4", 0444, 0), 0);
    (void)snprintf(path, sizeof(path), "%s/file3", packing_src);
    ck_assert_int_eq(setxattr(path, "user.short", "v", 1, 0), 0);
    ck_assert_int_eq(setxattr(path, "user.long", data, 3000, 0), 0);
    (void)snprintf(path, sizeof(path), "%s/d1", packing_src);
    ck_assert_int_eq(setxattr(path, "user.dir", "", 0, 0), 0);
    ck_assert_int_eq(fchmodat(tree, "src/many", 01777, 0), 0);
    ck_assert_int_eq(fchmodat(tree, "src/closed", 0555, 0), 0);
}

static inline void packing_same_content(const char *a, const char *b, off_t size)
{
    static char x[1 << 20], y[1 << 20];
    cleanup_fd int one = open(a, O_RDONLY | O_CLOEXEC);
    cleanup_fd int two = open(b, O_RDONLY | O_CLOEXEC);

    ck_assert_msg(one >= 0 && two >= 0, "%s: %m", a);
    for (off_t at = 0; at < size;) {
        /* Gigabytes of holes need not be read. */
        off_t next = lseek(one, at, SEEK_DATA), other = lseek(two, at, SEEK_DATA);

        at = next < 0 ? size : next;
        if (other >= 0 && other < at)
            at = other;
        ssize_t n = pread(one, x, sizeof(x), at);
        if (at >= size)
            break;
        ck_assert_msg(n > 0 && pread(two, y, (size_t)n, at) == n &&
                          memcmp(x, y, (size_t)n) == 0,
                      "%s differs near %jd", a, (intmax_t)at);
        at += n;
    }
}

static inline void packing_same_xattrs(const char *a, const char *b)
{
    char names[8192], x[8192], y[8192];
    ssize_t n = llistxattr(a, names, sizeof(names));

    ck_assert_msg(llistxattr(b, y, sizeof(y)) == n, "%s", a);
    for (const char *name = names; name < names + (n > 0 ? n : 0);
         name += strlen(name) + 1) {
        ssize_t size = lgetxattr(a, name, x, sizeof(x));

        ck_assert_msg(size >= 0 && lgetxattr(b, name, y, sizeof(y)) == size &&
                          memcmp(x, y, (size_t)size) == 0,
                      "%s: %s", a, name);
    }
}

static inline int packing_same_one(const char *path, const struct stat *a, int type,
                                   struct FTW *ftw)
{
    char other[PATH_MAX], x[4096], y[4096];
    struct stat b;

    (void)snprintf(other, sizeof(other), "%s%s", packing_b, path + strlen(packing_a));
    ck_assert_msg(lstat(other, &b) == 0, "%s: %m", other);
    ck_assert_msg(a->st_mode == b.st_mode && a->st_uid == b.st_uid &&
                      a->st_gid == b.st_gid && a->st_mtime == b.st_mtime,
                  "%s: mode %o %o, owner %u:%u %u:%u, time %jd %jd", path, a->st_mode,
                  b.st_mode, a->st_uid, a->st_gid, b.st_uid, b.st_gid,
                  (intmax_t)a->st_mtime, (intmax_t)b.st_mtime);
    ck_assert_msg(S_ISDIR(a->st_mode) || a->st_nlink == b.st_nlink, "%s: links", path);
    if (S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode))
        ck_assert_msg(a->st_rdev == b.st_rdev, "%s", path);
    if (!S_ISDIR(a->st_mode))
        ck_assert_msg(a->st_size == b.st_size, "%s: size", path);
    packing_same_xattrs(path, other);
    if (S_ISREG(a->st_mode)) {
        packing_same_content(path, other, a->st_size);
        /* Where there was a hole is one, but for less than 1 MiB at each end. */
        ck_assert_msg(b.st_blocks <= a->st_blocks + 8192, "%s: no holes", path);
    }
    if (S_ISLNK(a->st_mode)) {
        ssize_t n = readlink(path, x, sizeof(x));

        ck_assert_msg(n > 0 && n == readlink(other, y, sizeof(y)) &&
                          memcmp(x, y, (size_t)n) == 0,
                      "%s", path);
    }
    packing_compared++;
    return 0;
}

static inline int packing_count(const char *path, const struct stat *st, int type,
                                struct FTW *ftw)
{
    packing_counted++;
    return 0;
}

/* All of one directory, and nothing more, is in the other. */
static inline void packing_same(const char *a, const char *b)
{
    packing_a = a;
    packing_b = b;
    packing_compared = packing_counted = 0;
    ck_assert_int_eq(nftw(a, packing_same_one, 16, FTW_PHYS), 0);
    ck_assert_int_eq(nftw(b, packing_count, 16, FTW_PHYS), 0);
    ck_assert_uint_eq(packing_counted, packing_compared);
}

static inline bool packing_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* How many names there are in the test's own directory. */
static inline unsigned packing_names(void)
{
    cleanup_dir DIR *dir = opendir(tree_path);
    unsigned n = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        n++;
    return n - 2;
}

#define packing_unpack()                                                                 \
    ck_assert_msg(                                                                       \
        vitrine_unpack(packing_image, packing_out, &packing_watch, &packing_err) == 0,   \
        "%s", packing_err.text)

#define packing_fails(call, wanted, words)                                               \
    do {                                                                                 \
        ck_assert_int_eq(call, -1);                                                      \
        ck_assert_msg(packing_err.code == (wanted), "code %d: %s", packing_err.code,     \
                      packing_err.text);                                                 \
        ck_assert_msg(strstr(packing_err.text, words) != NULL, "%s", packing_err.text);  \
    } while (0)

/* The whole image file, to be damaged. The caller frees it. */
static inline uint8_t *packing_bytes(size_t *ret_size)
{
    cleanup_fd int fd = open(packing_image, O_RDONLY | O_CLOEXEC);
    uint8_t *data = NULL;

    ck_assert_int_eq(fd_read_all(fd, 1 << 26, (char **)&data, ret_size), 0);
    return data;
}

static uint64_t packing_seed = 42;

/* The same numbers in each run (Knuth's MMIX). */
static inline uint32_t packing_random(uint32_t below)
{
    packing_seed =
        packing_seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(packing_seed >> 33) % below;
}

#define PACKING_MAIN(make_suite)                                                         \
    int main(void)                                                                       \
    {                                                                                    \
        const char *why = packing_cannot();                                              \
                                                                                         \
        if (why) {                                                                       \
            (void)printf("1..0 # SKIP %s\n", why);                                       \
            return getenv("VITRINE_MUST_WORK") ? EXIT_FAILURE : EXIT_SUCCESS;            \
        }                                                                                \
        SRunner *runner = srunner_create(make_suite());                                  \
        srunner_set_tap(runner, "-");                                                    \
        srunner_run_all(runner, CK_SILENT);                                              \
        srunner_free(runner);                                                            \
        return EXIT_SUCCESS;                                                             \
    }

#endif
