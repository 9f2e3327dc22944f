/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/meta.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "tree.h"

#define ENVIRONMENT  "etc/environment"
#define RC           "etc/rc"
#define CHARLIECLOUD "ch/environment"
#define APPTAINER    ".singularity.d/env/10-docker2singularity.sh"
#define RUNSCRIPT    ".singularity.d/runscript"
#define VITRINE      ".vitrine/config"

#define ENROOT_RC                                                                        \
    "mkdir -p \"/work\" 2> /dev/null\ncd \"/work\" && unset OLDPWD || exit 1\n\n"        \
    "if [ -s /etc/rc.local ]; then\n    . /etc/rc.local\nfi\n\n"                         \
    "if [ $# -gt 0 ]; then\n    exec '/ep' \"$@\"\nelse\n    exec '/ep' 'arg'\nfi\n"

static const char *const host[] = {"HOME=/home/ada", NULL};
static struct image_meta meta;

static void read_meta(enum meta_source source)
{
    struct vitrine_error err;

    meta_free(&meta);
    ck_assert_int_eq(meta_read(tree, host, &meta, &err), 0);
    ck_assert_int_eq(meta.source, source);
    ck_assert_ptr_nonnull(meta.env);
}

static void end(void)
{
    meta_free(&meta);
    tree_remove();
}

static void check_env(const char *name, const char *expected)
{
    const char *got = meta_env(&meta, name);

    ck_assert_msg(expected ? got && strcmp(got, expected) == 0 : !got,
                  "%s is %s instead of %s", name, got ? got : "nothing",
                  expected ? expected : "nothing");
}

static void check_list(char *const *list, const char *first, const char *second)
{
    if (!first) {
        ck_assert_ptr_null(list);
        return;
    }
    ck_assert_ptr_nonnull(list);
    ck_assert_str_eq(list[0], first);
    if (second)
        ck_assert_str_eq(list[1], second);
    ck_assert_ptr_null(list[second ? 2 : 1]);
}

static void check_path(const char *expected)
{
    read_meta(expected ? META_PLAIN : META_NONE);
    check_env("PATH", expected);
}

START_TEST(image_without_any_of_the_files_says_nothing)
{
    read_meta(META_NONE);
    ck_assert_ptr_null(meta.env[0]);
    ck_assert_ptr_null(meta.workdir);
    ck_assert_ptr_null(meta.user);
    check_list(meta.entrypoint, NULL, NULL);
    check_list(meta.cmd, NULL, NULL);
    check_list(meta.volumes, NULL, NULL);
}
END_TEST

START_TEST(own_config_says_all)
{
    static const char config[] = "env=PATH=/own\0env=A=$HOME\0workdir=/w\0entrypoint=/e\0"
                                 "cmd=c\0user=root\0volume=/v\0";

    tree_write_bytes(VITRINE, config, sizeof(config) - 1);
    tree_write(RC, ENROOT_RC);
    tree_write(ENVIRONMENT, "PATH=/environment\nB=1\n");
    read_meta(META_VITRINE);
    check_env("PATH", "/own");
    check_env("A", "$HOME");
    check_env("B", NULL);
    check_list(meta.entrypoint, "/e", NULL);
    check_list(meta.cmd, "c", NULL);
    check_list(meta.volumes, "/v", NULL);
    ck_assert_str_eq(meta.workdir, "/w");
    ck_assert_str_eq(meta.user, "root");
    tree_write(VITRINE, "");
    read_meta(META_VITRINE);
    check_env("PATH", NULL);
    check_list(meta.entrypoint, NULL, NULL);
}
END_TEST

