/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/metafile.h"
#include "base/cleanup.h"
#include "unit.h"

#include <string.h>

static const char *const host[] = {"HOME=/home/ada", "EMPTY=", "PATH=/host", "LIST=/x:/y",
                                   NULL};

struct text_case {
    const char *text, *expected; /* words with "|" between them */
};

static char *join(char *const *list)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    for (size_t i = 0; list && list[i]; i++)
        (void)fprintf(out, "%s%s", i ? "|" : "", list[i]);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static void check_all(enum metafile_dialect dialect, const struct text_case *cases,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct metavars vars = {.host = host};

        ck_assert_int_eq(metafile_environment(cases[i].text, dialect, &vars), 0);
        cleanup_free char *got = join(vars.vars.list);
        ck_assert_msg(strcmp(got, cases[i].expected) == 0,
                      "case %zu, %s: %s instead of %s", i, cases[i].text, got,
                      cases[i].expected);
        metalist_free(vars.vars.list);
    }
}

#define CHECK_ALL(dialect, cases)                                                        \
    check_all(dialect, cases, sizeof(cases) / sizeof(*(cases)))

START_TEST(enroot_expands_braces_and_strips_quotes)
{
    static const struct text_case cases[] = {
        {"A=1\nB=2\n", "A=1|B=2"},
        {"A=1", "A=1"},
        {"  A=1\r\n\n# B=2\nC=\n", "A=1|C="},
        {"A=\"a b\"\nB='c d'\n", "A=a b|B=c d"},
        {"A=\"a\nB=b\"\nC=\"\n", "A=\"a|B=b\"|C=\""},
        {"A=${HOME}/x:${NONE}:${EMPTY}\n", "A=/home/ada/x::"},
        {"A=1\nB=${A}${A}\n", "A=1|B=11"},
        {"A=$HOME ${} ${1} ${HOME ${HOME:-x} $(id) `id` $\n",
         "A=$HOME ${} ${1} ${HOME ${HOME:-x} $(id) `id` $"},
        {"A=a;b&&c|d\n", "A=a;b&&c|d"},
        {"PATH=/a:/b\n", "PATH=/a:/b"},
        {"ENROOT_X=1\nENROOT_MOUNT_HOME=y\nENROOTX=1\n", "ENROOTX=1"},
        {"export A=1\nA\nA =1\n=1\n1A=1\nA-B=1\n line two\n", ""},
        {"BASH_FUNC_x%%=() { :; }\n", ""},
        {"", ""},
        {"=", ""},
        {"${HOME}=1\n", ""},
    };

    CHECK_ALL(METAFILE_ENROOT, cases);
}
END_TEST

