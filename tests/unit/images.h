/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_IMAGES_H
#define VITRINE_TESTS_IMAGES_H

/* The smallest SquashFS and SIF files that are believed, to be damaged by tests. */
#include "unit.h"

#include "vitrine.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))

/* Of the file system that images_squashfs() makes. */
#define SQUASHFS_SIZE 1024

/* Of the file that images_sif() makes: header, four descriptors, file system. */
#define SIF_TABLE       128
#define SIF_ENTRY(n)    (SIF_TABLE + 585 * (n))
#define SIF_DESCRIPTORS 4
#define SIF_OFFSET      4096
#define SIF_FILE_SIZE   (SIF_OFFSET + SQUASHFS_SIZE)

static inline void images_put(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* SQUASHFS_SIZE bytes, of which only the superblock is more than zeros. */
static inline void images_squashfs(uint8_t *data)
{
    memset(data, 0, SQUASHFS_SIZE);
    memcpy(data, "hsqs", 4);
    images_put(data + 4, 3, 4);       /* inodes */
    images_put(data + 12, 131072, 4); /* block size */
    images_put(data + 16, 1, 4);      /* fragments */
    images_put(data + 20, 1, 2);      /* gzip */
    images_put(data + 22, 17, 2);     /* logarithm of the block size */
    images_put(data + 26, 1, 2);      /* owners */
    images_put(data + 28, 4, 2);      /* version */
    images_put(data + 32, 0x40, 8);   /* root directory */
    images_put(data + 40, 1000, 8);   /* bytes used */
    images_put(data + 48, 900, 8);    /* owner table */
    images_put(data + 56, 950, 8);    /* attribute table */
    images_put(data + 64, 500, 8);    /* inode table */
    images_put(data + 72, 600, 8);    /* directory table */
    images_put(data + 80, 700, 8);    /* fragment table */
    images_put(data + 88, 800, 8);    /* export table */
}

/* One descriptor: what counts of it. */
static inline void images_descriptor(uint8_t *d, uint32_t type, uint32_t fs,
                                     uint32_t part, const char *arch)
{
    memset(d, 0, 585);
    images_put(d, type, 4);
    d[4] = 1; /* used */
    images_put(d + 17, SIF_OFFSET, 8);
    images_put(d + 25, SQUASHFS_SIZE, 8);
    images_put(d + 201, fs, 4);
    images_put(d + 205, part, 4);
    memcpy(d + 209, arch, 3);
}

/* The code of the architecture that the tests run on, or "unknown". */
static inline const char *images_arch(void)
{
#if defined(__x86_64__)
    return "02";
#elif defined(__aarch64__)
    return "04";
#else
    return "00";
#endif
}

/* SIF_FILE_SIZE bytes: a definition file, the system partition, a signature, one unused
 * entry. */
static inline void images_sif(uint8_t *data)
{
    memset(data, 0, SIF_FILE_SIZE);
    memcpy(data, "#!/usr/bin/env run-singularity\n", 31);
    memcpy(data + 32, "SIF_MAGIC", 10);
    memcpy(data + 42, "01", 3);
    memcpy(data + 45, images_arch(), 3);
    images_put(data + 88, SIF_DESCRIPTORS, 8);
    images_put(data + 96, SIF_TABLE, 8);
    images_put(data + 104, 585 * SIF_DESCRIPTORS, 8);
    images_descriptor(data + SIF_ENTRY(0), 0x4001, 0, 0, "00");
    images_descriptor(data + SIF_ENTRY(1), 0x4004, 1, 2, images_arch());
    images_descriptor(data + SIF_ENTRY(2), 0x4005, 0, 0, "00");
    images_squashfs(data + SIF_OFFSET);
}

/* A file without a name that holds these bytes. */
static inline int images_file(const void *data, size_t size)
{
    int fd = memfd_create("image", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
    return fd;
}

/* What a test changes in one of them, and words that the refusal must have. */
struct images_damage {
    const char *what;
    size_t offset, size;
    uint64_t value;
    enum vitrine_errcode code;
    const char *words;
};

#define images_check(damage, rc, err)                                                    \
    do {                                                                                 \
        ck_assert_msg((rc) == -1, "%s: accepted", (damage)->what);                       \
        ck_assert_msg((err)->code == (damage)->code, "%s: code %d: %s", (damage)->what,  \
                      (err)->code, (err)->text);                                         \
        ck_assert_msg(strstr((err)->text, (damage)->words) != NULL,                      \
                      "%s: \"%s\" is not in \"%s\"", (damage)->what, (damage)->words,    \
                      (err)->text);                                                      \
    } while (0)

#endif
