/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/arch.h"
#include "images.h"
#include "tree.h"

#include <elf.h>
#include <sys/utsname.h>

/* Writes the beginning of a program. */
static void put_program(const char *path, unsigned machine, int class, int data)
{
    uint8_t head[64] = {0x7f, 'E', 'L', 'F', (uint8_t) class, (uint8_t)data, 1};

    head[16] = data == ELFDATA2LSB ? ET_DYN : 0;
    head[17] = data == ELFDATA2MSB ? ET_DYN : 0;
    head[data == ELFDATA2LSB ? 18 : 19] = machine & 0xff;
    head[data == ELFDATA2LSB ? 19 : 18] = (uint8_t)(machine >> 8);
    tree_write_bytes(path, head, sizeof(head));
}

#define put_s390x(path) put_program(path, EM_S390, ELFCLASS64, ELFDATA2MSB)

static void check_passes(const char *what)
{
    struct vitrine_error err = {0};

    ck_assert_msg(image_check_arch(tree, "X", &err) == 0, "%s: %s", what, err.text);
}

static void check_refused(const char *arch)
{
    struct vitrine_error err = {0};
    char expected[256];

    (void)snprintf(expected, sizeof(expected),
                   "cannot use image X: it is built for %s, this node is %s", arch,
                   arch_here());
    ck_assert_msg(image_check_arch(tree, "X", &err) == -1, "%s: accepted", arch);
    ck_assert_str_eq(err.text, expected);
    ck_assert_int_eq(err.code, VITRINE_EUNSUPPORTED);
}

static bool is_emulated(const char *sif)
{
    return arch_runs_here(arch_by_sif(sif));
}

START_TEST(this_node_is_what_uname_says)
{
    struct utsname u;

    ck_assert_int_eq(uname(&u), 0);
    ck_assert_msg(strcmp(arch_here(), u.machine) == 0 ||
                      (strcmp(arch_here(), "i386") == 0 && u.machine[0] == 'i'),
                  "%s, %s", arch_here(), u.machine);
}
END_TEST

START_TEST(own_programs_pass)
{
    uint8_t head[64];
    FILE *file = fopen("/proc/self/exe", "re");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fread(head, 1, sizeof(head), file), sizeof(head));
    (void)fclose(file);
    tree_write_bytes("bin/sh", head, sizeof(head));
    check_passes("own");
    const struct arch *arch = arch_by_elf(head, sizeof(head));
    ck_assert_ptr_nonnull(arch);
    ck_assert_str_eq(arch->name, arch_here());
    ck_assert(arch_runs_here(arch));
}
END_TEST

START_TEST(image_without_any_program_passes)
{
    check_passes("empty");
    tree_write("bin/sh", "#!/bin/other\n");
    tree_write("usr/bin/env", "");
    check_passes("scripts");
}
END_TEST

START_TEST(foreign_programs_are_refused)
{
    if (is_emulated("11"))
        return;
    put_s390x("bin/sh");
    check_refused("s390x");
}
END_TEST

START_TEST(each_well_known_program_is_enough)
{
    static const char *const paths[] = {"usr/bin/env",       "bin/busybox",
                                        "usr/bin/python3",   "sbin/ldconfig",
                                        "usr/sbin/ldconfig", "bin/ls"};

    if (is_emulated("11"))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        put_s390x(paths[i]);
        check_refused("s390x");
        ck_assert_int_eq(unlinkat(tree, paths[i], 0), 0);
    }
}
END_TEST

START_TEST(links_are_followed_inside_of_the_image_only)
{
    if (is_emulated("11"))
        return;
    put_s390x("usr/lib/busybox/sh");
    tree_mkdirs("bin/x");
    ck_assert_int_eq(symlinkat("/usr/lib/busybox/sh", tree, "bin/sh"), 0);
    check_refused("s390x");
    /* The host's own, which must not count. */
    ck_assert_int_eq(unlinkat(tree, "bin/sh", 0), 0);
    ck_assert_int_eq(symlinkat("../../../../../../bin/true", tree, "bin/sh"), 0);
    put_s390x("bin/true");
    check_refused("s390x");
}
END_TEST

