/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user, on an archive that may be hostile. Every offset is compared with the
 * file's size before it is used. Names are only compared: none is ever opened.
 */
#include "source/tarindex.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"

#include <string.h>

#define BLOCK 512UL

/* Of the header, at their offsets: POSIX.1-2017, pax, "ustar Interchange Format". */
struct header {
    char name[100];
    char mode[8], uid[8], gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char user[32], group[32], major[8], minor[8];
    char prefix[155];
    char rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

struct entry {
    char *name;
    char *link; /* of a link: what it is for, a name in the archive; NULL: a file */
    uint64_t offset, size;
    size_t order;
};

struct tarindex {
    struct entry *entries;
    size_t count, room;
};

/* What headers before say of the next entry. */
struct extra {
    char *name, *link;
    uint64_t size;
    bool has_size;
};

struct reader {
    int fd;
    uint64_t at, size;
    struct extra extra;
    struct tarindex *index;
};

static int fail_memory(struct vitrine_error *err)
{
    return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
}

static int fail_header(const struct reader *r, const char *what,
                       struct vitrine_error *err)
{
    return vitrine_fail(err, VITRINE_EFORMAT, "the tar header at byte %ju is wrong: %s",
                        (uintmax_t)r->at, what);
}

static void clear_extra(struct extra *extra)
{
    free(extra->name);
    free(extra->link);
    *extra = (struct extra){.name = NULL};
}

/* --- numbers and texts --- */

/* Octal digits between blanks, or GNU's base 256. False: neither, or too large. */
static bool read_number(const char *field, size_t len, uint64_t *ret)
{
    const unsigned char *p = (const unsigned char *)field;
    uint64_t value = 0;
    size_t i = 0;

    if (p[0] & 0x80) {
        value = p[0] & 0x7f;
        for (i = 1; i < len; i++) {
            if (value >> 55)
                return false;
            value = value << 8 | p[i];
        }
        *ret = value;
        return !(p[0] & 0x40);
    }
    while (i < len && p[i] == ' ')
        i++;
    for (; i < len && p[i] >= '0' && p[i] <= '7'; i++)
        value = value << 3 | (uint64_t)(p[i] - '0');
    while (i < len && (p[i] == ' ' || p[i] == '\0'))
        i++;
    *ret = value;
    return i == len;
}

static bool checksum_is_right(const struct header *header)
{
    const unsigned char *p = (const unsigned char *)header;
    size_t from = offsetof(struct header, checksum);
    uint64_t sum = 0, expected;

    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= from && i < from + sizeof(header->checksum) ? ' ' : p[i];
    return read_number(header->checksum, sizeof(header->checksum), &expected) &&
           sum == expected;
}

/* Without "./", "..", double slashes and a slash at its end: what a path in the archive
 * means. NULL: no memory, or it leaves the archive. */
static char *normalise(const char *dir, size_t dir_len, const char *path)
{
    char *out = malloc(dir_len + strlen(path) + 2);
    size_t n = 0;

    if (!out)
        return NULL;
    if (path[0] != '/' && dir_len > 0) {
        memcpy(out, dir, dir_len);
        n = dir_len;
    }
    while (*path) {
        size_t len = strcspn(path, "/");

        if (len == 2 && memcmp(path, "..", 2) == 0) {
            if (n == 0) {
                free(out);
                return NULL;
            }
            while (n > 0 && out[--n] != '/')
                ;
        } else if (len > 0 && !(len == 1 && path[0] == '.')) {
            if (n > 0)
                out[n++] = '/';
            memcpy(out + n, path, len);
            n += len;
        }
        path += len + (path[len] == '/');
    }
    out[n] = '\0';
    return out;
}

/* --- headers for the next entry --- */

static int load(const struct reader *r, uint64_t size, char **ret,
                struct vitrine_error *err)
{
    char *text;

    if (size > LIMIT_ARCHIVE_HEADER)
        return fail_header(r, "its names are too long", err);
    text = malloc(size + 1);
    if (!text)
        return fail_memory(err);
    neg_errno rc = fd_pread_full(r->fd, text, size, (off_t)(r->at + BLOCK));
    if (rc < 0) {
        free(text);
        return error_from(err, VITRINE_EFORMAT, rc, "cannot read the archive");
    }
    text[size] = '\0';
    *ret = text;
    return 0;
}

static bool read_decimal(const char *text, size_t len, uint64_t *ret)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || value > UINT64_MAX / 100)
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *ret = value;
    return len > 0;
}

