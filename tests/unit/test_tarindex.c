/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "source/tarindex.h"
#include "base/limits.h"
#include "tar.h"

#include <sys/mman.h>
#include <unistd.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

static int read_tar(const void *data, size_t size, struct tarindex **ret,
                    struct vitrine_error *err)
{
    int fd = memfd_create("tar", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    if (size > 0)
        ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
    int rc = tarindex_read(fd, size, ret, err);
    (void)close(fd);
    return rc;
}

/* Makes the checksum of the header at `at` right again. */
static void seal(struct tar *tar, size_t at)
{
    unsigned sum = 0;

    memset(tar->data + at + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += tar->data[at + i];
    (void)snprintf((char *)tar->data + at + 148, 8, "%06o", sum);
}

static struct tarindex *index_of(struct tar *tar)
{
    struct tarindex *index = NULL;
    struct vitrine_error err = {0};

    ck_assert_msg(read_tar(tar->data, tar->size, &index, &err) == 0, "%s", err.text);
    return index;
}

static void has(const struct tarindex *index, const struct tar *tar, const char *name,
                const char *content)
{
    uint64_t offset, size;

    ck_assert_msg(tarindex_find(index, name, &offset, &size), "%s", name);
    ck_assert_uint_eq(size, strlen(content));
    ck_assert_uint_le(offset + size, tar->size);
    ck_assert_msg(memcmp(tar->data + offset, content, size) == 0, "%s", name);
}

static void lacks(const struct tarindex *index, const char *name)
{
    uint64_t offset, size;

    ck_assert_msg(!tarindex_find(index, name, &offset, &size), "%s", name);
}

START_TEST(files_are_found_by_what_their_name_means)
{
    static const char *const names[] = {
        "b", "./c", "d//e", "./f/./g/", "/h", "i/../j", "a",
    };
    static const char *const means[] = {"b", "c", "d/e", "f/g", "h", "j", "a"};
    struct tar tar = {0};

    for (size_t i = 0; i < N(names); i++)
        tar_file(&tar, names[i], means[i], strlen(means[i]));
    tar_end(&tar);
    struct tarindex *index = index_of(&tar);
    for (size_t i = 0; i < N(names); i++)
        has(index, &tar, means[i], means[i]);
    lacks(index, "");
    lacks(index, "./c");
    lacks(index, "i");
    tarindex_free(index);
    tarindex_free(NULL);
    tar_free(&tar);
}
END_TEST

START_TEST(long_names_are_read)
{
    char name[300];
    struct tar tar = {0};

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    tar_pax(&tar, "path", "p/ax", 4);
    tar_file(&tar, "short", "1", 1);
    tar_header(&tar,
               &(struct tar_entry){.name = "././@LongLink", .type = 'L', .size = 300});
    tar_raw(&tar, name, sizeof(name));
    tar_pad(&tar);
    tar_file(&tar, "short", "2", 1);
    tar_header(&tar,
               &(struct tar_entry){.name = "././@LongLink", .type = 'K', .size = 300});
    tar_raw(&tar, name, sizeof(name));
    tar_pad(&tar);
    tar_header(&tar, &(struct tar_entry){.name = "link", .target = "x", .type = '2'});
    tar_pax(&tar, "linkpath", "p/ax", 4);
    tar_header(&tar, &(struct tar_entry){.name = "other", .target = "x", .type = '1'});
    tar_file(&tar, "short", "3", 1);
    /* An entry's own prefix. */
    size_t at = tar.size;
    tar_file(&tar, "rest", "4", 1);
    memcpy(tar.data + at + 345, "pre/fix", 7);
    seal(&tar, at);
    tar_end(&tar);

    struct tarindex *index = index_of(&tar);
    has(index, &tar, "p/ax", "1");
    has(index, &tar, name, "2");
    has(index, &tar, "link", "2");
    has(index, &tar, "other", "1");
    has(index, &tar, "short", "3");
    has(index, &tar, "pre/fix/rest", "4");
    tarindex_free(index);
    tar_free(&tar);
}
END_TEST

START_TEST(links_end)
{
    struct tar tar = {0};
    char name[16], target[16];

    tar_file(&tar, "0", "x", 1);
    for (unsigned i = 1; i <= LIMIT_SYMLINKS + 1; i++) {
        (void)snprintf(name, sizeof(name), "%u", i);
        (void)snprintf(target, sizeof(target), "%u", i - 1);
        tar_header(&tar,
                   &(struct tar_entry){.name = name, .target = target, .type = '2'});
    }
    tar_header(&tar, &(struct tar_entry){.name = "a", .target = "b", .type = '2'});
    tar_header(&tar, &(struct tar_entry){.name = "b", .target = "a", .type = '2'});
    tar_header(&tar, &(struct tar_entry){.name = "none", .target = "gone", .type = '1'});
    tar_header(&tar, &(struct tar_entry){.name = "dir", .type = '5'});
    tar_end(&tar);
    struct tarindex *index = index_of(&tar);
    (void)snprintf(name, sizeof(name), "%d", LIMIT_SYMLINKS);
    has(index, &tar, name, "x");
    (void)snprintf(name, sizeof(name), "%d", LIMIT_SYMLINKS + 1);
    lacks(index, name);
    lacks(index, "a");
    lacks(index, "none");
    lacks(index, "dir");
    tarindex_free(index);
    tar_free(&tar);
}
END_TEST

/* Damages the first header of a good archive, a link's; its checksum is right again
 * unless that is the damage. */
static void refuses(size_t at, const char *bytes, size_t size, const char *reason)
{
    struct tarindex *index = NULL;
    struct vitrine_error err = {0};
    struct tar tar = {0};

    tar_header(&tar, &(struct tar_entry){.name = "link", .target = "a", .type = '2'});
    tar_file(&tar, "a", "hello", 5);
    tar_end(&tar);
    memcpy(tar.data + at, bytes, size);
    if (at != 148)
        seal(&tar, 0);
    ck_assert_int_eq(read_tar(tar.data, tar.size, &index, &err), -1);
    ck_assert_msg(strstr(err.text, reason) != NULL, "%s, not %s", err.text, reason);
    ck_assert(!index && err.code == VITRINE_EFORMAT);
    tar_free(&tar);
}

START_TEST(wrong_headers_are_refused)
{
    refuses(148, "0000000", 8, "the tar header at byte 0 is wrong: its checksum is");
    refuses(148, "hello!!", 8, "its checksum is");
    refuses(124, "12345678901x", 12, "its size is not a number");
    refuses(124, "-1          ", 12, "its size is not a number");
    refuses(124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12,
            "its size is not a number");
    refuses(156, "S", 1, "sparse files cannot be in such an archive");
    refuses(0, "../x", 5, "a name or link in it leaves the archive");
    refuses(0, "a/../../x", 10, "a name or link in it leaves the archive");
    refuses(157, "../../x", 8, "a name or link in it leaves the archive");
}
END_TEST

START_TEST(sizes_are_compared_with_the_file)
{
    static const struct {
        const char *size, *reason; /* NULL: good */
    } cases[] = {
        {"00000000005", NULL},
        {"00000003001", "it is cut off"},
        {"77777777777", "it is cut off"},
        {"\x80\0\0\0\0\0\0\0\0\0\0\5", NULL},
        {"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", "it is cut off"},
        {"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", "is not a number"},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct tarindex *index = NULL;
        struct vitrine_error err = {0};
        struct tar tar = {0};

        tar_file(&tar, "a", "hello", 5);
        memcpy(tar.data + 124, cases[i].size, 12);
        seal(&tar, 0);
        tar_end(&tar);
        int rc = read_tar(tar.data, tar.size, &index, &err);
        ck_assert_msg(rc == (cases[i].reason ? -1 : 0), "%zu: %s", i, err.text);
        if (rc == 0)
            has(index, &tar, "a", "hello");
        else
            ck_assert_msg(strstr(err.text, cases[i].reason) != NULL, "%s", err.text);
        tarindex_free(index);
        tar_free(&tar);
    }
}
END_TEST

START_TEST(every_truncation_is_seen_or_harmless)
{
    struct tar tar = {0};

    tar_pax(&tar, "path", "long", 4);
    tar_file(&tar, "a", "hello", 5);
    tar_end(&tar);
    for (size_t size = 0; size < tar.size; size++) {
        struct tarindex *index = NULL;
        struct vitrine_error err = {0};

        if (read_tar(tar.data, size, &index, &err) == 0)
            has(index, &tar, "long", "hello");
        else
            ck_assert_int_eq(err.code, VITRINE_EFORMAT);
        /* The content ends at 3 * 512 + 5; what fills its block may be missing. */
        if (size < 3 * TAR_BLOCK + 5)
            ck_assert_ptr_null(index);
        tarindex_free(index);
    }
    tar_free(&tar);
}
END_TEST

START_TEST(bad_pax_records_are_refused)
{
    static const struct {
        const char *records, *reason;
    } cases[] = {
        {"x", "a record has the wrong length"},
        {"9 path=a", "a record has the wrong length"},
        {"11 path=a\n", "a record has the wrong length"},
        {"2 \n", "a record has the wrong length"},
        {"0 path=a\n", "a record has the wrong length"},
        {"-9 path=a\n", "a record has the wrong length"},
        {"99999999999999999999 path=a\n", "a record has the wrong length"},
        {"8 path=a\n", "a record has the wrong length"},
        {"7 path\n", "a record has no name"},
        {"5 =a\n", "a record has no name"},
        {"10 size=x\n", "its size is not a number"},
        {"9 size=\n", ""},
        {"11 size=-1\n", "its size is not a number"},
        {"35 size=99999999999999999999999999\n", "its size is not a number"},
        {"21 GNU.sparse.major=\n", "sparse files cannot be"},
    };

    for (size_t i = 0; i < N(cases); i++) {
        struct tarindex *index = NULL;
        struct vitrine_error err = {0};
        struct tar tar = {0};

        tar_file(&tar, "x", cases[i].records, strlen(cases[i].records));
        tar.data[156] = 'x';
        seal(&tar, 0);
        tar_file(&tar, "a", "hello", 5);
        tar_end(&tar);
        ck_assert_msg(read_tar(tar.data, tar.size, &index, &err) == -1, "%s",
                      cases[i].records);
        ck_assert_msg(strstr(err.text, cases[i].reason) != NULL, "%s: %s",
                      cases[i].records, err.text);
        tar_free(&tar);
    }
}
END_TEST

START_TEST(entries_and_names_are_limited)
{
    struct tarindex *index = NULL;
    struct vitrine_error err = {0};
    struct tar tar = {0}, one = {0};
    char *long_name = calloc(1, LIMIT_ARCHIVE_HEADER + 1);

    ck_assert_ptr_nonnull(long_name);
    tar_header(&one, &(struct tar_entry){.name = "a", .type = '0'});
    tar.size = (LIMIT_ARCHIVE_ENTRIES + 1) * (size_t)TAR_BLOCK;
    tar.data = malloc(tar.size + 1);
    ck_assert_ptr_nonnull(tar.data);
    for (size_t i = 0; i <= LIMIT_ARCHIVE_ENTRIES; i++)
        memcpy(tar.data + i * TAR_BLOCK, one.data, TAR_BLOCK);
    ck_assert_int_eq(read_tar(tar.data, tar.size, &index, &err), -1);
    ck_assert_str_eq(err.text, "it has more than 65536 entries");
    ck_assert_int_eq(read_tar(tar.data, tar.size - TAR_BLOCK, &index, &err), 0);
    tarindex_free(index);
    tar_free(&tar);
    tar_free(&one);

    index = NULL;
    tar_file(&tar, "x", long_name, LIMIT_ARCHIVE_HEADER + 1);
    tar.data[156] = 'L';
    seal(&tar, 0);
    tar_end(&tar);
    ck_assert_int_eq(read_tar(tar.data, tar.size, &index, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "its names are too long"));
    tar_free(&tar);
    free(long_name);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("tarindex");
    TCase *tc = tcase_create("tarindex");

    tcase_add_test(tc, files_are_found_by_what_their_name_means);
    tcase_add_test(tc, long_names_are_read);
    tcase_add_test(tc, links_end);
    tcase_add_test(tc, wrong_headers_are_refused);
    tcase_add_test(tc, sizes_are_compared_with_the_file);
    tcase_add_test(tc, every_truncation_is_seen_or_harmless);
    tcase_add_test(tc, bad_pax_records_are_refused);
    tcase_add_test(tc, entries_and_names_are_limited);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
