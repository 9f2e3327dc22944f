/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user; on the thread that called the library. */
#include "layers/layer.h"
#include "base/limits.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct layer {
    struct layer_input input;
    struct archive *archive;
    struct archive_entry *entry; /* libarchive's */
    locale_t locale;
    uint64_t taken; /* bytes since libarchive was asked for one thing */
    bool is_skipping;
    bool input_ended;
    bool has_cause; /* why reading failed */
    struct vitrine_error cause;
};

static la_ssize_t read_input(struct archive *archive, void *arg, const void **ret)
{
    struct layer *layer = arg;
    size_t size = 0;

    if (layer->input_ended)
        return 0;
    if (layer->input.read(layer->input.arg, ret, &size, &layer->cause) < 0) {
        layer->has_cause = true;
    } else if (size > *layer->input.budget) {
        (void)vitrine_fail(&layer->cause, VITRINE_EUNSUPPORTED,
                           "the image's layers unpack to more than %llu GiB",
                           (unsigned long long)(LIMIT_IMPORT_BYTES >> 30));
        layer->has_cause = true;
    } else if (!layer->is_skipping && layer->taken > LIMIT_IMPORT_HEADER) {
        (void)vitrine_fail(&layer->cause, VITRINE_EUNSUPPORTED,
                           "the headers of one entry are larger than %lu MiB",
                           LIMIT_IMPORT_HEADER >> 20);
        layer->has_cause = true;
    }
    if (layer->has_cause) {
        archive_set_error(archive, EIO, "%s", layer->cause.text);
        return -1;
    }
    layer->taken += size;
    *layer->input.budget -= size;
    layer->input_ended = size == 0;
    return (la_ssize_t)size;
}

static int fail(struct layer *layer, struct vitrine_error *err)
{
    const char *why = archive_error_string(layer->archive);

    if (layer->has_cause) {
        if (err)
            *err = layer->cause;
        return -1;
    }
    if (archive_errno(layer->archive) == ENOMEM)
        return error_from(err, VITRINE_EINTERNAL, ENOMEM, "it cannot be read");
    return vitrine_fail(err, VITRINE_EFORMAT, "it is no sound tar archive (%s)",
                        why ? why : "no reason given");
}

/*
 * libarchive converts the names of PAX headers from UTF-8 to what the locale says, and
 * composes letters and accents in doing so. In the locale "C" it cannot, and gives the
 * bytes as they are, with a warning.
 */
static locale_t enter(const struct layer *layer)
{
    return uselocale(layer->locale);
}

struct layer *layer_open(const struct layer_input *input, struct vitrine_error *err)
{
    struct layer *layer = calloc(1, sizeof(*layer));
    locale_t old;
    int rc = ARCHIVE_FATAL;

    if (layer) {
        layer->input = *input;
        layer->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        layer->archive = layer->locale ? archive_read_new() : NULL;
    }
    if (!layer || !layer->archive) {
        layer_close(layer);
        (void)error_from(err, VITRINE_EINTERNAL, ENOMEM, "it cannot be read");
        return NULL;
    }
    old = enter(layer);
    /* Nothing else, or an empty file in the layer's place could be any other format. */
    if (archive_read_support_format_tar(layer->archive) == ARCHIVE_OK &&
        archive_read_support_format_empty(layer->archive) == ARCHIVE_OK)
        rc = archive_read_open(layer->archive, layer, NULL, read_input, NULL);
    (void)uselocale(old);
    if (rc != ARCHIVE_OK) {
        (void)fail(layer, err);
        layer_close(layer);
        return NULL;
    }
    return layer;
}

void layer_close(struct layer *layer)
{
    if (!layer)
        return;
    layer->input_ended = true;
    (void)archive_read_free(layer->archive);
    if (layer->locale)
        freelocale(layer->locale);
    free(layer);
}