static int set_text(char **text, const char *value, size_t len, struct vitrine_error *err)
{
    free(*text);
    *text = strndup(value, len);
    return *text ? 0 : fail_memory(err);
}

/* One "LENGTH KEY=VALUE\n". */
static int read_record(struct reader *r, const char *text, size_t len,
                       struct vitrine_error *err)
{
    const char *equals = memchr(text, '=', len);
    size_t key = equals ? (size_t)(equals - text) : 0;
    const char *value = text + key + 1;
    size_t value_len = len - key - 1;

    if (key == 0)
        return fail_header(r, "a record has no name", err);
    if (key == 4 && memcmp(text, "path", 4) == 0)
        return set_text(&r->extra.name, value, value_len, err);
    if (key == 8 && memcmp(text, "linkpath", 8) == 0)
        return set_text(&r->extra.link, value, value_len, err);
    if (key == 4 && memcmp(text, "size", 4) == 0) {
        r->extra.has_size = true;
        if (!read_decimal(value, value_len, &r->extra.size))
            return fail_header(r, "its size is not a number", err);
    }
    if (key > 10 && memcmp(text, "GNU.sparse", 10) == 0)
        return fail_header(r, "sparse files cannot be in such an archive", err);
    return 0;
}

static int read_pax(struct reader *r, uint64_t size, struct vitrine_error *err)
{
    cleanup_free char *text = NULL;

    if (load(r, size, &text, err) < 0)
        return -1;
    for (size_t at = 0; text && at < size;) {
        size_t digits = strspn(text + at, "0123456789");
        uint64_t len;

        if (digits > 10 || !read_decimal(text + at, digits, &len) ||
            text[at + digits] != ' ' || len <= digits + 1 || len > size - at ||
            text[at + len - 1] != '\n')
            return fail_header(r, "a record has the wrong length", err);
        if (read_record(r, text + at + digits + 1, (size_t)len - digits - 2, err) < 0)
            return -1;
        at += len;
    }
    return 0;
}

static int read_gnu_name(struct reader *r, char **name, uint64_t size,
                         struct vitrine_error *err)
{
    char *text = NULL;

    if (load(r, size, &text, err) < 0)
        return -1;
    free(*name);
    *name = text;
    return 0;
}

/* --- entries --- */

static char *name_of(const struct reader *r, const struct header *header)
{
    char text[sizeof(header->prefix) + sizeof(header->name) + 2];
    bool is_ustar = memcmp(header->magic, "ustar", 6) == 0;

    if (r->extra.name)
        return normalise("", 0, r->extra.name);
    (void)snprintf(text, sizeof(text), "%.*s%s%.*s",
                   is_ustar ? (int)sizeof(header->prefix) : 0, header->prefix,
                   is_ustar && header->prefix[0] ? "/" : "", (int)sizeof(header->name),
                   header->name);
    return normalise("", 0, text);
}

/* What a link is for: symbolic ones count from where they are. */
static char *link_of(const struct reader *r, const struct header *header,
                     const char *name)
{
    char text[sizeof(header->link) + 1];
    const char *slash = strrchr(name, '/');
    size_t dir = header->type == '2' && slash ? (size_t)(slash - name) : 0;

    (void)snprintf(text, sizeof(text), "%.*s", (int)sizeof(header->link), header->link);
    return normalise(name, dir, r->extra.link ? r->extra.link : text);
}

static int add(struct reader *r, const struct header *header, uint64_t size,
               struct vitrine_error *err)
{
    struct tarindex *index = r->index;
    bool is_link = header->type == '1' || header->type == '2';
    struct entry entry = {.offset = r->at + BLOCK, .size = size, .order = index->count};

    if (index->count == LIMIT_ARCHIVE_ENTRIES)
        return vitrine_fail(err, VITRINE_EFORMAT, "it has more than %d entries",
                            LIMIT_ARCHIVE_ENTRIES);
    if (index->count == index->room) {
        size_t room = index->room ? index->room * 2 : 64;
        struct entry *more = reallocarray(index->entries, room, sizeof(*more));

        if (!more)
            return fail_memory(err);
        index->entries = more;
        index->room = room;
    }
    entry.name = name_of(r, header);
    if (entry.name && is_link)
        entry.link = link_of(r, header, entry.name);
    if (!entry.name || (is_link && !entry.link)) {
        free(entry.name);
        return fail_header(r, "a name or link in it leaves the archive", err);
    }
    index->entries[index->count++] = entry;
    return 0;
}

