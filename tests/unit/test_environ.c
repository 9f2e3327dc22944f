/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "environ/environ.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "memfile.h"

/* Texts with "|" between their words stand for lists. */
#define WORDS 32

struct words {
    char text[2048];
    const char *list[WORDS + 1];
};

static const char *const *split(struct words *words, const char *text)
{
    size_t n = 0;

    if (!text)
        return NULL;
    (void)snprintf(words->text, sizeof(words->text), "%s", text);
    for (char *p = words->text, *word; (word = strsep(&p, "|"));) {
        ck_assert_uint_lt(n, WORDS);
        words->list[n++] = word;
    }
    words->list[n] = NULL;
    return words->list;
}

struct environ_case {
    const char *host, *image, *keep, *expected; /* as memfile_text(), without marks */
};

static bool is_seen(void *arg, const char *dir)
{
    return strncmp(dir, "/home/", 6) == 0;
}

/* Without the marks, which have a test of their own. */
static void drop_marks(char *text)
{
    char *to = text, *word, *from = text;
    cleanup_free char *copy = strdup(text);

    ck_assert_ptr_nonnull(copy);
    for (from = copy; (word = strsep(&from, "|"));)
        if (strncmp(word, "VITRINE_", 8) != 0)
            to += sprintf(to, "%s%s", to > text ? "|" : "", word);
    *to = '\0';
}

static char *changes(const struct environ_spec *template, const struct environ_case *c)
{
    struct words host, image, keep;
    struct environ_spec spec = *template;
    struct vitrine_error err = {0};
    cleanup_fd int fd = memfile_open();

    spec.host = split(&host, c->host);
    spec.image = split(&image, c->image);
    spec.keep = split(&keep, c->keep);
    if (!spec.image_name)
        spec.image_name = "/images/a";
    if (!spec.visible)
        spec.visible = is_seen;
    ck_assert_msg(environ_write(&spec, fd, &err) == 0, "%s", err.text);
    return memfile_text(fd);
}

static void check_all(const struct environ_spec *template,
                      const struct environ_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *got = changes(template, &cases[i]);

        drop_marks(got);
        ck_assert_msg(strcmp(got, cases[i].expected) == 0, "case %zu: %s instead of %s",
                      i, got, cases[i].expected);
    }
}

#define CHECK_ALL(template, cases)                                                       \
    check_all(template, cases, sizeof(cases) / sizeof(*(cases)))

static const struct environ_spec plain = {0};

/* PATH is in all of these, so that it does not change. */
#define P "PATH=/bin|"

START_TEST(image_wins_and_what_only_the_host_has_stays)
{
    static const struct environ_case cases[] = {
        {P "A=host", "PATH=/bin|A=image", NULL, "A=image"},
        {P "A=host", "PATH=/bin|A=", NULL, "A="},
        {P "A=host", "PATH=/bin|B=image", NULL, "B=image"},
        {P "A=host", "PATH=/bin|A=host", NULL, ""},
        {P "A=host|LD_BIND_NOW=1|LANG=C|PYTHONPATH=/x", "PATH=/bin", NULL, ""},
        {P "LANG=de_DE.UTF-8", "PATH=/bin|LANG=C.UTF-8", NULL, "LANG=C.UTF-8"},
    };

    CHECK_ALL(&plain, cases);
}
END_TEST

START_TEST(what_is_of_the_job_the_user_and_the_node_is_the_hosts)
{
    static const struct environ_case cases[] = {
        {P "HOME=/home/ada", "PATH=/bin|HOME=/root|USER=root|SHELL=/bin/ash", NULL, ""},
        {"PATH=/bin", "PATH=/bin|SLURM_PROCID=7|PMIX_RANK=7|PMI_RANK=7", NULL, ""},
        {P "SLURM_PROCID=0", "PATH=/bin|SLURM_PROCID=7", NULL, ""},
        {P "CUDA_VISIBLE_DEVICES=1", "PATH=/bin|CUDA_VISIBLE_DEVICES=0", NULL, ""},
        {"PATH=/bin", "PATH=/bin|TMPDIR=/x|PWD=/x|HOSTNAME=x|TZ=UTC|DISPLAY=:0", NULL,
         ""},
        {"PATH=/bin", "PATH=/bin|SSH_AUTH_SOCK=/x|KRB5CCNAME=x|XDG_RUNTIME_DIR=/x", NULL,
         ""},
        {"PATH=/bin", "PATH=/bin|VITRINE_CONTAINER_IMAGE=x|VITRINE_HOST_PATH=x", NULL,
         ""},
    };

    CHECK_ALL(&plain, cases);
}
END_TEST

