/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec/mountspec.h"
#include "base/limits.h"
#include "base/syscalls.h"
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The one entry of a text. */
static struct mountspec *parse_one(const char *text)
{
    struct vitrine_error err = {0};
    struct mountspec *list;
    size_t count;

    ck_assert_msg(mountspec_parse(text, &list, &count, &err) == 0, "%s: %s", text,
                  err.text);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(list->text, text);
    ck_assert_int_eq(err.code, VITRINE_OK);
    return list;
}

static bool equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

START_TEST(text_tells_kind_source_and_target)
{
    static const struct {
        const char *text;
        enum mountspec_kind kind;
        const char *source, *target;
    } cases[] = {
        {"/data", MOUNTSPEC_BIND, "/data", "/data"},
        {"/data/", MOUNTSPEC_BIND, "/data/", "/data"},
        {"/a/../b//c/.", MOUNTSPEC_BIND, "/a/../b//c/.", "/b/c"},
        {"/data:/mnt", MOUNTSPEC_BIND, "/data", "/mnt"},
        {"/:/host", MOUNTSPEC_BIND, "/", "/host"},
        {"/data:./mnt/x", MOUNTSPEC_BIND, "/data", "/mnt/x"},
        {"/data:.x", MOUNTSPEC_BIND, "/data", "/.x"},
        {"/data:...", MOUNTSPEC_BIND, "/data", "/..."},
        {"/my data:/my mount", MOUNTSPEC_BIND, "/my data", "/my mount"},
        {"/data:/proc", MOUNTSPEC_BIND, "/data", "/proc"},
        {"./data:/data", MOUNTSPEC_BIND, "./data", "/data"},
        {"./data", MOUNTSPEC_BIND, "./data", NULL},
        {"../data", MOUNTSPEC_BIND, "../data", NULL},
        {".", MOUNTSPEC_BIND, ".", NULL},
        {".hidden:/x", MOUNTSPEC_BIND, ".hidden", "/x"},
        {"~/data", MOUNTSPEC_BIND, "~/data", NULL},
        {"~:/home/x", MOUNTSPEC_BIND, "~", "/home/x"},
        {"/dev/shm:/dev/shm:ro", MOUNTSPEC_BIND, "/dev/shm", "/dev/shm"},
        {"/\xc3\xa4", MOUNTSPEC_BIND, "/\xc3\xa4", "/\xc3\xa4"},
        {"tmpfs:/x", MOUNTSPEC_TMPFS, NULL, "/x"},
        {"tmpfs:./x", MOUNTSPEC_TMPFS, NULL, "/x"},
        {"./tmpfs:/x", MOUNTSPEC_BIND, "./tmpfs", "/x"},
        {"umount:/x", MOUNTSPEC_UMOUNT, NULL, "/x"},
        {"./d.sqfs:/x:squashfs", MOUNTSPEC_SQUASHFS, "./d.sqfs", "/x"},
        {"d.sqfs:/x:nofail+squashfs", MOUNTSPEC_SQUASHFS, "d.sqfs", "/x"},
        {"a/d.sqfs:/x:sqsh+ro", MOUNTSPEC_SQUASHFS, "a/d.sqfs", "/x"},
        {"~/d.sqfs:/x:squashfs", MOUNTSPEC_SQUASHFS, "~/d.sqfs", "/x"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mountspec *spec = parse_one(cases[i].text);

        ck_assert_msg(spec->kind == cases[i].kind, "%s: %d", cases[i].text, spec->kind);
        ck_assert_msg(equal(spec->source, cases[i].source), "%s", cases[i].text);
        ck_assert_msg(equal(spec->target, cases[i].target), "%s: %s", cases[i].text,
                      spec->target ? spec->target : "NULL");
        ck_assert(spec->recursive == (cases[i].kind == MOUNTSPEC_BIND));
        ck_assert(!spec->nofail || strstr(cases[i].text, "nofail"));
        ck_assert(!spec->data && !spec->silent);
        mountspec_free(spec, 1);
    }
}
END_TEST

START_TEST(flags_become_attributes)
{
    static const struct {
        const char *flags;
        uint64_t set, clear;
    } cases[] = {
        {"ro", MOUNT_ATTR_RDONLY, 0},
        {"rw", 0, MOUNT_ATTR_RDONLY},
        {"ro+rw", 0, MOUNT_ATTR_RDONLY},
        {"rw+ro", MOUNT_ATTR_RDONLY, 0},
        {"noexec+ro", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, 0},
        {"exec", 0, MOUNT_ATTR_NOEXEC},
        {"nosuid+nodev", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0},
        {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
        {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
        {"noatime+relatime", 0, MOUNT_ATTR__ATIME},
        {"relatime+strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
        {"noatime+strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
        {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
        {"defaults", 0, 0},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[128];

        (void)snprintf(text, sizeof(text), "/a:/b:%s", cases[i].flags);
        struct mountspec *spec = parse_one(text);
        ck_assert_msg(spec->attr_set == cases[i].set, "%s", text);
        ck_assert_msg(spec->attr_clear == cases[i].clear, "%s", text);
        mountspec_free(spec, 1);
    }
}
END_TEST

START_TEST(flags_tell_how_to_mount)
{
    struct mountspec *spec = parse_one("/a:/b:bind+rslave+x-create=file+nofail+silent");

    ck_assert(!spec->recursive && spec->nofail && spec->silent);
    ck_assert_uint_eq(spec->propagation, MS_SLAVE);
    ck_assert(spec->propagation_recursive);
    ck_assert_int_eq(spec->create, MOUNTSPEC_CREATE_FILE);
    mountspec_free(spec, 1);
    spec = parse_one("/a:/b:bind+rbind+rslave+private+x-create=dir");
    ck_assert(spec->recursive && !spec->propagation_recursive && !spec->nofail);
    ck_assert_uint_eq(spec->propagation, MS_PRIVATE);
    ck_assert_int_eq(spec->create, MOUNTSPEC_CREATE_DIR);
    mountspec_free(spec, 1);
    spec = parse_one("/a:/b:runbindable+x-create=auto");
    ck_assert_uint_eq(spec->propagation, MS_UNBINDABLE);
    ck_assert_int_eq(spec->create, MOUNTSPEC_CREATE_AUTO);
    mountspec_free(spec, 1);
    spec = parse_one("umount:/b:x-detach+nofail");
    ck_assert(spec->nofail && !spec->silent);
    mountspec_free(spec, 1);
}
END_TEST

START_TEST(unknown_words_of_a_tmpfs_are_its_data)
{
    struct mountspec *spec = parse_one("tmpfs:/b:size=1G+ro+huge=within_size+mode=700");

    ck_assert_str_eq(spec->data, "size=1G,huge=within_size,mode=700");
    ck_assert_uint_eq(spec->attr_set, MOUNT_ATTR_RDONLY);
    mountspec_free(spec, 1);
    spec = parse_one("tmpfs:/b:mpol=bind:0-3");
    ck_assert_str_eq(spec->data, "mpol=bind:0-3");
    mountspec_free(spec, 1);
}
END_TEST

#define SRC_RULE "SRC must start with . or / or ~/, or be tmpfs or umount"
#define DST_RULE "DST must start with / or .; flags come third, as in /data:/data:ro"

static const struct {
    const char *text, *message;
} bad[] = {
    {"", "the value is empty; write SRC[:DST[:FLAG+FLAG...]],..."},
    {"/a,", "there is an empty mount between commas; write SRC[:DST[:FLAG+FLAG...]],..."},
    {",/a", "there is an empty mount between commas; write SRC[:DST[:FLAG+FLAG...]],..."},
    {"/a,,/b", "there is an empty mount between commas; "},
    {",", "there is an empty mount between commas; "},
    {":", "mount ':': SRC is empty; write SRC[:DST[:FLAG+FLAG...]]"},
    {":/b", "mount ':/b': SRC is empty; write SRC[:DST[:FLAG+FLAG...]]"},
    {"::", "mount '::': there is an empty flag"},
    {"data", "mount 'data': " SRC_RULE},
    {"data:/b", "mount 'data:/b': " SRC_RULE},
    {"/a,data:/b", "mount 'data:/b': " SRC_RULE},
    {"data.sqfs:/b", "mount 'data.sqfs:/b': " SRC_RULE},
    {" /a:/b", "mount ' /a:/b': " SRC_RULE},
    {"\xc3\xa4", "mount '\xc3\xa4': " SRC_RULE},
    {"~ada/x:/b", "mount '~ada/x:/b': " SRC_RULE},
    {"~ada/x:/b:squashfs", "mount '~ada/x:/b:squashfs': " SRC_RULE},
    {"$HOME/x:/b", "mount '$HOME/x:/b': " SRC_RULE "; variables are not expanded here"},
    {"$X:/b:squashfs", "mount '$X:/b:squashfs': " SRC_RULE "; variables are"},
    {"TMPFS:/b", "mount 'TMPFS:/b': " SRC_RULE},
    {"tmpfs", "mount 'tmpfs': there is no DST; write tmpfs:/DST"},
    {"umount", "mount 'umount': there is no DST; write umount:/DST"},
    {"/a:", "mount '/a:': " DST_RULE},
    {"/a::ro", "mount '/a::ro': " DST_RULE},
    {"/a:ro", "mount '/a:ro': " DST_RULE},
    {"/a:b", "mount '/a:b': " DST_RULE},
    {"/a:~/b", "mount '/a:~/b': " DST_RULE},
    {"tmpfs:x", "mount 'tmpfs:x': " DST_RULE},
    {"/", "mount '/': nothing can be mounted on /, the container's root; "},
    {"/a:/", "mount '/a:/': nothing can be mounted on /, "},
    {"/a:.", "mount '/a:.': nothing can be mounted on /, "},
    {"/a:./", "mount '/a:./': nothing can be mounted on /, "},
    {"/a:/b/..", "mount '/a:/b/..': nothing can be mounted on /, "},
    {"/a:////", "mount '/a:////': nothing can be mounted on /, "},
    {"umount:/", "mount 'umount:/': nothing can be mounted on /, "},
    {"tmpfs:/", "mount 'tmpfs:/': nothing can be mounted on /, "},
    {"/a:/..", "mount '/a:/..': DST leads above the container's root"},
    {"/a:..", "mount '/a:..': DST leads above the container's root"},
    {"/a:../b", "mount '/a:../b': DST leads above the container's root"},
    {"/a:/b/../../c", "mount '/a:/b/../../c': DST leads above the container's root"},
    {"/..", "mount '/..': DST leads above the container's root"},
    {"/a:/b:", "mount '/a:/b:': there is an empty flag; write FLAG or FLAG+FLAG"},
    {"/a:/b:+", "mount '/a:/b:+': there is an empty flag; write FLAG or FLAG+FLAG"},
    {"/a:/b:ro+", "mount '/a:/b:ro+': there is an empty flag; write FLAG or FLAG+FLAG"},
    {"/a:/b:ro++rw", "mount '/a:/b:ro++rw': there is an empty flag; "},
    {"/a:/b:noexce", "mount '/a:/b:noexce': unknown flag 'noexce'; did you mean "
                     "'noexec'?"},
    {"/a:/b:RO", "mount '/a:/b:RO': unknown flag 'RO'; did you mean 'ro'?"},
    {"/a:/b:size=1G", "mount '/a:/b:size=1G': unknown flag 'size=1G'"},
    {"/a:/b:ro:rw", "mount '/a:/b:ro:rw': unknown flag 'ro:rw'"},
    {"/a:/b:/c", "mount '/a:/b:/c': unknown flag '/c'"},
    {"/a:/b: ro", "mount '/a:/b: ro': unknown flag ' ro'"},
    {"/a:/b:x-create=dirr", "mount '/a:/b:x-create=dirr': unknown flag 'x-create=dirr'; "
                            "did you mean 'x-create=dir'?"},
    {"tmpfs:/b:x-mount", "mount 'tmpfs:/b:x-mount': unknown flag 'x-mount'"},
    {"umount:/b:size=1G", "mount 'umount:/b:size=1G': unknown flag 'size=1G'"},
    {"x:/b:squash",
     "mount 'x:/b:squash': unknown flag 'squash'; did you mean 'squashfs'?"},
    {"x:/b:squashfs+size=1", "mount 'x:/b:squashfs+size=1': unknown flag 'size=1'"},
    {"/a:/b:x-detach", "mount '/a:/b:x-detach': the flag x-detach is not for the mount "
                       "of a host path"},
    {"tmpfs:/b:rbind", "mount 'tmpfs:/b:rbind': the flag rbind is not for a tmpfs"},
    {"tmpfs:/b:squashfs", "mount 'tmpfs:/b:squashfs': the flag squashfs is not for a "
                          "tmpfs"},
    {"tmpfs:/b:x-create=file", "mount 'tmpfs:/b:x-create=file': the flag x-create=file "
                               "is not for a tmpfs"},
    {"umount:/b:ro", "mount 'umount:/b:ro': the flag ro is not for an umount"},
    {"umount:/b:squashfs", "mount 'umount:/b:squashfs': the flag squashfs is not for an "
                           "umount"},
    {"x:/b:rw+sqsh", "mount 'x:/b:rw+sqsh': the flag rw is not for a SquashFS"},
    {"/a:/b:suid", "mount '/a:/b:suid': the flag suid cannot be given: programs gain no "
                   "privilege in a container"},
    {"/a:/b:dev", "mount '/a:/b:dev': the flag dev cannot be given: "},
    {"tmpfs:/b:dev", "mount 'tmpfs:/b:dev': the flag dev cannot be given: "},
    {"/a:/b:shared", "mount '/a:/b:shared': the flag shared cannot be given: "},
    {"/a:/b:rshared", "mount '/a:/b:rshared': the flag rshared cannot be given: "},
    {"/a:/b:x-move", "mount '/a:/b:x-move': the flag x-move cannot be given: the host's "
                     "mounts stay where they are; use rbind"},
    {"/a\n", "the value has a control character in it: /a?"},
    {"/a\t:/b", "the value has a control character in it: /a?:/b"},
    {"\177", "the value has a control character in it: ?"},
    {"/a:/b:\1", "the value has a control character in it: /a:/b:?"},
    {"/a,/\033[0m", "the value has a control character in it: /a,/?[0m"},
};

START_TEST(bad_texts_are_refused_with_the_reason)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct vitrine_error err;
        struct mountspec *list = NULL;
        size_t count = 77, n = strlen(bad[i].message);

        ck_assert_msg(mountspec_parse(bad[i].text, &list, &count, &err) == -1, "%s",
                      bad[i].text);
        ck_assert_msg(strncmp(err.text, bad[i].message, n) == 0, "%s", err.text);
        ck_assert_int_eq(err.code, VITRINE_EUSAGE);
        ck_assert_ptr_null(list);
        ck_assert_uint_eq(count, 77);
    }
}
END_TEST

START_TEST(lists_keep_their_order_without_what_is_said_twice)
{
    static const struct {
        const char *text, *kept;
    } cases[] = {
        {"/a,/b,/c", "/a /b /c "},
        {"/a,/a", "/a "},
        {"/a,/b,/a,/b", "/a /b "},
        {"./a,./b,./a", "./a ./b "},
        {"/a,/a:/a", "/a /a:/a "},
        {"/a:/x,/b:/x", "/a:/x /b:/x "},
        {"/a:/x,/b:/x,/a:/x", "/a:/x /b:/x /a:/x "},
        {"umount:/x,/a:/x,umount:/x", "umount:/x /a:/x umount:/x "},
        {"umount:/x,umount:/x", "umount:/x "},
        {"/a:/x:ro,/a:/x", "/a:/x:ro /a:/x "},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char got[256] = "";
        struct mountspec *list;
        size_t count;

        ck_assert_int_eq(mountspec_parse(cases[i].text, &list, &count, NULL), 0);
        for (size_t j = 0; j < count; j++) {
            strcat(got, list[j].text);
            strcat(got, " ");
        }
        ck_assert_str_eq(got, cases[i].kept);
        mountspec_free(list, count);
    }
    mountspec_free(NULL, 0);
}
END_TEST

START_TEST(length_and_number_are_limited)
{
    static char text[LIMIT_MOUNTS + 2];
    struct vitrine_error err;
    struct mountspec *list;
    size_t count, used = 0;

    for (int i = 0; i <= LIMIT_MOUNT_ENTRIES; i++) {
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used, "%s/%d", i ? "," : "", i);
        ck_assert_int_eq(mountspec_parse(text, &list, &count, &err),
                         i < LIMIT_MOUNT_ENTRIES ? 0 : -1);
        if (i < LIMIT_MOUNT_ENTRIES)
            mountspec_free(list, count);
    }
    ck_assert_str_eq(err.text, "there are more than 256 mounts");

    memset(text, 'a', sizeof(text) - 1);
    text[0] = '/';
    ck_assert_int_eq(mountspec_parse(text, &list, &count, &err), -1);
    ck_assert_str_eq(err.text, "the value is longer than 65536 bytes");
    text[LIMIT_MOUNTS] = '\0';
    ck_assert_int_eq(mountspec_parse(text, &list, &count, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "aaa...': SRC is longer than 4095 bytes"));
    memcpy(text, "/a:/", 4);
    ck_assert_int_eq(mountspec_parse(text, &list, &count, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "aaa...': DST is longer than 4095 bytes"));
    text[4 + PATH_MAX - 2] = '\0';
    ck_assert_int_eq(mountspec_parse(text, &list, &count, &err), 0);
    mountspec_free(list, count);
}
END_TEST

START_TEST(nothing_is_read_beyond_the_limit)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t span = (LIMIT_MOUNTS + page) / page * page;
    char *map = mmap(NULL, span + page, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct vitrine_error err;
    struct mountspec *list;
    size_t count;

    /* A text that goes on where no memory is: one byte over the limit is the last. */
    ck_assert_ptr_ne(map, MAP_FAILED);
    ck_assert_int_eq(mprotect(map + span, page, PROT_NONE), 0);
    memset(map, 'a', span);
    ck_assert_int_eq(mountspec_parse(map + span - LIMIT_MOUNTS - 1, &list, &count, &err),
                     -1);
}
END_TEST

START_TEST(sources_are_found_from_working_directory_and_home)
{
    static const struct {
        const char *text, *home, *source;
    } cases[] = {
        {"/a", "/home/ada", "/a"},
        {"./a", "/home/ada", "/work/./a"},
        {"..", "/home/ada", "/work/.."},
        {"a:/b:squashfs", "/home/ada", "/work/a"},
        {"~/a", "/home/ada", "/home/ada/a"},
        {"~", "/home/ada", "/home/ada/"},
        {"~/a", NULL, "/a"},
        {"~//a", "/home/ada", "/home/ada/a"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mountspec *spec = parse_one(cases[i].text);
        char *source = mountspec_source(spec, "/work", cases[i].home);

        ck_assert_str_eq(source, cases[i].source);
        free(source);
        mountspec_free(spec, 1);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("mountspec");
    TCase *tc = tcase_create("mountspec");

    tcase_add_test(tc, text_tells_kind_source_and_target);
    tcase_add_test(tc, flags_become_attributes);
    tcase_add_test(tc, flags_tell_how_to_mount);
    tcase_add_test(tc, unknown_words_of_a_tmpfs_are_its_data);
    tcase_add_test(tc, bad_texts_are_refused_with_the_reason);
    tcase_add_test(tc, lists_keep_their_order_without_what_is_said_twice);
    tcase_add_test(tc, length_and_number_are_limited);
    tcase_add_test(tc, nothing_is_read_beyond_the_limit);
    tcase_add_test(tc, sources_are_found_from_working_directory_and_home);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