/* The entry whose header is here; *ret_size of what follows the header. */
static int read_entry(struct reader *r, const struct header *header, uint64_t *ret_size,
                      struct vitrine_error *err)
{
    char type = header->type;
    uint64_t size;
    int rc = 0;

    if (!checksum_is_right(header))
        return fail_header(r, "its checksum is", err);
    if (!read_number(header->size, sizeof(header->size), &size))
        return fail_header(r, "its size is not a number", err);
    bool describes = type == 'x' || type == 'g' || type == 'L' || type == 'K';
    if (!describes && r->extra.has_size)
        size = r->extra.size;
    /* Links and directories have none, whatever they say. */
    if (type >= '1' && type <= '6')
        size = 0;
    if (size > r->size - r->at - BLOCK)
        return vitrine_fail(err, VITRINE_EFORMAT, "it is cut off");
    *ret_size = size;
    if (type == 'x')
        return read_pax(r, size, err);
    if (type == 'L')
        return read_gnu_name(r, &r->extra.name, size, err);
    if (type == 'K')
        return read_gnu_name(r, &r->extra.link, size, err);
    if (type == 'S')
        return fail_header(r, "sparse files cannot be in such an archive", err);
    if (type == '0' || type == '\0' || type == '7' || type == '1' || type == '2')
        rc = add(r, header, size, err);
    if (!describes)
        clear_extra(&r->extra);
    return rc;
}

static bool is_zero(const struct header *header)
{
    const char *p = (const char *)header;

    return p[0] == '\0' && memcmp(p, p + 1, BLOCK - 1) == 0;
}

static int read_all(struct reader *r, struct vitrine_error *err)
{
    while (r->size - r->at >= BLOCK) {
        struct header header;
        uint64_t size = 0;
        neg_errno rc = fd_pread_full(r->fd, &header, BLOCK, (off_t)r->at);

        if (rc < 0)
            return error_from(err, VITRINE_EFORMAT, rc, "cannot read the archive");
        if (is_zero(&header))
            return 0;
        if (read_entry(r, &header, &size, err) < 0)
            return -1;
        size += BLOCK + (BLOCK - size % BLOCK) % BLOCK;
        /* The last block may lack what fills it. */
        r->at += size < r->size - r->at ? size : r->size - r->at;
    }
    return r->at == r->size && r->index->count > 0
               ? 0
               : vitrine_fail(err, VITRINE_EFORMAT, "it is cut off");
}

static int compare(const void *a, const void *b)
{
    const struct entry *one = a, *other = b;
    int order = strcmp(one->name, other->name);

    return order != 0 ? order : (one->order > other->order) - (one->order < other->order);
}

int tarindex_read(int fd, uint64_t size, struct tarindex **ret, struct vitrine_error *err)
{
    struct reader r = {.fd = fd, .size = size, .index = calloc(1, sizeof(*r.index))};
    int rc;

    if (!r.index)
        return fail_memory(err);
    rc = read_all(&r, err);
    clear_extra(&r.extra);
    if (rc < 0) {
        tarindex_free(r.index);
        return -1;
    }
    if (r.index->count > 0)
        qsort(r.index->entries, r.index->count, sizeof(*r.index->entries), compare);
    *ret = r.index;
    return 0;
}

void tarindex_free(struct tarindex *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < index->count; i++) {
        free(index->entries[i].name);
        free(index->entries[i].link);
    }
    free(index->entries);
    free(index);
}

/* The last of its name: as if it had been unpacked. */
static const struct entry *find(const struct tarindex *index, const char *name)
{
    size_t low = 0, high = index->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(index->entries[middle].name, name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && strcmp(index->entries[low - 1].name, name) == 0
               ? &index->entries[low - 1]
               : NULL;
}

bool tarindex_find(const struct tarindex *index, const char *name, uint64_t *ret_offset,
                   uint64_t *ret_size)
{
    const struct entry *entry = find(index, name);

    for (unsigned i = 0; entry && entry->link && i < LIMIT_SYMLINKS; i++)
        entry = find(index, entry->link);
    if (!entry || entry->link)
        return false;
    *ret_offset = entry->offset;
    *ret_size = entry->size;
    return true;
}
