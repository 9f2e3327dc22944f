/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user. All that layers say is hostile. */
#include "layers/entries.h"
#include "base/limits.h"

#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WHITEOUT  ".wh."
#define AUFS      ".wh..wh." /* aufs' own, but for the next */
#define OPAQUE    ".wh..wh..opq"
#define OWN_FILES ".vitrine"

#define CAPABILITY "security.capability"
#define XATTR_MAX  65536U /* of one, in Linux */

static int no_memory(struct vitrine_error *err)
{
    return error_from(err, VITRINE_EINTERNAL, ENOMEM, "the image has too many files");
}

int entries_open(struct entries *entries, struct output *output, unsigned nlayers,
                 struct vitrine_error *err)
{
    *entries = (struct entries){.output = output, .nlayers = nlayers};
    entries->layers = calloc((size_t)nlayers + 1, sizeof(*entries->layers));
    if (!entries->layers || shade_open(&entries->shade) < 0)
        return no_memory(err);
    return shade_add(&entries->shade, nlayers, OWN_FILES, false) < 0 ? no_memory(err) : 0;
}

void entries_close(struct entries *entries)
{
    shade_close(&entries->shade);
    tree_packed_free(entries->packed);
    arena_free(&entries->arena);
    free(entries->layers);
    *entries = (struct entries){0};
}

/* 1: a name of aufs' own. */
static int clean(const char *path, char ret[PATH_MAX], struct vitrine_error *err)
{
    size_t used = 0, len;
    bool is_aufs = false;

    for (const char *at = path; *at; at += len) {
        at += strspn(at, "/");
        len = strcspn(at, "/");
        if (len == 0 || (len == 1 && at[0] == '.'))
            continue;
        if (len == 2 && at[0] == '.' && at[1] == '.')
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "a name must not lead upwards (..)");
        if (len > NAME_MAX)
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "a name is longer than %d bytes, which Linux cannot have",
                                NAME_MAX);
        if (used + len + 2 > PATH_MAX)
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "it is longer than %d bytes, which Linux cannot have",
                                PATH_MAX - 1);
        is_aufs = is_aufs || (strncmp(at, AUFS, strlen(AUFS)) == 0 &&
                              (len != strlen(OPAQUE) || strncmp(at, OPAQUE, len) != 0));
        if (used > 0)
            ret[used++] = '/';
        memcpy(ret + used, at, len);
        used += len;
    }
    ret[used] = '\0';
    return is_aufs;
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Whether `path` is a whiteout; then it becomes that of what it hides. */
static int read_whiteout(char *path, enum entry_kind *ret, struct vitrine_error *err)
{
    char *name = (char *)last_name(path), *hidden = name + strlen(WHITEOUT);

    *ret = ENTRY_NODE;
    if (strncmp(name, WHITEOUT, strlen(WHITEOUT)) != 0)
        return 0;
    if (strcmp(name, OPAQUE) == 0) {
        *ret = ENTRY_OPAQUE;
        *(name > path ? name - 1 : name) = '\0';
        return 0;
    }
    if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
        return vitrine_fail(err, VITRINE_EFORMAT, "it is a whiteout of nothing");
    *ret = ENTRY_WHITEOUT;
    memmove(name, hidden, strlen(hidden) + 1);
    return 0;
}

static int count(struct entries *entries, const struct layer_entry *told,
                 struct vitrine_error *err)
{
    entries->count++;
    entries->names += strlen(told->path) + 1 + (told->target ? strlen(told->target) : 0);
    if (S_ISREG(told->mode) && !told->is_hardlink)
        entries->apparent += told->size;
    if (entries->count > LIMIT_IMPORT_ENTRIES || entries->names > LIMIT_IMPORT_NAMES)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "the image has more than %d files, or names of more than "
                            "%llu MiB",
                            LIMIT_IMPORT_ENTRIES,
                            (unsigned long long)(LIMIT_IMPORT_NAMES >> 20));
    if (told->size > LIMIT_IMPORT_APPARENT || entries->apparent > LIMIT_IMPORT_APPARENT)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "the image's files are larger than %llu TiB",
                            (unsigned long long)(LIMIT_IMPORT_APPARENT >> 40));
    return 0;
}