START_TEST(host_wins_where_it_says_something)
{
    static const struct environ_case cases[] = {
        {P "OMP_NUM_THREADS=4", "PATH=/bin|OMP_NUM_THREADS=1", NULL, ""},
        {"PATH=/bin", "PATH=/bin|OMP_NUM_THREADS=1", NULL, "OMP_NUM_THREADS=1"},
        {P "NVIDIA_VISIBLE_DEVICES=void", "PATH=/bin|NVIDIA_VISIBLE_DEVICES=all", NULL,
         ""},
        {"PATH=/bin", "PATH=/bin|NVIDIA_VISIBLE_DEVICES=all", NULL,
         "NVIDIA_VISIBLE_DEVICES=all"},
        {P "https_proxy=a", "PATH=/bin|https_proxy=b|HTTPS_PROXY=b", NULL,
         "HTTPS_PROXY=b"},
        {P "NCCL_DEBUG=INFO", "PATH=/bin|NCCL_DEBUG=WARN|NCCL_VERSION=2", NULL,
         "NCCL_VERSION=2"},
    };

    CHECK_ALL(&plain, cases);
}
END_TEST

START_TEST(hosts_libraries_are_dropped)
{
    static const struct environ_case cases[] = {
        {P "LD_LIBRARY_PATH=/h|LD_PRELOAD=/p|LD_AUDIT=/a|LOCPATH=/l|GCONV_PATH=/g|"
           "LD_ORIGIN_PATH=/o",
         "PATH=/bin", NULL,
         "-LD_LIBRARY_PATH|-LD_PRELOAD|-LD_AUDIT|-LOCPATH|-GCONV_PATH|-LD_ORIGIN_PATH"},
        {P "LD_LIBRARY_PATH=/h", "PATH=/bin|LD_LIBRARY_PATH=/i", NULL,
         "LD_LIBRARY_PATH=/i"},
        {"PATH=/bin", "PATH=/bin|LD_LIBRARY_PATH=/i", NULL, "LD_LIBRARY_PATH=/i"},
        {P "LD_LIBRARY_PATH=/h", "PATH=/bin", "LD_LIBRARY_PATH", ""},
        {P "LD_LIBRARY_PATH=/h", "PATH=/bin|LD_LIBRARY_PATH=/i", "LD_LIBRARY_PATH", ""},
        {P "LD_LIBRARY_PATH=/h|LD_PRELOAD=/p", "PATH=/bin", "LD_PRELOAD|LD_LIBRARY",
         "-LD_LIBRARY_PATH"},
    };

    CHECK_ALL(&plain, cases);
}
END_TEST

START_TEST(kept_names_stay_as_they_are)
{
    static const struct environ_case cases[] = {
        {P "A=host|B=host", "PATH=/bin|A=image|B=image", "A", "B=image"},
        {"PATH=/bin", "PATH=/bin|A=image", "A", "A=image"},
        {P "A=", "PATH=/bin|A=image", "A", ""},
        {P "AB=host", "PATH=/bin|AB=image", "A|B|ABC|", "AB=image"},
        {"PATH=/usr/bin:/x", "PATH=/bin", "PATH", ""},
        {"A=1", "PATH=/bin", "PATH", "PATH=/bin"},
    };

    CHECK_ALL(&plain, cases);
}
END_TEST

START_TEST(path_is_merged)
{
    static const struct environ_spec slurm = {.last = "/slurm"},
                                     pyxis = {.last = "/slurm", .pyxis = true};
    static const struct environ_case merged[] = {
        {"PATH=/usr/bin:/home/a/bin", "PATH=/i", NULL, "PATH=/i:/home/a/bin:/slurm"},
        {"PATH=/usr/bin:/home/a/bin", "PATH=bin", NULL,
         "PATH=" SEARCHPATH_DEFAULT ":/home/a/bin:/slurm"},
        {"PATH=/h", NULL, NULL, "PATH=" SEARCHPATH_DEFAULT ":/slurm"},
        {NULL, "PATH=/i", NULL, "PATH=/i:/slurm"},
        {"PATH=/home/v/bin:/h|VIRTUAL_ENV=/home/v", "PATH=/i|VIRTUAL_ENV=/opt/v", NULL,
         "PATH=/home/v/bin:/i:/slurm"},
        {"PATH=/home/v/bin", "PATH=/i|VIRTUAL_ENV=/home/v", NULL,
         "PATH=/i:/home/v/bin:/slurm|VIRTUAL_ENV=/home/v"},
        {"PATH=/h:/usr/bin", "PATH=/i", "PATH", "PATH=/h:/usr/bin:/slurm"},
    };
    static const struct environ_case alone[] = {
        {"PATH=/usr/bin:/home/a/bin", "PATH=/i", NULL, "PATH=/i:/slurm"},
        {"PATH=/home/a/bin", NULL, NULL, "PATH=" SEARCHPATH_DEFAULT ":/slurm"},
        {"PATH=/h", "PATH=/i", "PATH", "PATH=/h:/slurm"},
        {"PATH=/h", "PATH=/i:/slurm", NULL, "PATH=/i:/slurm"},
    };

    CHECK_ALL(&slurm, merged);
    CHECK_ALL(&pyxis, alone);
}
END_TEST

