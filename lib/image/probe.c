/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user, in a process that may become root again: every byte is hostile. What
 * is read is parsed from memory, so a file that changes meanwhile can only be refused;
 * whoever mounts it later checks it again (the kernel) or runs as the user (FUSE).
 */
#include "image/probe.h"
#include "base/fd.h"
#include "image/foreign.h"
#include "image/sif.h"
#include "image/squashfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

/* A loop device has whole sectors only. */
#define SECTOR_SIZE 512

#define HINT "Vitrine runs SquashFS files, SIF files and directories"

static void fill_info(const struct squashfs_super *super, enum image_kind kind,
                      uint64_t offset, uint64_t file_size, struct image_info *ret)
{
    uint64_t device_size = (file_size - offset) / SECTOR_SIZE * SECTOR_SIZE;
    long page_size = sysconf(_SC_PAGESIZE);

    *ret = (struct image_info){
        .kind = kind,
        .offset = offset,
        .size = super->bytes_used,
        .block_size = super->block_size,
        .compressor = super->compressor,
        .compressor_name = squashfs_compressor_name(super->compressor),
        .mountable = device_size >= super->bytes_used &&
                     (page_size < 0 || super->block_size >= (unsigned long)page_size),
    };
}

static int probe_sif(int fd, uint64_t file_size, struct image_info *ret,
                     struct vitrine_error *err)
{
    uint8_t data[SQUASHFS_SUPER_SIZE];
    struct sif_partition part;
    struct squashfs_super super;

    if (sif_read(fd, file_size, &part, err) < 0)
        return -1;
    size_t size = part.size < sizeof(data) ? (size_t)part.size : sizeof(data);
    int rc = fd_pread_full(fd, data, size, (off_t)part.offset);
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot read its system partition");
    if (squashfs_parse(data, size, part.offset, file_size, &super, err) < 0)
        return -1;
    if (super.bytes_used > part.size)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is damaged: its file system has %" PRIu64
                            " bytes, its system partition %" PRIu64 "; copy it again",
                            super.bytes_used, part.size);
    fill_info(&super, IMAGE_SIF, part.offset, file_size, ret);
    return 0;
}

static int probe_file(int fd, uint64_t file_size, struct image_info *ret,
                      struct vitrine_error *err)
{
    uint8_t head[FOREIGN_HEAD];
    size_t size = file_size < sizeof(head) ? (size_t)file_size : sizeof(head);
    struct squashfs_super super;

    if (size == 0)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is an empty file, not an image: " HINT);
    int rc = fd_pread_full(fd, head, size, 0);
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot read it");
    if (squashfs_has_magic(head, size)) {
        if (squashfs_parse(head, size, 0, file_size, &super, err) < 0)
            return -1;
        fill_info(&super, IMAGE_SQUASHFS, 0, file_size, ret);
        return 0;
    }
    if (sif_has_magic(head, size))
        return probe_sif(fd, file_size, ret, err);

    const char *what = foreign_describe(fd, head, size, file_size);
    if (what)
        return vitrine_fail(err, VITRINE_EFORMAT, "it is %s, not an image: " HINT, what);
    return vitrine_fail(err, VITRINE_EFORMAT,
                        "it is nothing that is known, not an image: " HINT);
}

static int probe_directory(int fd, struct image_info *ret, struct vitrine_error *err)
{
    if (faccessat(fd, "oci-layout", F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
        faccessat(fd, "index.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it is an OCI layout, whose layers must be unpacked first, "
                            "not an image: " HINT);
    *ret = (struct image_info){.kind = IMAGE_DIRECTORY};
    return 0;
}

static const char *describe_type(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    case S_IFBLK:
        return "a block device";
    case S_IFCHR:
        return "a character device";
    default:
        return "neither a file nor a directory";
    }
}

static int probe(int fd, struct image_info *ret, struct vitrine_error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot examine it");
    if (S_ISDIR(st.st_mode))
        return probe_directory(fd, ret, err);
    if (S_ISREG(st.st_mode))
        return probe_file(fd, (uint64_t)st.st_size, ret, err);
    return vitrine_fail(err, VITRINE_EFORMAT, "it is %s, not an image: " HINT,
                        describe_type(st.st_mode));
}

int image_probe(int fd, const char *name, struct image_info *ret,
                struct vitrine_error *err)
{
    if (probe(fd, ret, err) < 0)
        return vitrine_wrap(err, "cannot use image %s", name);
    return 0;
}
