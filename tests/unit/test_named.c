/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as whoever runs it: to named.h that is the user. */
#include "container/named.h"
#include "base/cleanup.h"
#include "child.h"
#include "tree.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>

#define IMAGE "/images/a.sqfs"
#define PRINT "0123456789abcdef"

static struct config config = {.scope = CONFIG_SCOPE_USER};
static char room[64];

static void make_room(void)
{
    tree_make();
    (void)snprintf(room, sizeof(room), "user/%u", geteuid());
    tree_mkdirs(room);
    ck_assert_int_eq(mkdirat(tree, room, 0700), 0);
    config.container_dir = tree_path;
}

/* A path in the room. */
static const char *at(const char *name)
{
    static char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", room, name);
    return path;
}

static int count_kept(void)
{
    int fd = openat(tree, room, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
    DIR *dir = fdopendir(fd);

    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n - 2;
}

static int open_as(const char *name, enum vitrine_start start, const char *image,
                   struct named *ret, struct vitrine_error *err)
{
    const struct vitrine_spec spec = {
        .container = name, .start = start, .image = image, .identity.uid = geteuid()};

    return named_open(&config, &spec, ret, err);
}

static void must_open(struct named *ret)
{
    struct vitrine_error err = {0};
    int rc = open_as("a", VITRINE_START_AUTO, IMAGE, ret, &err);

    ck_assert_msg(rc == 0, "%s", err.text);
}

static void must_create(void)
{
    struct named named = NAMED_NONE;

    must_open(&named);
    ck_assert_int_eq(named_prepare(&named, NULL), 0);
    ck_assert_int_eq(named_create(&named, IMAGE, "", PRINT, NULL), 0);
    named_close(&named);
}

static void must_refuse(const char *name, enum vitrine_start start, const char *image,
                        const char *words)
{
    struct named named = NAMED_NONE;
    struct vitrine_error err = {0};

    ck_assert_int_lt(open_as(name, start, image, &named, &err), 0);
    ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
    ck_assert(named.dir < 0 && named.lock < 0 && named.room < 0);
}

/* --- one after the other ---------------------------------------------------------------
 */

START_TEST(what_is_given_up_leaves_nothing)
{
    struct named named = NAMED_NONE;

    must_open(&named);
    ck_assert(named.writing && !named.exists && !named.runs);
    ck_assert_int_eq(count_kept(), 1);
    ck_assert_int_eq(named_prepare(&named, NULL), 0);
    tree_write(at("a/upper/dir/file"), "of an entry point");
    ck_assert_int_eq(mkdirat(tree, at("a/work/work"), 0), 0);
    named_close(&named);
    ck_assert_int_eq(count_kept(), 0);
}
END_TEST

START_TEST(what_is_created_stays_and_says_its_image)
{
    struct named named = NAMED_NONE;

    must_create();
    tree_write(at("a/upper/file"), "text");
    must_open(&named);
    ck_assert(named.writing && named.exists && !named.runs);
    ck_assert_str_eq(named.image, IMAGE);
    ck_assert_str_eq(named.print, PRINT);
    ck_assert_int_eq(named_prepare(&named, NULL), 0);
    ck_assert_int_eq(named_create(&named, "/another", "", "print", NULL), 0);
    named_close(&named);
    ck_assert_str_eq(tree_read(at("a/image")), IMAGE "\n" PRINT "\n");
    ck_assert_str_eq(tree_read(at("a/upper/file")), "text");
}
END_TEST

START_TEST(image_that_was_imported_has_a_digest)
{
    static const char digest[] =
        "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    static const char *const damaged[] = {"sha256:00 docker://x\nprint\n",
                                          "docker://x\nprint\n", " /x\nprint\n", ""};
    struct named named = NAMED_NONE;

    must_open(&named);
    ck_assert_int_eq(named_prepare(&named, NULL), 0);
    ck_assert_int_eq(named_create(&named, "oci:/a b:c", digest, PRINT, NULL), 0);
    named_close(&named);
    named = NAMED_NONE;
    must_open(&named);
    ck_assert(named.exists);
    ck_assert_str_eq(named.image, "oci:/a b:c");
    ck_assert_str_eq(named.digest, digest);
    ck_assert_str_eq(named.print, PRINT);
    named_close(&named);
    for (size_t i = 0; i < sizeof(damaged) / sizeof(*damaged); i++) {
        tree_write(at("a/image"), damaged[i]);
        must_refuse("a", VITRINE_START_AUTO, IMAGE, "is damaged");
    }
}
END_TEST