START_TEST(pyxis_drops_the_hosts_language)
{
    static const struct environ_spec pyxis = {.pyxis = true};
    static const struct environ_case cases[] = {
        {P "LANG=a|LANGUAGE=b|LC_ALL=c|LC_CTYPE=d", "PATH=/bin", NULL,
         "-LANG|-LANGUAGE|-LC_ALL"},
        {P "LANG=a|LC_ALL=c", "PATH=/bin|LANG=C", NULL, "LANG=C|-LC_ALL"},
        {P "LANG=a|LC_ALL=c", "PATH=/bin|LANG=C", "LANG|LC_ALL", ""},
        {P "A=1", "PATH=/bin", NULL, ""},
    };

    CHECK_ALL(&pyxis, cases);
}
END_TEST

START_TEST(fake_root_is_root)
{
    static const struct environ_spec root = {.fake_root = true},
                                     home = {.fake_root = true, .home = "/root"};
    static const struct environ_case stays[] = {
        {P "HOME=/home/a|USER=a|LOGNAME=a", "PATH=/bin", NULL, "USER=root|LOGNAME=root"},
        {P "USER=a|LOGNAME=a", "PATH=/bin", "USER", "LOGNAME=root"},
    };
    static const struct environ_case moves[] = {
        {P "HOME=/home/a|USER=a|LOGNAME=a", "PATH=/bin|HOME=/x", NULL,
         "HOME=/root|USER=root|LOGNAME=root"},
        {P "HOME=/home/a", "PATH=/bin", "HOME", "USER=root|LOGNAME=root"},
    };

    CHECK_ALL(&root, stays);
    CHECK_ALL(&home, moves);
}
END_TEST

START_TEST(marks_tell_where_the_task_comes_from)
{
    static const struct environ_case first = {"PATH=/h|LD_PRELOAD=/p|A=1", "PATH=/i",
                                              NULL, NULL};
    cleanup_free char *text = changes(&plain, &first);

    ck_assert_str_eq(text, "PATH=/i|VITRINE_HOST_LD_PRELOAD=/p|VITRINE_HOST_PATH=/h|"
                           "VITRINE_IMAGE=/images/a|-LD_PRELOAD");
}
END_TEST

START_TEST(step_from_the_same_image_changes_nothing)
{
    static const struct environ_spec root = {.fake_root = true, .home = "/root"};
    static const struct environ_case cases[] = {
        {"PATH=/x|LD_LIBRARY_PATH=/mine|A=mine|VITRINE_IMAGE=/images/a|"
         "VITRINE_HOST_PATH=/h",
         "PATH=/i|A=image|B=image|LD_LIBRARY_PATH=/i", NULL, ""},
    };
    static const struct environ_case as_root[] = {
        {"PATH=/x|HOME=/root|USER=root|LOGNAME=root|VITRINE_IMAGE=/images/a|"
         "VITRINE_HOST_HOME=/home/a|VITRINE_HOST_USER=a|VITRINE_HOST_LOGNAME=a",
         NULL, NULL, ""},
        {"PATH=/x|HOME=/home/a|USER=a|LOGNAME=a|VITRINE_IMAGE=/images/a", NULL, NULL,
         "HOME=/root|USER=root|LOGNAME=root"},
    };
    static const struct environ_case no_longer[] = {
        {as_root[0].host, NULL, NULL,
         "HOME=/home/a|USER=a|LOGNAME=a|-VITRINE_HOST_HOME|"
         "-VITRINE_HOST_USER|-VITRINE_HOST_LOGNAME"},
    };

    CHECK_ALL(&plain, cases);
    CHECK_ALL(&root, as_root);
    CHECK_ALL(&plain, no_longer);
}
END_TEST