START_TEST(charliecloud_expands_elements_of_lists)
{
    static const struct text_case cases[] = {
        {"A=1\nB='2'\n", "A=1|B=2"},
        {"A=\"1\"\n", "A=\"1\""},
        {"A='\nB='a\n", "A='|B='a"},
        {"A=/a:$HOME:/b\n", "A=/a:/home/ada:/b"},
        {"A=$HOME\nB=$NONE\nC=$EMPTY\n", "A=/home/ada|B=|C="},
        {"A=$NONE:/b:$EMPTY:$NONE\n", "A=/b"},
        {"A=/a::/b:\n", "A=/a::/b:"},
        {"A=$HOME/x:x$HOME:${HOME}\n", "A=x$HOME"},
        {"A=$:x\n", "A=x"},
        {"A=$LIST:/z\n", "A=/x:/y:/z"},
        {"A=/1\nA=/2:$A\n", "A=/2:/1"},
        {"A=a b \n", "A=a b "},
        {"PATH=/opt/bin:$PATH\n",
         "PATH=/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        {"#A=1\n A=1\nA\n\n=\n", ""},
        {"A=\n", "A="},
    };

    CHECK_ALL(METAFILE_CHARLIECLOUD, cases);
}
END_TEST

START_TEST(plain_file_gives_plain_values)
{
    static const struct text_case cases[] = {
        {"PATH=/a:/b\n", "PATH=/a:/b"},
        {"PATH=\"/a:/b\"\n", "PATH=/a:/b"},
        {"PATH='/a:/b'", "PATH=/a:/b"},
        {"  PATH=/a  \r\n", "PATH=/a"},
        {"LANG=C\nPATH=/a\nX=1\n", "LANG=C|PATH=/a|X=1"},
        {"export PATH=/a\nexport\tA=1\n", "PATH=/a|A=1"},
        {"PATH=/opt/caf\xc3\xa9/bin\n", "PATH=/opt/caf\xc3\xa9/bin"},
        {"A=a b c;d (e)\n", "A=a b c;d (e)"},
    };

    CHECK_ALL(METAFILE_PLAIN, cases);
}
END_TEST

START_TEST(plain_file_is_no_script)
{
    static const struct text_case cases[] = {
        {"A=$(id)\n", ""},
        {"A=`id`\n", ""},
        {"PATH=$PATH:/a\n", ""},
        {"PATH=/b\nPATH=$PATH:/a\n", "PATH=/b"},
        {"A=${HOME}\n", ""},
        {"A=a\\b\n", ""},
        {"A=\"a\n", ""},
        {"A=a\"b\"\n", ""},
        {"A=\"a\":\"b\"\n", ""},
        {"A=\"\n", ""},
        {"# A=1\n", ""},
        {"A =1\n", ""},
        {"exportA=1\n", "exportA=1"},
        {"export\nA\n=1\n", ""},
        {"setenv A 1\nunset A=1\n", ""},
        {"export A\nexport \n   \n", ""},
        {"PATH=bin\nPATH=\n", ""},
    };

    CHECK_ALL(METAFILE_PLAIN, cases);
}
END_TEST

static void check_config(const char *data, size_t size, const char *expected)
{
    struct metavars vars = {0};
    struct metafile_config config = {0};
    char got[1024];

    ck_assert_int_eq(metafile_config(data, size, &vars, &config), 0);
    cleanup_free char *env = join(vars.vars.list);
    cleanup_free char *entrypoint = join(config.entrypoint.list);
    cleanup_free char *cmd = join(config.cmd.list);
    cleanup_free char *volumes = join(config.volumes.list);
    (void)snprintf(got, sizeof(got), "%s;%s;%s;%s;%s;%s", env, entrypoint, cmd, volumes,
                   config.workdir ? config.workdir : "-",
                   config.user ? config.user : "-");
    ck_assert_str_eq(got, expected);
    metalist_free(vars.vars.list);
    metalist_free(config.entrypoint.list);
    metalist_free(config.cmd.list);
    metalist_free(config.volumes.list);
    free(config.workdir);
    free(config.user);
}

#define CONFIG(data, expected) check_config(data, sizeof(data) - 1, expected)

START_TEST(own_config_is_read_record_by_record)
{
    CONFIG("env=A=1\0env=B=a b=\"c\"\n$HOME\0", "A=1|B=a b=\"c\"\n$HOME;;;;-;-");
    CONFIG("entrypoint=/ep\0entrypoint=\0cmd=a\0cmd=b c\0", ";/ep|;a|b c;;-;-");
    CONFIG("workdir=/x\0user=1000:1000\0volume=/d\0volume=/e\0", ";;;/d|/e;/x;1000:1000");
    CONFIG("workdir=/x\0workdir=/y\0user=a\0user=b\0env=A=1\0env=A=2\0", "A=2;;;;/y;b");
    CONFIG("later=1\0env=A=1\0\0\0x\0=\0", "A=1;;;;-;-");
}
END_TEST

START_TEST(bad_records_are_passed_over)
{
    CONFIG("", ";;;;-;-");
    CONFIG("env=A=1", ";;;;-;-");
    CONFIG("env=A=1\0env=B=2", "A=1;;;;-;-");
    CONFIG("env=A\0env=\0env==1\0env=1A=x\0env=PATH=bin\0", ";;;;-;-");
    CONFIG("workdir=x\0workdir=\0user=\0volume=\0volume=x\0", ";;;;-;-");
    CONFIG("ENV=A=1\0environ=A=1\0en=A=1\0 env=A=1\0", ";;;;-;-");
    CONFIG("env\0=A=1\0", ";;;;-;-");
    CONFIG("\0\0\0\0", ";;;;-;-");
}
END_TEST

START_TEST(volumes_are_enroots_binds_of_themselves)
{
    static const struct text_case cases[] = {
        {"${ENROOT_ROOTFS}/data /data none x-create=dir,bind 0 0\n", "/data"},
        {"${ENROOT_ROOTFS}/a /a none bind\n${ENROOT_ROOTFS}/b\t/b none bind", "/a|/b"},
        {"/dev/sda1 / ext4 defaults 0 1\n# comment\n", ""},
        {"${ENROOT_ROOTFS}/a /b none bind\n", ""},
        {"${ENROOT_ROOTFS}/a /ab none bind\n", ""},
        {"${ENROOT_ROOTFS}/a\n/a none\n", ""},
        {"${ENROOT_ROOTFS}\n${ENROOT_ROOTFS}a a\n", ""},
        {"${ENROOT_ROOTFS}/a", ""},
        {"", ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct metalist list = {0};

        ck_assert_int_eq(metafile_volumes(cases[i].text, &list), 0);
        cleanup_free char *got = join(list.list);
        ck_assert_str_eq(got, cases[i].expected);
        metalist_free(list.list);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("metafile");
    TCase *tc = tcase_create("metafile");

    tcase_add_test(tc, enroot_expands_braces_and_strips_quotes);
    tcase_add_test(tc, charliecloud_expands_elements_of_lists);
    tcase_add_test(tc, plain_file_gives_plain_values);
    tcase_add_test(tc, plain_file_is_no_script);
    tcase_add_test(tc, own_config_is_read_record_by_record);
    tcase_add_test(tc, bad_records_are_passed_over);
    tcase_add_test(tc, volumes_are_enroots_binds_of_themselves);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