/* Owners of file capabilities: version 3 has them count for the root of one user
 * namespace. In an image they count for its own, as version 2 says. */
static size_t fix_capability(const void *value, size_t size, uint8_t ret[20])
{
    const uint8_t *in = value;

    if (size != 24 || in[3] != 3)
        return 0;
    memcpy(ret, in, 20);
    ret[3] = 2;
    return 20;
}

/* Of the host's security modules alone capabilities are the image's business: with a
 * label of SELinux it could say what its programs may do on a host. */
static bool is_wanted(const char *name)
{
    static const char security[] = "security.";

    return output_has_xattr(name) && (strncmp(name, security, strlen(security)) != 0 ||
                                      strcmp(name, CAPABILITY) == 0);
}

static int read_xattrs(struct entries *entries, struct layer *layer, uint32_t *ret,
                       struct vitrine_error *err)
{
    uint8_t fixed[20];
    const char *name;
    const void *value;
    size_t size, n;
    bool begun = false;

    *ret = TREE_NO_XATTR;
    while (layer_xattr(layer, &name, &value, &size)) {
        if (!name || !is_wanted(name))
            continue;
        entries->xattrs += strlen(name) + size;
        if (strlen(name) > NAME_MAX || size > XATTR_MAX ||
            entries->xattrs > LIMIT_IMPORT_XATTRS)
            return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                                "it has too large attributes, or those of the image are "
                                "more than %llu MiB",
                                (unsigned long long)(LIMIT_IMPORT_XATTRS >> 20));
        if (!begun && output_begin_xattrs(entries->output, err) < 0)
            return -1;
        begun = true;
        n = strcmp(name, CAPABILITY) == 0 ? fix_capability(value, size, fixed) : 0;
        if (output_add_xattr(entries->output, name, n > 0 ? fixed : value,
                             n > 0 ? n : size, err) < 0)
            return -1;
    }
    return begun ? output_end_xattrs(entries->output, ret, err) : 0;
}

struct tree_packed *entries_packed(struct entries *entries)
{
    struct tree_packed *packed = arena_take(&entries->arena, sizeof(*packed));

    if (packed) {
        packed->next = entries->packed;
        entries->packed = packed;
    }
    return packed;
}

static int read_target(struct entries *entries, const struct layer_entry *told,
                       struct entry *entry, struct vitrine_error *err)
{
    char target[PATH_MAX];

    if (!told->target)
        return 0;
    if (told->is_hardlink) {
        if (clean(told->target, target, err) < 0)
            return vitrine_wrap(err, "its target %.300s", told->target);
    } else {
        if (!*told->target || strlen(told->target) >= sizeof(target))
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "its target is empty, or longer than Linux can have it");
        memcpy(target, told->target, strlen(told->target) + 1);
    }
    entry->target = arena_text(&entries->arena, target);
    return entry->target ? 0 : no_memory(err);
}

static int read_node(struct entries *entries, struct layer *layer,
                     const struct layer_entry *told, struct entry *entry,
                     struct vitrine_error *err)
{
    switch (told->mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
    case S_IFIFO:
        break;
    case S_IFCHR:
    case S_IFBLK:
        if (told->major > 0xfff || told->minor > 0xfffff)
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "it is device %u:%u, which Linux cannot have",
                                told->major, told->minor);
        entry->rdev = tree_device(told->major, told->minor);
        break;
    default:
        return vitrine_fail(err, VITRINE_EFORMAT, "it is of a type that Linux has not");
    }
    if (!*entry->path && !S_ISDIR(told->mode))
        return vitrine_fail(err, VITRINE_EFORMAT, "the root must be a directory");
    entry->mode = told->mode;
    entry->uid = told->uid;
    entry->gid = told->gid;
    entry->mtime = told->mtime;
    if (S_ISREG(told->mode))
        entry->size = told->size;
    return read_xattrs(entries, layer, &entry->xattr, err);
}

