/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user. Wrong guesses do no harm here: they only change the words of a
 * refusal. Magic numbers as in the formats' own headers, and in file(1).
 */
#include "image/foreign.h"
#include "base/fd.h"
#include "image/bytes.h"

#include <ctype.h>
#include <elf.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define TAR_BLOCK        512
#define TAR_MAGIC_OFFSET 257
#define TAR_SIZE_OFFSET  124
#define TAR_SIZE_DIGITS  12
#define TAR_NAME         100

/* docker save and skopeo put what tells them apart among the first or the last entries;
 * archives with more entries than this are called a tar archive. */
#define TAR_ENTRIES 256

#define EXT_SUPER     1024
#define ISO_MAGIC     32769
#define BTRFS_MAGIC   65600
#define FAR_MAGIC_MAX 8

struct magic {
    uint32_t offset;
    uint32_t size;
    const char *bytes;
    const char *what;
};

#define AT(offset, bytes, what)                                                          \
    {                                                                                    \
        offset, sizeof(bytes) - 1, bytes, what                                           \
    }

static const struct magic near_magics[] = {
    AT(0, "\x1f\x8b", "a gzip-compressed archive"),
    AT(0, "BZh", "a bzip2-compressed archive"),
    AT(0,
       "\xfd"
       "7zXZ",
       "an xz-compressed archive"),
    AT(0, "\x28\xb5\x2f\xfd", "a zstd-compressed archive"),
    AT(0, "\x04\x22\x4d\x18", "an lz4-compressed archive"),
    AT(0, "PK\x03\x04", "a ZIP archive"),
    AT(0, "7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    AT(0, "07070", "a cpio archive"),
    AT(0, "!<arch>\n", "a Debian package or static library"),
    AT(0, "\xed\xab\xee\xdb", "an RPM package"),
    AT(0, "QFI\xfb", "a qcow2 disk image"),
    AT(0, "KDMV", "a VMDK disk image"),
    AT(0x40, "\x7f\x10\xda\xbe", "a VDI disk image"),
    AT(0, "LUKS\xba\xbe", "a LUKS-encrypted disk image"),
    AT(0, "XFSB", "an XFS file system"),
    AT(0, "\x45\x3d\xcd\x28", "a cramfs file system"),
    AT(1024, "\xe2\xe1\xf5\xe0", "an EROFS file system"),
    AT(0, "MZ", "a Windows program"),
    AT(0, "%PDF-", "a PDF document"),
    AT(0, "\x89HDF\r\n", "an HDF5 file"),
    AT(0, "SQLite format 3", "an SQLite database"),
    AT(0, "version https://git-lfs", "a Git LFS pointer, not the file itself"),
    AT(512, "EFI PART", "a disk image with partitions"),
    AT(510, "\x55\xaa", "a disk image with a boot sector"),
};

static const struct magic far_magics[] = {
    AT(ISO_MAGIC, "CD001", "an ISO 9660 file system"),
    AT(BTRFS_MAGIC, "_BHRfS_M", "a Btrfs file system"),
};

static const struct magic text_beginnings[] = {
    AT(0, "<!doctype html", "an HTML page"),
    AT(0, "<html", "an HTML page"),
    AT(0, "<?xml", "an XML document"),
    AT(0, "bootstrap:", "an Apptainer definition file"),
    AT(0, "from ", "a Dockerfile"),
    AT(0, "{", "a JSON document"),
};

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static const char *find_near(const uint8_t *head, size_t size)
{
    for (size_t i = 0; i < COUNT(near_magics); i++) {
        const struct magic *m = &near_magics[i];

        if (size >= m->offset + m->size &&
            memcmp(head + m->offset, m->bytes, m->size) == 0)
            return m->what;
    }
    return NULL;
}

static const char *find_far(int fd, uint64_t file_size)
{
    uint8_t data[FAR_MAGIC_MAX];

    for (size_t i = 0; i < COUNT(far_magics); i++) {
        const struct magic *m = &far_magics[i];

        if (file_size >= m->offset + m->size &&
            fd_pread_full(fd, data, m->size, (off_t)m->offset) == 0 &&
            memcmp(data, m->bytes, m->size) == 0)
            return m->what;
    }
    return NULL;
}

/* Feature bits as in Linux, fs/ext4/ext4.h. */
static const char *find_ext(const uint8_t *head, size_t size)
{
    const uint8_t *super = head + EXT_SUPER;

    if (size < EXT_SUPER + 0x64 || le16(super + 0x38) != 0xef53)
        return NULL;
    if (le32(super + 0x60) & ~0x1fU) /* incompatible features newer than ext3 */
        return "an ext4 file system";
    if (le32(super + 0x5c) & 0x4) /* has_journal */
        return "an ext3 file system";
    return "an ext2 file system";
}

static const char *find_elf(const uint8_t *head, size_t size)
{
    if (size < 18 || memcmp(head, ELFMAG, SELFMAG) != 0)
        return NULL;
    if (memcmp(head + 8, "AI\x02", 3) == 0)
        return "an AppImage";
    if (head[EI_DATA] == ELFDATA2LSB && le16(head + 16) == ET_CORE)
        return "a core dump";
    return "an ELF program";
}

/* Octal, as in every archive that docker and skopeo write; false otherwise. */
static bool tar_size(const uint8_t *header, uint64_t *ret)
{
    uint64_t n = 0;

    for (size_t i = 0; i < TAR_SIZE_DIGITS; i++) {
        uint8_t c = header[TAR_SIZE_OFFSET + i];

        if (c == '\0' || c == ' ')
            break;
        if (c < '0' || c > '7')
            return false;
        n = n * 8 + (c - '0');
    }
    *ret = n;
    return true;
}

static bool tar_is_named(const uint8_t *header, const char *name)
{
    return strncmp((const char *)header, name, TAR_NAME) == 0;
}

static const char *find_tar(int fd, const uint8_t *head, size_t size, uint64_t file_size)
{
    uint8_t header[TAR_BLOCK];
    uint64_t at = 0, length;

    if (size < TAR_BLOCK || memcmp(head + TAR_MAGIC_OFFSET, "ustar", 5) != 0)
        return NULL;
    memcpy(header, head, sizeof(header));
    for (int i = 0; i < TAR_ENTRIES; i++) {
        if (tar_is_named(header, "manifest.json") || tar_is_named(header, "repositories"))
            return "a docker archive";
        if (tar_is_named(header, "oci-layout"))
            return "an OCI archive";
        /* At most 8^12 is added to less than file_size: this cannot wrap. */
        if (!tar_size(header, &length) || fd < 0)
            break;
        at += TAR_BLOCK + (length + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
        if (at > file_size || file_size - at < TAR_BLOCK ||
            fd_pread_full(fd, header, sizeof(header), (off_t)at) < 0)
            break;
    }
    return "a tar archive";
}

static const char *find_script(const uint8_t *head, size_t size)
{
    const char *end = memchr(head, '\n', size);
    size_t n = end ? (size_t)(end - (const char *)head) : size;

    if (n < 2 || head[0] != '#' || head[1] != '!')
        return NULL;
    return memmem(head, n, "sh", 2) ? "a shell script" : "a script";
}

static const char *find_text(const uint8_t *head, size_t size)
{
    size_t start = size >= 3 && memcmp(head, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    for (size_t i = start; i < size; i++)
        if (iscntrl(head[i]) && !isspace(head[i]))
            return NULL;
    while (start < size && isspace(head[start]))
        start++;
    for (size_t i = 0; i < COUNT(text_beginnings); i++) {
        const struct magic *m = &text_beginnings[i];

        if (size - start >= m->size &&
            strncasecmp((const char *)head + start, m->bytes, m->size) == 0)
            return m->what;
    }
    return "a text file";
}

static bool is_zero(const uint8_t *head, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (head[i])
            return false;
    return true;
}

const char *foreign_describe(int fd, const uint8_t *head, size_t size, uint64_t file_size)
{
    const char *what = find_script(head, size);

    if (!what)
        what = find_elf(head, size);
    if (!what)
        what = find_tar(fd, head, size, file_size);
    if (!what)
        what = find_ext(head, size);
    if (!what && fd >= 0)
        what = find_far(fd, file_size);
    if (!what)
        what = find_near(head, size);
    if (!what)
        what = find_text(head, size);
    if (!what && is_zero(head, size))
        what = "filled with zeros where it begins, perhaps a copy that did not finish";
    return what;
}
