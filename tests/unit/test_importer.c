/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/importer.h"
#include "base/fd.h"
#include "store/store.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIGEST                                                                           \
    "sha256:"                                                                            \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static char home[64];
static struct config *config;

static void configure(const char *text)
{
    struct vitrine_error err;

    ck_assert_msg(config_parse("conf", text, strlen(text), &config, &err) == 0, "%s",
                  err.text);
}

static void begin(void)
{
    (void)snprintf(home, sizeof(home), "/tmp/vitrine-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(home));
    configure("");
}

static void end(void)
{
    char command[128];

    config_free(config);
    (void)snprintf(command, sizeof(command), "rm -rf %s", home);
    ck_assert_int_eq(system(command), 0);
    /* Nothing is left behind, not even a zombie. */
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}

static struct vitrine_spec spec_of(const char *image)
{
    return (struct vitrine_spec){.image = image,
                                 .identity = {.user = "me", .home = home}};
}

/* Puts an image into the cache that consists of its own digest. */
static void plant(const char *digest)
{
    struct store_file *file;
    struct store store;
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/.cache/vitrine", home);
    ck_assert_int_eq(store_open(path, 0, false, &store, NULL), 0);
    ck_assert_int_eq(store_create(&store, digest, &file, &fd, NULL), 0);
    ck_assert_int_eq(fd_write_full(fd, digest, strlen(digest)), 0);
    ck_assert_int_eq(store_commit(file, NULL), 0);
    store_discard(file);
    store_close(&store);
}

static void read_text(int fd, char *buf, size_t size)
{
    ssize_t n = pread(fd, buf, size - 1, 0);

    ck_assert_int_ge(n, 0);
    buf[n] = '\0';
    (void)close(fd);
}

START_TEST(program_gets_what_it_needs_and_no_more)
{
    static const char *const env[] = {"A=b", "LD_PRELOAD=/x.so", "https_proxy=p",
                                      "LD_LIBRARY_PATH=/l", NULL};
    static const char *const search[] = {"/usr", NULL};
    struct vitrine_spec spec = spec_of("docker://x/good");
    char digest[VITRINE_DIGEST_MAX], said[4096], want[4096];
    int fd;

    spec.environ = env;
    spec.search = search;
    spec.step = "1.2";
    spec.until = 99;
    spec.image_digest = "sha256:" HEX;
    spec.talk = VITRINE_TALK_NOT;
    ck_assert_int_eq(importer_open(config, &spec, spec.image, digest, &fd, NULL), 0);
    ck_assert_str_eq(digest, DIGEST);
    read_text(fd, said, sizeof(said));
    (void)snprintf(want, sizeof(want),
                   "vitrine-import\n-\ndocker://x/good\nsha256:" HEX
                   "\nme\n%s\n1.2\n99\nquiet\nA=b\nhttps_proxy=p\n/usr\n",
                   home);
    ck_assert_str_eq(said, want);
}
END_TEST

START_TEST(what_is_not_known_is_a_dash)
{
    struct vitrine_spec spec = spec_of("docker://x/good");
    char digest[VITRINE_DIGEST_MAX], said[4096], want[4096], dir[1024];
    int fd;

    spec.image_digest = "sha256:what a user may put there";
    ck_assert_int_eq(importer_open(config, &spec, spec.image, digest, &fd, NULL), 0);
    read_text(fd, said, sizeof(said));
    (void)snprintf(want, sizeof(want),
                   "vitrine-import\n-\ndocker://x/good\n-\nme\n%s\n-\n-\nplain\n%s\n",
                   home, getcwd(dir, sizeof(dir)));
    ck_assert_str_eq(said, want);
}
END_TEST

START_TEST(failures_are_told)
{
    static const struct {
        const char *image, *text;
        enum vitrine_errcode code;
    } cases[] = {
        {"docker://x/bad", "cannot import image docker://x/bad: there is no such image",
         VITRINE_ENOIMAGE},
        {"docker://x/worse", "cannot import image docker://x/worse: xxxx",
         VITRINE_EINTERNAL},
        {"docker://x/odd", "the program that imports images, ", VITRINE_EINTERNAL},
        {"docker://x/without-image", "the program that imports", VITRINE_EINTERNAL},
        {"docker://x/directory", "the program that imports", VITRINE_EINTERNAL},
        {"docker://x/silent", "the program that imports images, ", VITRINE_EINTERNAL},
        {"docker://x/killed",
         "the process that imports image docker://x/killed was killed (out of memory?)",
         VITRINE_EINTERNAL},
        {"docker://x/interrupted",
         "the import of image docker://x/interrupted was ended by signal 2 (Interrupt)",
         VITRINE_EINTERNAL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct vitrine_spec spec = spec_of(cases[i].image);
        struct vitrine_error err = {0};
        char digest[VITRINE_DIGEST_MAX] = "before";
        int fd = -2, next = dup(0);

        ck_assert_int_eq(importer_open(config, &spec, spec.image, digest, &fd, &err), -1);
        ck_assert_msg(strncmp(err.text, cases[i].text, strlen(cases[i].text)) == 0, "%s",
                      err.text);
        ck_assert_int_eq(err.code, cases[i].code);
        ck_assert_str_eq(digest, "before");
        ck_assert_int_eq(fd, -2);
        (void)close(next);
        fd = dup(0);
        ck_assert_int_eq(fd, next);
        (void)close(fd);
    }
}
END_TEST

START_TEST(signal_that_is_blocked_ends_the_import)
{
    struct vitrine_spec spec = spec_of("docker://x/waits");
    char digest[VITRINE_DIGEST_MAX];
    struct vitrine_error err;
    sigset_t set;
    int fd;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)raise(SIGTERM);
    ck_assert_int_eq(importer_open(config, &spec, spec.image, digest, &fd, &err), -1);
    ck_assert_str_eq(err.text, "the import of image docker://x/waits was cancelled");
    (void)signal(SIGTERM, SIG_IGN);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}
END_TEST

START_TEST(image_in_the_cache_needs_no_program)
{
    static const struct {
        const char *image, *pinned;
    } cases[] = {
        {"docker://x/killed", "sha256:" HEX},
        {"docker://x/killed@sha256:" HEX, NULL},
        {"docker://x/killed@" DIGEST, "sha256:" HEX},
    };

    plant("sha256:" HEX);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct vitrine_spec spec = spec_of(cases[i].image);
        char digest[VITRINE_DIGEST_MAX], said[128];
        int fd = -1;

        spec.image_digest = cases[i].pinned;
        ck_assert_int_eq(importer_open(config, &spec, spec.image, digest, &fd, NULL), 0);
        ck_assert_str_eq(digest, "sha256:" HEX);
        read_text(fd, said, sizeof(said));
        ck_assert_str_eq(said, "sha256:" HEX);
    }
}
END_TEST