START_TEST(step_in_another_image_starts_from_the_host)
{
    static const struct environ_case inside = {
        "PATH=/a:/home/a/bin|LD_LIBRARY_PATH=/a/lib|USER=root|VITRINE_IMAGE=/images/b|"
        "VITRINE_HOST_PATH=/home/a/bin:/usr/bin|VITRINE_HOST_USER=a|"
        "VITRINE_HOST_LD_LIBRARY_PATH=/h",
        "PATH=/i", NULL, NULL};
    static const struct environ_case kept = {inside.host, "PATH=/i",
                                             "LD_LIBRARY_PATH|PATH", NULL};
    cleanup_free char *text = changes(&plain, &inside);
    cleanup_free char *with = changes(&plain, &kept);

    ck_assert_str_eq(text, "PATH=/i:/home/a/bin|USER=a|VITRINE_IMAGE=/images/a|"
                           "-LD_LIBRARY_PATH|-VITRINE_HOST_USER");
    ck_assert_str_eq(with, "PATH=/home/a/bin:/usr/bin|LD_LIBRARY_PATH=/h|USER=a|"
                           "VITRINE_IMAGE=/images/a|-VITRINE_HOST_USER");
}
END_TEST

START_TEST(restore_undoes_what_can_be)
{
    static const struct {
        const char *host, *expected;
    } cases[] = {
        {"PATH=/a|LD_LIBRARY_PATH=/a|A=1", ""},
        {"PATH=/a|VITRINE_HOST_PATH=/h", ""},
        {"PATH=/a|VITRINE_IMAGE=/i|VITRINE_HOST_PATH=/h",
         "PATH=/h|-VITRINE_IMAGE|-VITRINE_HOST_PATH"},
        {"PATH=/a|VITRINE_IMAGE=/i", "-VITRINE_IMAGE"},
        {"PATH=/a|LD_LIBRARY_PATH=/a|LOCPATH=/a|A=1|VITRINE_IMAGE=/i|VITRINE_HOST_PATH=/"
         "h|"
         "VITRINE_HOST_LD_LIBRARY_PATH=/l",
         "PATH=/h|LD_LIBRARY_PATH=/l|-LOCPATH|-VITRINE_IMAGE|-VITRINE_HOST_PATH|"
         "-VITRINE_HOST_LD_LIBRARY_PATH"},
        {"PATH=/a|HOME=/root|USER=root|VITRINE_IMAGE=/i|VITRINE_HOST_HOME=/home/a|"
         "VITRINE_HOST_USER=a",
         "HOME=/home/a|USER=a|-VITRINE_IMAGE|-VITRINE_HOST_HOME|-VITRINE_HOST_USER"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct words host;
        struct vitrine_error err;
        cleanup_fd int fd = memfile_open();

        ck_assert_int_eq(environ_restore(split(&host, cases[i].host), fd, &err), 0);
        cleanup_free char *got = memfile_text(fd);
        ck_assert_str_eq(got, cases[i].expected);
    }
    cleanup_fd int fd = memfile_open();
    ck_assert_int_eq(environ_restore(NULL, fd, NULL), 0);
}
END_TEST

START_TEST(path_that_no_program_could_have_is_an_error)
{
    static char path[LIMIT_ENV_STRING];
    static const char *host[] = {path, NULL};
    struct environ_spec spec = {
        .host = host, .image_name = "/images/a", .visible = is_seen};
    struct vitrine_error err = {0};
    cleanup_fd int fd = memfile_open();

    memset(path, 'x', sizeof(path) - 1);
    memcpy(path, "PATH=/home/", 11);
    ck_assert_int_eq(environ_write(&spec, fd, &err), -1);
    ck_assert_int_eq(err.code, VITRINE_EUSAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "PATH would be longer"));
    spec.visible = NULL;
    ck_assert_int_eq(environ_write(&spec, fd, &err), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("environ");
    TCase *tc = tcase_create("environ");

    tcase_add_test(tc, image_wins_and_what_only_the_host_has_stays);
    tcase_add_test(tc, what_is_of_the_job_the_user_and_the_node_is_the_hosts);
    tcase_add_test(tc, host_wins_where_it_says_something);
    tcase_add_test(tc, hosts_libraries_are_dropped);
    tcase_add_test(tc, kept_names_stay_as_they_are);
    tcase_add_test(tc, path_is_merged);
    tcase_add_test(tc, pyxis_drops_the_hosts_language);
    tcase_add_test(tc, fake_root_is_root);
    tcase_add_test(tc, marks_tell_where_the_task_comes_from);
    tcase_add_test(tc, step_from_the_same_image_changes_nothing);
    tcase_add_test(tc, step_in_another_image_starts_from_the_host);
    tcase_add_test(tc, restore_undoes_what_can_be);
    tcase_add_test(tc, path_that_no_program_could_have_is_an_error);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