static bool is_ascii(const char *text)
{
    for (; text && *text; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

/* Of a name that was not converted; anything else that libarchive would make do with
 * could leave out half of what the entry is. */
static bool is_harmless_warning(struct archive_entry *entry)
{
    return !is_ascii(archive_entry_pathname(entry)) ||
           !is_ascii(archive_entry_hardlink(entry)) ||
           !is_ascii(archive_entry_symlink(entry)) ||
           !is_ascii(archive_entry_uname(entry)) || !is_ascii(archive_entry_gname(entry));
}

static int check_number(int64_t value, const char *what, uint32_t *ret,
                        struct vitrine_error *err)
{
    if (value < 0 || value >= UINT32_MAX)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "its %s is %lld, which Linux cannot have", what,
                            (long long)value);
    *ret = (uint32_t)value;
    return 0;
}

static int convert(struct archive_entry *e, struct layer_entry *ret,
                   struct vitrine_error *err)
{
    int64_t mtime = archive_entry_mtime(e);

    *ret = (struct layer_entry){
        .path = archive_entry_pathname(e),
        .target = archive_entry_hardlink(e),
        .mode = archive_entry_filetype(e) | archive_entry_perm(e),
        .size = archive_entry_size(e) > 0 ? (uint64_t)archive_entry_size(e) : 0,
        .major = (uint32_t)archive_entry_rdevmajor(e),
        .minor = (uint32_t)archive_entry_rdevminor(e),
    };
    if (!ret->path)
        ret->path = "";
    if (mtime > 0)
        ret->mtime = mtime < UINT32_MAX ? (uint32_t)mtime : UINT32_MAX;
    if (ret->target) {
        ret->is_hardlink = true;
        return 0;
    }
    if (S_ISLNK(ret->mode) && !(ret->target = archive_entry_symlink(e)))
        ret->target = "";
    if (check_number(archive_entry_uid(e), "owner", &ret->uid, err) < 0)
        return -1;
    return check_number(archive_entry_gid(e), "group", &ret->gid, err);
}

/* What is padding, or whatever else, so that the digest is of all of the layer. */
static int drain(struct layer *layer, struct vitrine_error *err)
{
    const void *data;

    layer->is_skipping = true;
    while (!layer->input_ended)
        if (read_input(layer->archive, layer, &data) < 0)
            return fail(layer, err);
    return 0;
}

static int next(struct layer *layer)
{
    int rc;

    /* What was not read of the last one; here for its size does not count as headers. */
    layer->is_skipping = true;
    rc = layer->entry ? archive_read_data_skip(layer->archive) : ARCHIVE_OK;
    layer->entry = NULL;
    layer->is_skipping = false;
    layer->taken = 0;
    if (rc == ARCHIVE_OK || rc == ARCHIVE_EOF)
        rc = archive_read_next_header(layer->archive, &layer->entry);
    return rc;
}

int layer_next(struct layer *layer, struct layer_entry *ret, struct vitrine_error *err)
{
    locale_t old = enter(layer);
    int rc = next(layer);

    if (rc == ARCHIVE_WARN && is_harmless_warning(layer->entry))
        rc = ARCHIVE_OK;
    if (rc == ARCHIVE_EOF) {
        rc = drain(layer, err);
    } else if (rc == ARCHIVE_OK) {
        rc = convert(layer->entry, ret, err);
        if (rc < 0)
            (void)vitrine_wrap(err, "%.300s", ret->path);
        else
            rc = 1;
        (void)archive_entry_xattr_reset(layer->entry);
    } else {
        rc = fail(layer, err);
    }
    (void)uselocale(old);
    return rc;
}

bool layer_xattr(struct layer *layer, const char **ret_name, const void **ret_value,
                 size_t *ret_size)
{
    return archive_entry_xattr_next(layer->entry, ret_name, ret_value, ret_size) ==
           ARCHIVE_OK;
}

int layer_data(struct layer *layer, const void **ret_data, size_t *ret_size,
               uint64_t *ret_position, struct vitrine_error *err)
{
    la_int64_t position = 0;
    locale_t old = enter(layer);
    int rc;

    layer->taken = 0;
    do {
        *ret_size = 0;
        rc = archive_read_data_block(layer->archive, ret_data, ret_size, &position);
    } while (rc == ARCHIVE_OK && *ret_size == 0);
    (void)uselocale(old);
    if (rc == ARCHIVE_EOF)
        return 0;
    *ret_position = (uint64_t)position;
    return rc == ARCHIVE_OK && position >= 0 ? 1 : fail(layer, err);
}
