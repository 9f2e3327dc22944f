/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs while Vitrine is built: writes the numbers of the system calls that seccomp.c
 * answers, for one kind of processor (as meson names it) and the 32-bit programs that it
 * runs too. libseccomp knows the numbers; nothing of it is needed at run time.
 */
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the kernel calls x32's calls: by the processor's own name. */
#define X86_64_AUDIT SCMP_ARCH_X86_64

static const struct family {
    const char *name;
    struct {
        uint32_t arch, audit; /* of libseccomp; of struct seccomp_data */
    } abis[3];
} families[] = {
    {"x86_64",
     {{SCMP_ARCH_X86_64, X86_64_AUDIT},
      {SCMP_ARCH_X32, X86_64_AUDIT},
      {SCMP_ARCH_X86, SCMP_ARCH_X86}}},
    {"x86", {{SCMP_ARCH_X86, SCMP_ARCH_X86}}},
    {"aarch64", {{SCMP_ARCH_AARCH64, SCMP_ARCH_AARCH64}, {SCMP_ARCH_ARM, SCMP_ARCH_ARM}}},
    {"arm", {{SCMP_ARCH_ARM, SCMP_ARCH_ARM}}},
    {"ppc64le", {{SCMP_ARCH_PPC64LE, SCMP_ARCH_PPC64LE}}},
    {"riscv64", {{SCMP_ARCH_RISCV64, SCMP_ARCH_RISCV64}}},
    {"s390x", {{SCMP_ARCH_S390X, SCMP_ARCH_S390X}, {SCMP_ARCH_S390, SCMP_ARCH_S390}}},
};

/* How each is answered, in words of seccomp.c. */
static const struct {
    const char *name, *answer;
} calls[] = {
    {"chown", "ANSWER_CHOWN"},      {"chown32", "ANSWER_CHOWN"},
    {"lchown", "ANSWER_CHOWN"},     {"lchown32", "ANSWER_CHOWN"},
    {"fchown", "ANSWER_CHOWN"},     {"fchown32", "ANSWER_CHOWN"},
    {"fchownat", "ANSWER_CHOWNAT"}, {"mknod", "ANSWER_MKNOD"},
    {"mknodat", "ANSWER_MKNODAT"},  {"setuid", "ANSWER_DONE"},
    {"setuid32", "ANSWER_DONE"},    {"setgid", "ANSWER_DONE"},
    {"setgid32", "ANSWER_DONE"},    {"setreuid", "ANSWER_DONE"},
    {"setreuid32", "ANSWER_DONE"},  {"setregid", "ANSWER_DONE"},
    {"setregid32", "ANSWER_DONE"},  {"setresuid", "ANSWER_DONE"},
    {"setresuid32", "ANSWER_DONE"}, {"setresgid", "ANSWER_DONE"},
    {"setresgid32", "ANSWER_DONE"}, {"setgroups", "ANSWER_DONE"},
    {"setgroups32", "ANSWER_DONE"}, {"setfsuid", "ANSWER_DONE"},
    {"setfsuid32", "ANSWER_DONE"},  {"setfsgid", "ANSWER_DONE"},
    {"setfsgid32", "ANSWER_DONE"},  {"capset", "ANSWER_DONE"},
};

int main(int argc, char **argv)
{
    const struct family *family = NULL;

    for (size_t i = 0; argc == 2 && i < COUNT(families); i++)
        if (strcmp(argv[1], families[i].name) == 0)
            family = &families[i];
    if (!family) {
        (void)fprintf(stderr, "usage: seccomp-numbers CPU-FAMILY\n");
        return EXIT_FAILURE;
    }
    printf("/* Made by seccomp-numbers. */\n");
    printf("static const struct call calls[] = {\n");
    for (size_t i = 0; i < COUNT(family->abis) && family->abis[i].arch; i++)
        for (size_t j = 0; j < COUNT(calls); j++) {
            int number =
                seccomp_syscall_resolve_name_arch(family->abis[i].arch, calls[j].name);

            if (number >= 0) /* else there is none by that name */
                printf("    {0x%08" PRIx32 ", %d, %s}, /* %s */\n", family->abis[i].audit,
                       number, calls[j].answer, calls[j].name);
        }
    printf("};\n");
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