START_TEST(stale_beginning_does_not_get_into_the_next)
{
    struct named named = NAMED_NONE;

    tree_write(at("a/upper/usr/bin/old"), "text");
    tree_write(at("a/work/work/old"), "text");
    tree_write(at("a/lock"), "");
    tree_write(at("a/image.new"), IMAGE);
    must_open(&named);
    ck_assert(named.writing && !named.exists);
    ck_assert_int_eq(named_prepare(&named, NULL), 0);
    ck_assert_int_eq(faccessat(tree, at("a/upper"), F_OK, 0), 0);
    ck_assert_int_lt(faccessat(tree, at("a/upper/usr"), F_OK, 0), 0);
    ck_assert_int_lt(faccessat(tree, at("a/work/work"), F_OK, 0), 0);
    ck_assert_int_eq(named_create(&named, IMAGE, "", PRINT, NULL), 0);
    named_close(&named);
    ck_assert_str_eq(tree_read(at("a/image")), IMAGE "\n" PRINT "\n");
}
END_TEST

START_TEST(modes_are_obeyed)
{
    must_refuse("a", VITRINE_START_AUTO, NULL, "there is no container a on this node");
    must_refuse("a", VITRINE_START_EXEC, IMAGE, "container a does not run on this node");
    ck_assert_int_eq(count_kept(), 0);
    must_create();
    must_refuse("a", VITRINE_START_EXEC, NULL, "container a does not run on this node");
    must_refuse("a", VITRINE_START_CREATE, IMAGE, "container a exists already");
    must_refuse("1.2", VITRINE_START_AUTO, NULL, "no container of step 1.2 runs");
    ck_assert_int_eq(count_kept(), 1);
}
END_TEST

START_TEST(hostile_names_are_refused)
{
    static const char *const names[] = {"", ".", "..", "/", "a/b", "../a", "a:b", "a b"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        must_refuse(names[i], VITRINE_START_AUTO, IMAGE, "is no name for a container");
    ck_assert_int_eq(count_kept(), 0);
}
END_TEST

START_TEST(damaged_ones_are_refused_and_left_alone)
{
    static char huge[80000];
    static const char *const texts[] = {"",  "\n", "x", "/no-print", "relative\nprint\n",
                                        huge};

    memset(huge, '/', sizeof(huge) - 1);
    tree_write(at("a/upper/file"), "text");
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        tree_write(at("a/image"), texts[i]);
        must_refuse("a", VITRINE_START_AUTO, IMAGE, "container a");
        ck_assert_str_eq(tree_read(at("a/upper/file")), "text");
    }
    ck_assert_int_eq(unlinkat(tree, at("a/image"), 0), 0);
    ck_assert_int_eq(symlinkat("/etc/passwd", tree, at("a/image")), 0);
    must_refuse("a", VITRINE_START_AUTO, IMAGE, "cannot read container a");
    ck_assert_int_eq(unlinkat(tree, at("a/image"), 0), 0);
    ck_assert_int_eq(mkfifoat(tree, at("a/image"), 0600), 0);
    must_refuse("a", VITRINE_START_AUTO, IMAGE, "container a is damaged");
}
END_TEST

START_TEST(links_in_the_way_are_refused)
{
    tree_write("outside/image", IMAGE "\n" PRINT "\n");
    ck_assert_int_eq(symlinkat("../../outside", tree, at("a")), 0);
    must_refuse("a", VITRINE_START_AUTO, IMAGE, "cannot open container a");
    ck_assert_int_eq(unlinkat(tree, at("a"), 0), 0);
    tree_mkdirs(at("a/x"));
    ck_assert_int_eq(symlinkat("../../../outside/lock", tree, at("a/lock")), 0);
    must_refuse("a", VITRINE_START_AUTO, IMAGE, "cannot open container a");
    ck_assert_int_lt(faccessat(tree, "outside/lock", F_OK, 0), 0);
}
END_TEST

START_TEST(room_that_is_not_there_is_told)
{
    ck_assert_int_eq(unlinkat(tree, room, AT_REMOVEDIR), 0);
    must_refuse("a", VITRINE_START_AUTO, IMAGE, "where containers are kept");
}
END_TEST

/* --- at the same time ------------------------------------------------------------------
 */