START_TEST(image_in_the_cache_is_leased_to_a_job)
{
    struct vitrine_spec spec = spec_of("docker://x/killed");
    char digest[VITRINE_DIGEST_MAX], path[256];
    struct stat st;
    int fd;

    plant("sha256:" HEX);
    spec.image_digest = "sha256:" HEX;
    spec.job = "77";
    spec.until = 2000000000;
    ck_assert_int_eq(importer_open(config, &spec, spec.image, digest, &fd, NULL), 0);
    (void)close(fd);
    (void)snprintf(path, sizeof(path), "%s/.cache/vitrine/leases/sha256-" HEX ".77",
                   home);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mtime, 2000000000);
}
END_TEST

START_TEST(cache_that_cannot_be_used_is_told_as_such)
{
    struct vitrine_spec spec = spec_of("docker://x/good");
    char digest[VITRINE_DIGEST_MAX], path[128];
    struct vitrine_error err;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/.cache", home);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    ck_assert_int_eq(importer_open(config, &spec, spec.image, digest, &fd, &err), -1);
    ck_assert_int_eq(err.code, VITRINE_ECACHE);
    spec.identity.home = NULL;
    ck_assert_int_eq(importer_open(config, &spec, spec.image, digest, &fd, &err), -1);
    ck_assert_int_eq(err.code, VITRINE_ECACHE);
}
END_TEST

START_TEST(early_import_leaves_to_nodes_what_is_theirs)
{
    static const char *const search[] = {"/usr", NULL};
    static const struct {
        const char *conf, *image;
    } cases[] = {
        {"", "/no/such/file"},
        {"", "x/good:1"},
        {"ImportOn=node", "docker://x/good"},
        {"Compat=pyxis", "bin"},
        {"Compat=pyxis\nImageDir=/no/such/directory", "good"},
        {"Compat=pyxis\nImageDir=/usr/share", "doc"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct vitrine_spec spec = spec_of(cases[i].image);
        char digest[VITRINE_DIGEST_MAX] = "before";

        config_free(config);
        configure(cases[i].conf);
        spec.search = search;
        ck_assert_int_eq(vitrine_import_early((void *)config, &spec, digest, NULL), 0);
        ck_assert_msg(digest[0] == '\0', "%s", cases[i].image);
    }
}
END_TEST

START_TEST(early_import_tells_the_digest)
{
    static const struct {
        const char *conf, *image;
    } cases[] = {
        {"", "docker://x/good"},
        {"Compat=pyxis", "x.y/good"},
        {"Compat=pyxis\nImageDir=/usr/share", "x/good"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct vitrine_spec spec = spec_of(cases[i].image);
        char digest[VITRINE_DIGEST_MAX] = "before";

        config_free(config);
        configure(cases[i].conf);
        ck_assert_int_eq(vitrine_import_early((void *)config, &spec, digest, NULL), 0);
        ck_assert_str_eq(digest, DIGEST);
    }
}
END_TEST

static Suite *importer_suite(void)
{
    Suite *suite = suite_create("importer");
    TCase *tc = tcase_create("importer");

    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_test(tc, program_gets_what_it_needs_and_no_more);
    tcase_add_test(tc, what_is_not_known_is_a_dash);
    tcase_add_test(tc, failures_are_told);
    tcase_add_test(tc, signal_that_is_blocked_ends_the_import);
    tcase_add_test(tc, image_in_the_cache_needs_no_program);
    tcase_add_test(tc, image_in_the_cache_is_leased_to_a_job);
    tcase_add_test(tc, cache_that_cannot_be_used_is_told_as_such);
    tcase_add_test(tc, early_import_leaves_to_nodes_what_is_theirs);
    tcase_add_test(tc, early_import_tells_the_digest);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(importer_suite)