static int tell_shade(struct entries *entries, unsigned number, const struct entry *entry,
                      struct vitrine_error *err)
{
    struct shade *shade = &entries->shade;
    int rc;

    /* Nothing is lower, or it has said all there is to say. */
    if (number == 0)
        return 0;
    if (entry->kind == ENTRY_OPAQUE)
        rc = shade_add_opaque(shade, number, entry->path);
    else
        rc = shade_add(shade, number, entry->path,
                       entry->kind == ENTRY_NODE && S_ISDIR(entry->mode));
    return rc < 0 ? no_memory(err) : 0;
}

static void append(struct entries_layer *list, struct entry *entry)
{
    if (list->last)
        list->last->next = entry;
    else
        list->first = entry;
    list->last = entry;
}

static int add(struct entries *entries, unsigned number, struct layer *layer,
               const struct layer_entry *told, struct entry **ret, bool *ret_content,
               struct vitrine_error *err)
{
    struct entry *entry = arena_take(&entries->arena, sizeof(*entry));
    uint32_t at = entries->layers[number].numbers++;
    char path[PATH_MAX] = "";
    int rc;

    if (!entry)
        return no_memory(err);
    if (!*told->path)
        return vitrine_fail(err, VITRINE_EFORMAT, "an entry has no name");
    rc = count(entries, told, err);
    if (rc == 0)
        rc = clean(told->path, path, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (read_whiteout(path, &entry->kind, err) < 0)
        return -1;
    entry->number = at;
    entry->path = arena_text(&entries->arena, path);
    if (!entry->path)
        return no_memory(err);
    entry->name = last_name(entry->path);
    if (entry->kind == ENTRY_NODE && told->is_hardlink)
        entry->kind = ENTRY_HARDLINK;
    if (entry->kind == ENTRY_NODE)
        rc = read_node(entries, layer, told, entry, err);
    if (rc == 0 && entry->kind <= ENTRY_HARDLINK)
        rc = read_target(entries, told, entry, err);
    if (rc == 0)
        rc = tell_shade(entries, number, entry, err);
    if (rc < 0)
        return -1;
    *ret_content =
        entry->kind == ENTRY_NODE && S_ISREG(entry->mode) &&
        (entry->size == 0 || !shade_hides(&entries->shade, number, entry->path));
    if (*ret_content && !(entry->packed = entries_packed(entries)))
        return no_memory(err);
    append(&entries->layers[number], entry);
    *ret = entry;
    return 0;
}

int entries_add(struct entries *entries, unsigned number, struct layer *layer,
                const struct layer_entry *told, struct entry **ret, bool *ret_content,
                struct vitrine_error *err)
{
    *ret = NULL;
    *ret_content = false;
    return add(entries, number, layer, told, ret, ret_content, err) < 0
               ? vitrine_wrap(err, "%.300s", told->path)
               : 0;
}

int entries_add_own(struct entries *entries, const char *path, mode_t mode,
                    struct entry **ret, struct vitrine_error *err)
{
    struct entries_layer *own = &entries->layers[entries->nlayers];
    struct entry *entry = arena_take(&entries->arena, sizeof(*entry));
    struct entry *whiteout = arena_take(&entries->arena, sizeof(*entry));

    if (!entry || !whiteout || !(entry->path = arena_text(&entries->arena, path)))
        return no_memory(err);
    entry->name = last_name(entry->path);
    *whiteout = *entry;
    whiteout->kind = ENTRY_WHITEOUT;
    append(own, whiteout);
    entry->mode = mode;
    entry->xattr = TREE_NO_XATTR;
    if (S_ISREG(mode) && !(entry->packed = entries_packed(entries)))
        return no_memory(err);
    append(own, entry);
    *ret = entry;
    return 0;
}