static void open_and_tell(int tell)
{
    struct named named = NAMED_NONE;
    char state;

    must(open_as("a", VITRINE_START_AUTO, IMAGE, &named, NULL) == 0);
    must(named.writing);
    state = named.exists ? 'e' : 'n';
    must(write(tell, &state, 1) == 1);
    _exit(0);
}

/* The other opens it while this one has it in some state, and waits until it lets go. */
static char await_other(struct named *named, bool create, bool started)
{
    struct pollfd told;
    int tell[2];
    char state = 0;

    ck_assert_int_eq(pipe2(tell, O_CLOEXEC), 0);
    must_open(named);
    ck_assert_int_eq(named_prepare(named, NULL), 0);
    pid_t pid = fork();
    if (pid == 0) {
        /* Its copies of the descriptors would hold the lock. */
        (void)close(named->lock);
        open_and_tell(tell[1]);
    }
    if (create)
        ck_assert_int_eq(named_create(named, IMAGE, "", PRINT, NULL), 0);
    if (started)
        ck_assert_int_eq(named_started(named, NULL), 0);
    told = (struct pollfd){.fd = tell[0], .events = POLLIN};
    ck_assert_int_eq(poll(&told, 1, 100), 0);
    named_close(named);
    ck_assert_int_eq(read(tell[0], &state, 1), 1);
    (void)waitpid(pid, NULL, 0);
    (void)close(tell[0]);
    (void)close(tell[1]);
    return state;
}

START_TEST(others_wait_for_who_prepares)
{
    struct named named = NAMED_NONE;

    ck_assert_int_eq(await_other(&named, false, false), 'n');
    ck_assert_int_eq(await_other(&named, true, false), 'e');
}
END_TEST

/* It has ended before any of its processes was seen. */
START_TEST(others_start_what_has_just_ended)
{
    struct named named = NAMED_NONE;

    ck_assert_int_eq(await_other(&named, true, true), 'e');
}
END_TEST

static void open_often(int times, bool create)
{
    for (int i = 0; i < times; i++) {
        struct named named = NAMED_NONE;
        struct vitrine_error err = {0};
        int rc = open_as("a", VITRINE_START_AUTO, IMAGE, &named, &err);

        if (rc < 0)
            (void)fprintf(stderr, "# %s\n", err.text);
        must(rc == 0 && named.writing);
        must(named_prepare(&named, NULL) == 0);
        must(openat(named.dir, "alone", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) >=
             0);
        must(unlinkat(named.dir, "alone", 0) == 0);
        if (create && i == times / 2)
            must(named_create(&named, IMAGE, "", PRINT, NULL) == 0);
        named_close(&named);
    }
    _exit(0);
}

static void open_by_many(bool create)
{
    enum { MANY = 12, TIMES = 16 };
    pid_t pids[MANY];

    for (int i = 0; i < MANY; i++)
        if ((pids[i] = fork()) == 0)
            open_often(TIMES, create);
    for (int i = 0; i < MANY; i++) {
        int status = -1;

        (void)waitpid(pids[i], &status, 0);
        ck_assert_int_eq(status, 0);
    }
}

START_TEST(each_of_many_has_it_alone)
{
    open_by_many(false);
    ck_assert_int_eq(count_kept(), 0);
    open_by_many(true);
    ck_assert_int_eq(count_kept(), 1);
    ck_assert_str_eq(tree_read(at("a/image")), IMAGE "\n" PRINT "\n");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("named");
    TCase *tc = tcase_create("named");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_room, tree_remove);
    tcase_add_test(tc, what_is_given_up_leaves_nothing);
    tcase_add_test(tc, what_is_created_stays_and_says_its_image);
    tcase_add_test(tc, image_that_was_imported_has_a_digest);
    tcase_add_test(tc, stale_beginning_does_not_get_into_the_next);
    tcase_add_test(tc, modes_are_obeyed);
    tcase_add_test(tc, hostile_names_are_refused);
    tcase_add_test(tc, damaged_ones_are_refused_and_left_alone);
    tcase_add_test(tc, links_in_the_way_are_refused);
    tcase_add_test(tc, room_that_is_not_there_is_told);
    tcase_add_test(tc, others_wait_for_who_prepares);
    tcase_add_test(tc, others_start_what_has_just_ended);
    tcase_add_test(tc, each_of_many_has_it_alone);
    suite_add_tcase(s, tc);
    return s;
}

UNIT_MAIN(make_suite)