START_TEST(files_that_are_no_programs_are_passed_over)
{
    if (is_emulated("11"))
        return;
    tree_mkdirs("bin/sh/x"); /* a directory */
    tree_mkdirs("usr/bin/x");
    ck_assert_int_eq(mkfifoat(tree, "usr/bin/env", 0644), 0);
    tree_write("bin/busybox", "\x7f"
                              "ELF"); /* too short */
    put_program("bin/bash", 0xfeed, ELFCLASS64, ELFDATA2LSB);
    check_passes("nothing useful");
    put_s390x("bin/ls");
    check_refused("s390x");
}
END_TEST

START_TEST(class_and_byte_order_count)
{
    static const struct {
        unsigned machine;
        int class, data;
        const char *name;
    } cases[] = {
        {EM_X86_64, ELFCLASS64, ELFDATA2LSB, "x86_64"},
        {EM_X86_64, ELFCLASS32, ELFDATA2LSB, NULL}, /* x32 */
        {EM_386, ELFCLASS32, ELFDATA2LSB, "i386"},
        {EM_PPC64, ELFCLASS64, ELFDATA2LSB, "ppc64le"},
        {EM_PPC64, ELFCLASS64, ELFDATA2MSB, "ppc64"},
        {EM_AARCH64, ELFCLASS64, ELFDATA2LSB, "aarch64"},
        {EM_AARCH64, ELFCLASS64, ELFDATA2MSB, NULL},
        {EM_S390, ELFCLASS64, ELFDATA2MSB, "s390x"},
        {EM_RISCV, ELFCLASS64, ELFDATA2LSB, "riscv64"},
        {EM_RISCV, ELFCLASS32, ELFDATA2LSB, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char head[64];

        put_program("p", cases[i].machine, cases[i].class, cases[i].data);
        int fd = openat(tree, "p", O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(read(fd, head, sizeof(head)), sizeof(head));
        close(fd);
        const struct arch *arch = arch_by_elf((uint8_t *)head, sizeof(head));
        ck_assert_msg(cases[i].name ? arch && strcmp(arch->name, cases[i].name) == 0
                                    : !arch,
                      "%zu", i);
    }
}
END_TEST

START_TEST(no_byte_behind_the_end_is_read)
{
    for (size_t size = 0; size < 20; size++) {
        uint8_t *data = malloc(size ? size : 1);

        ck_assert_ptr_nonnull(data);
        memcpy(data,
               "\x7f"
               "ELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0",
               size);
        ck_assert_ptr_null(arch_by_elf(data, size));
        free(data);
    }
}
END_TEST

START_TEST(old_architecture_runs_on_its_successor)
{
    if (strcmp(arch_here(), "x86_64") != 0)
        return;
    put_program("bin/sh", EM_386, ELFCLASS32, ELFDATA2LSB);
    check_passes("i386");
}
END_TEST

START_TEST(sif_codes_are_those_of_the_format)
{
    static const struct {
        const char *code, *name;
    } cases[] = {{"01", "i386"},       {"02", "x86_64"}, {"03", "arm"},
                 {"04", "aarch64"},    {"05", "ppc64"},  {"06", "ppc64le"},
                 {"07", "mips"},       {"08", "mipsel"}, {"09", "mips64"},
                 {"10", "mips64el"},   {"11", "s390x"},  {"12", "riscv64"},
                 {"13", "loongarch64"}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        ck_assert_str_eq(arch_by_sif(cases[i].code)->name, cases[i].name);
    ck_assert_ptr_null(arch_by_sif("00"));
    ck_assert_ptr_null(arch_by_sif(""));
    ck_assert_ptr_null(arch_by_sif("14"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("arch");
    TCase *tc = tcase_create("arch");

    tcase_add_checked_fixture(tc, tree_make, tree_remove);
    tcase_add_test(tc, this_node_is_what_uname_says);
    tcase_add_test(tc, own_programs_pass);
    tcase_add_test(tc, image_without_any_program_passes);
    tcase_add_test(tc, foreign_programs_are_refused);
    tcase_add_test(tc, each_well_known_program_is_enough);
    tcase_add_test(tc, links_are_followed_inside_of_the_image_only);
    tcase_add_test(tc, files_that_are_no_programs_are_passed_over);
    tcase_add_test(tc, class_and_byte_order_count);
    tcase_add_test(tc, no_byte_behind_the_end_is_read);
    tcase_add_test(tc, old_architecture_runs_on_its_successor);
    tcase_add_test(tc, sif_codes_are_those_of_the_format);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