START_TEST(enroot_says_all)
{
    tree_write(RC, ENROOT_RC);
    tree_write(ENVIRONMENT, "PATH=/enroot\nH=${HOME}\nQ=\"a b\"\n");
    tree_write("etc/fstab", "${ENROOT_ROOTFS}/v /v none x-create=dir,bind\n");
    tree_write(CHARLIECLOUD, "PATH=/charliecloud\n");
    tree_write(APPTAINER, "export PATH=/apptainer\n");
    read_meta(META_ENROOT);
    check_env("PATH", "/enroot");
    check_env("H", "/home/ada");
    check_env("Q", "a b");
    check_list(meta.entrypoint, "/ep", NULL);
    check_list(meta.cmd, "arg", NULL);
    check_list(meta.volumes, "/v", NULL);
    ck_assert_str_eq(meta.workdir, "/work");
}
END_TEST

START_TEST(rewritten_rc_is_enroots_only_with_its_mark)
{
    tree_write(ENVIRONMENT, "A=${HOME}\nB=1\n");
    tree_write(RC, "#!/bin/sh\nexec /mine\n");
    read_meta(META_PLAIN);
    check_env("A", NULL);
    check_env("B", "1");
    tree_write(RC, "# enroot-provenance: docker://x\nexec /mine\n");
    read_meta(META_ENROOT);
    check_env("A", "/home/ada");
    check_list(meta.entrypoint, NULL, NULL);
}
END_TEST

START_TEST(apptainers_scripts_are_read_in_order)
{
    tree_write(APPTAINER,
               "export A=\"${A:-\"1\"}\"\nexport HOME=\"${HOME:-\"/root\"}\"\n");
    tree_write(".singularity.d/env/90-environment.sh", "export B=$A A=2\nC=${C:-x}\n");
    tree_write(".singularity.d/env/91-environment.sh", "export A=3\n");
    tree_write(".singularity.d/env/01-base.sh", "X=1\n");
    tree_write(".singularity.d/env/94-appsbase.sh", "X=1\n");
    tree_write(".singularity.d/env/95-apps.sh", "X=1\n");
    tree_write(".singularity.d/env/99-base.sh", "X=1\n");
    tree_write(".singularity.d/env/99-runtimevars.sh", "X=1\n");
    tree_write(".singularity.d/env/.hidden.sh", "X=1\n");
    tree_write(".singularity.d/env/notes", "X=1\n");
    tree_write(".singularity.d/env/.sh", "X=1\n");
    read_meta(META_APPTAINER);
    check_env("A", "3");
    check_env("B", "1");
    check_env("C", "x");
    check_env("HOME", "/root");
    check_env("X", NULL);
}
END_TEST

START_TEST(runscript_is_an_entry_point_if_it_may_be_executed)
{
    tree_write(RUNSCRIPT, "#!/bin/sh\n");
    read_meta(META_NONE);
    check_list(meta.entrypoint, NULL, NULL);
    ck_assert_int_eq(fchmodat(tree, RUNSCRIPT, 0755, 0), 0);
    read_meta(META_APPTAINER);
    check_list(meta.entrypoint, "/.singularity.d/runscript", NULL);
    check_list(meta.cmd, NULL, NULL);
    ck_assert_int_eq(unlinkat(tree, RUNSCRIPT, 0), 0);
    ck_assert_int_eq(mkdirat(tree, RUNSCRIPT, 0755), 0);
    read_meta(META_NONE);
}
END_TEST

START_TEST(more_specific_source_wins_if_it_says_something)
{
    tree_write(ENVIRONMENT, "PATH=/environment\nE=1\n");
    check_path("/environment");
    tree_write(CHARLIECLOUD, "PATH=/charliecloud:$HOME\n");
    read_meta(META_CHARLIECLOUD);
    check_env("PATH", "/charliecloud:/home/ada");
    check_env("E", NULL);
    tree_write(APPTAINER, "export PATH=\"/apptainer\"\n");
    read_meta(META_APPTAINER);
    check_env("PATH", "/apptainer");
    /* As in an image that Apptainer built from a directory. */
    tree_write(APPTAINER, "#!/bin/sh\n# nothing\n");
    read_meta(META_CHARLIECLOUD);
    check_env("PATH", "/charliecloud:/home/ada");
}
END_TEST

