/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user. Without this check a foreign image ends in "Exec format error", or
 * worse in a shell that takes the program for a script.
 */
#include "image/arch.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "image/bytes.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* ELF header as far as e_machine: e_ident and e_type come before it. */
#define ELF_MACHINE_OFFSET 18
#define ELF_HEAD           20

#define BINFMT_DIR "/proc/sys/fs/binfmt_misc"

/* Missing in the elf.h of glibc 2.34. */
#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

/* SIF codes: github.com/apptainer/sif, pkg/sif/arch.go. Of these all but loong64 are as
 * old as the format; "00" is unknown. */
static const struct arch arches[] = {
    {"i386", "01", EM_386, ELFCLASS32, ELFDATA2LSB},
    {"x86_64", "02", EM_X86_64, ELFCLASS64, ELFDATA2LSB},
    {"arm", "03", EM_ARM, ELFCLASS32, ELFDATA2LSB},
    {"aarch64", "04", EM_AARCH64, ELFCLASS64, ELFDATA2LSB},
    {"ppc64", "05", EM_PPC64, ELFCLASS64, ELFDATA2MSB},
    {"ppc64le", "06", EM_PPC64, ELFCLASS64, ELFDATA2LSB},
    {"mips", "07", EM_MIPS, ELFCLASS32, ELFDATA2MSB},
    {"mipsel", "08", EM_MIPS, ELFCLASS32, ELFDATA2LSB},
    {"mips64", "09", EM_MIPS, ELFCLASS64, ELFDATA2MSB},
    {"mips64el", "10", EM_MIPS, ELFCLASS64, ELFDATA2LSB},
    {"s390x", "11", EM_S390, ELFCLASS64, ELFDATA2MSB},
    {"riscv64", "12", EM_RISCV, ELFCLASS64, ELFDATA2LSB},
    {"loongarch64", "13", EM_LOONGARCH, ELFCLASS64, ELFDATA2LSB},
};

#define N_ARCHES (sizeof(arches) / sizeof(*arches))

/* Any of them will do; an image has hardly all of these as scripts. */
static const char *const programs[] = {
    "/bin/sh",          "/usr/bin/env",   "/bin/busybox",       "/bin/bash",
    "/usr/bin/python3", "/sbin/ldconfig", "/usr/sbin/ldconfig", "/bin/ls",
};

/* The dynamic loaders of this architecture's own programs, which tell it by their names:
 * finding one is cheaper than reading a program, and the task needs it next anyway. */
static const char *const loaders[] = {
#if defined(__x86_64__)
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-musl-x86_64.so.1",
#elif defined(__aarch64__)
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-musl-aarch64.so.1",
#elif defined(__riscv) && __riscv_xlen == 64
    "/lib/ld-linux-riscv64-lp64d.so.1",
    "/lib/ld-musl-riscv64.so.1",
#endif
    NULL,
};

const char *arch_here(void)
{
#if defined(__x86_64__)
    return "x86_64";
#elif defined(__aarch64__)
    return "aarch64";
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return "ppc64le";
#elif defined(__s390x__)
    return "s390x";
#elif defined(__riscv) && __riscv_xlen == 64
    return "riscv64";
#elif defined(__loongarch64)
    return "loongarch64";
#elif defined(__i386__)
    return "i386";
#else
#error "add this architecture to arch_here()"
#endif
}

const struct arch *arch_by_sif(const char *code)
{
    for (size_t i = 0; i < N_ARCHES; i++)
        if (strcmp(arches[i].sif, code) == 0)
            return &arches[i];
    return NULL;
}

const struct arch *arch_by_elf(const uint8_t *data, size_t size)
{
    if (size < ELF_HEAD || memcmp(data, ELFMAG, SELFMAG) != 0)
        return NULL;

    const uint8_t *m = data + ELF_MACHINE_OFFSET;
    uint16_t machine =
        data[EI_DATA] == ELFDATA2MSB ? (uint16_t)(m[0] << 8 | m[1]) : le16(m);

    for (size_t i = 0; i < N_ARCHES; i++)
        if (arches[i].machine == machine && arches[i].class == data[EI_CLASS] &&
            arches[i].data == data[EI_DATA])
            return &arches[i];
    return NULL;
}

/*
 * Whether binfmt_misc has an enabled handler under the name that Debian, Fedora and
 * qemu's own qemu-binfmt-conf.sh give it. Only one with the flag F serves a container:
 * its interpreter was opened on the host; others are looked up inside the image.
 */
static bool is_emulated(const struct arch *arch)
{
    char path[sizeof(BINFMT_DIR "/qemu-") + 16];
    char *save = NULL;
    cleanup_free char *text = NULL;
    bool enabled = false, fixed = false;

    (void)snprintf(path, sizeof(path), BINFMT_DIR "/qemu-%s", arch->name);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fd_read_all(fd, 4096, &text, NULL) < 0)
        return false;
    for (char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (strcmp(line, "enabled") == 0)
            enabled = true;
        else if (strncmp(line, "flags:", 6) == 0)
            fixed = strchr(line + 6, 'F') != NULL;
    }
    return enabled && fixed;
}

bool arch_runs_here(const struct arch *arch)
{
    const char *here = arch_here();

    if (strcmp(arch->name, here) == 0)
        return true;
    if (strcmp(here, "x86_64") == 0 && strcmp(arch->name, "i386") == 0)
        return true;
    return is_emulated(arch);
}

/* NULL if there is no such program, or none that the user may read, or it is no ELF. */
static const struct arch *arch_of_program(int root, const char *path)
{
    uint8_t head[ELF_HEAD];
    struct stat st;
    /* A directory image may have anything at that place, a FIFO too. */
    cleanup_fd int fd = path_open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        fd_pread_full(fd, head, sizeof(head), 0) < 0)
        return NULL;
    return arch_by_elf(head, sizeof(head));
}

static bool has_own_loader(int root)
{
    for (size_t i = 0; loaders[i]; i++) {
        cleanup_fd int fd = path_open_in_root(root, loaders[i], O_PATH);

        if (fd >= 0)
            return true;
    }
    return false;
}

int image_check_arch(int root, const char *name, struct vitrine_error *err)
{
    if (has_own_loader(root))
        return 0;
    for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
        const struct arch *arch = arch_of_program(root, programs[i]);

        if (!arch)
            continue;
        if (arch_runs_here(arch))
            return 0;
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "cannot use image %s: it is built for %s, this node is %s",
                            name, arch->name, arch_here());
    }
    return 0;
}