START_TEST(nul_ends_the_text_and_nothing_more)
{
    static const char early[] = "PATH=/a\0PATH=/b\n", late[] = "\0PATH=/a\n";

    tree_write_bytes(ENVIRONMENT, early, sizeof(early) - 1);
    check_path("/a");
    tree_write_bytes(ENVIRONMENT, late, sizeof(late) - 1);
    check_path(NULL);
}
END_TEST

START_TEST(what_is_no_plain_file_is_neither_waited_for_nor_read)
{
    static const char *const files[] = {CHARLIECLOUD, VITRINE,     RC,
                                        APPTAINER,    "etc/fstab", RUNSCRIPT};

    tree_write(ENVIRONMENT, "PATH=/a\n");
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        tree_mkdirs(files[i]);
        ck_assert_int_eq(mkfifoat(tree, files[i], 0777), 0);
        check_path("/a");
        ck_assert_int_eq(unlinkat(tree, files[i], 0), 0);
        ck_assert_int_eq(mkdirat(tree, files[i], 0755), 0);
        check_path("/a");
    }
}
END_TEST

START_TEST(env_directory_may_be_anything)
{
    tree_write(".singularity.d/env", "PATH=/a\n");
    read_meta(META_NONE);
    ck_assert_int_eq(unlinkat(tree, ".singularity.d/env", 0), 0);
    ck_assert_int_eq(mkfifoat(tree, ".singularity.d/env", 0777), 0);
    read_meta(META_NONE);
    ck_assert_int_eq(unlinkat(tree, ".singularity.d/env", 0), 0);
    ck_assert_int_eq(symlinkat("env", tree, ".singularity.d/env"), 0);
    read_meta(META_NONE);
}
END_TEST

START_TEST(too_long_file_is_not_read)
{
    static char text[LIMIT_META_FILE + 1];

    memset(text, '\n', sizeof(text));
    memcpy(text, "PATH=/a\n", 8);
    tree_write_bytes(ENVIRONMENT, text, sizeof(text) - 1);
    check_path("/a");
    tree_write_bytes(ENVIRONMENT, text, sizeof(text));
    check_path(NULL);
}
END_TEST

START_TEST(links_lead_to_files_of_the_image_alone)
{
    tree_write("inside", "PATH=/inside\n");
    ck_assert_int_eq(mkdirat(tree, "etc", 0755), 0);
    ck_assert_int_eq(symlinkat("/inside", tree, ENVIRONMENT), 0);
    check_path("/inside");
    ck_assert_int_eq(unlinkat(tree, ENVIRONMENT, 0), 0);
    ck_assert_int_eq(symlinkat("../../../../../../../../inside", tree, ENVIRONMENT), 0);
    check_path("/inside");

    static char outside[] = "/var/tmp/vitrine-test-meta.XXXXXX";
    int fd = mkstemp(outside);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "PATH=/outside\n", 14), 14);
    (void)close(fd);
    ck_assert_int_eq(unlinkat(tree, ENVIRONMENT, 0), 0);
    ck_assert_int_eq(symlinkat(outside, tree, ENVIRONMENT), 0);
    check_path(NULL);
    (void)unlink(outside);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("meta");
    TCase *tc = tcase_create("meta");

    tcase_add_checked_fixture(tc, tree_make, end);
    tcase_add_test(tc, image_without_any_of_the_files_says_nothing);
    tcase_add_test(tc, own_config_says_all);
    tcase_add_test(tc, enroot_says_all);
    tcase_add_test(tc, rewritten_rc_is_enroots_only_with_its_mark);
    tcase_add_test(tc, apptainers_scripts_are_read_in_order);
    tcase_add_test(tc, runscript_is_an_entry_point_if_it_may_be_executed);
    tcase_add_test(tc, more_specific_source_wins_if_it_says_something);
    tcase_add_test(tc, nul_ends_the_text_and_nothing_more);
    tcase_add_test(tc, what_is_no_plain_file_is_neither_waited_for_nor_read);
    tcase_add_test(tc, env_directory_may_be_anything);
    tcase_add_test(tc, too_long_file_is_not_read);
    tcase_add_test(tc, links_lead_to_files_of_the_image_alone);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
