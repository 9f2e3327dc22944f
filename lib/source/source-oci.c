/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An OCI layout: image-spec 1.1, image-layout.md. */
#include "base/cleanup.h"
#include "base/realuser.h"
#include "source/files.h"
#include "registry/document.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct source_oci {
    struct files files; /* first */
    int dir;
};

/* --- from the index to a manifest --- */

static int check_version(struct files *files, struct vitrine_error *err)
{
    cleanup_document struct json_object *document = NULL;
    cleanup_free char *text = NULL;
    const char *version;
    size_t size = 0;

    if (files_load(files, "oci-layout", &text, &size, err) < 0)
        return -1;
    if (!text)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "%.500s is not an OCI layout: it has no file oci-layout",
                            files->ref->path);
    if (document_parse(text, size, &document, err) < 0 ||
        document_string(document, "imageLayoutVersion", &version, err) < 0)
        return vitrine_wrap(err, "oci-layout in %.500s", files->ref->path);
    if (!version || strncmp(version, "1.", 2) != 0)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "%.500s is an OCI layout of the version %.50s, not of 1.0.0",
                            files->ref->path, version ? version : "(none)");
    return 0;
}

/* What the reference means. */
static int choose(struct files *files, struct manifest_blob *ret,
                  struct vitrine_error *err)
{
    cleanup_free char *text = NULL;
    size_t size = 0;

    if (files->ref->digest[0]) {
        memcpy(ret->digest, files->ref->digest, DIGEST_TEXT);
        ret->size = UINT64_MAX;
        return 0;
    }
    if (files_load(files, "index.json", &text, &size, err) < 0)
        return -1;
    if (!text)
        return vitrine_fail(err, VITRINE_EFORMAT, "%.500s has no index.json",
                            files->ref->path);
    if (manifest_layout(text, size, files->ref->tag, &files->platform, ret, err) < 0)
        return vitrine_wrap(err, "index.json in %.500s", files->ref->path);
    return 0;
}

int layout_resolve(struct files *files, char ret_digest[DIGEST_TEXT],
                   struct manifest *ret, struct vitrine_error *err)
{
    struct manifest_blob blob = {.size = 0};

    if (check_version(files, err) < 0 || choose(files, &blob, err) < 0)
        return -1;
    for (unsigned i = 0; i <= MANIFEST_INDEXES; i++) {
        cleanup_free char *text = NULL;
        struct manifest_blob next;
        bool is_index;
        size_t size;

        if (files_load_blob(files, blob.digest, blob.size, &text, &size, err) < 0)
            return -1;
        if (manifest_parse(text, size, NULL, &files->platform, &is_index, &next, ret,
                           err) < 0)
            return vitrine_wrap(err, "the manifest %.19s in %.500s", blob.digest,
                                files->ref->path);
        if (!is_index) {
            memcpy(ret_digest, blob.digest, DIGEST_TEXT);
            return 0;
        }
        blob = next;
    }
    return vitrine_fail(err, VITRINE_EFORMAT, "%.500s has an index of indexes of indexes",
                        files->ref->path);
}

/* --- a directory --- */

static int resolve(struct source *source, char ret_digest[DIGEST_TEXT],
                   struct manifest *ret, struct vitrine_error *err)
{
    return layout_resolve((struct files *)source, ret_digest, ret, err);
}

static int open_at(int dir, const char *name, int flags)
{
    int fd;

    if (realuser_enter() < 0)
        return -1;
    fd = openat(dir, name, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int cause = errno;
    if (realuser_leave() < 0) {
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    errno = cause;
    return fd;
}

static int open_file(struct files *files, const char *name, struct files_stretch *ret,
                     struct vitrine_error *err)
{
    struct source_oci *s = (struct source_oci *)files;
    cleanup_fd int fd = open_at(s->dir, name, O_RDONLY);
    struct stat st;

    ret->fd = -1;
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_EPERM, "cannot open %s in %.500s", name,
                                files->ref->path);
    if (!S_ISREG(st.st_mode))
        return vitrine_fail(err, VITRINE_EFORMAT, "%s in %.500s is not a regular file",
                            name, files->ref->path);
    ret->size = (uint64_t)st.st_size;
    ret->offset = 0;
    ret->fd = steal_fd(&fd);
    return 0;
}

static void close_source(struct source *source)
{
    struct source_oci *s = (struct source_oci *)source;

    if (s->dir >= 0)
        (void)close(s->dir);
    files_free(&s->files);
    free(s);
}

static const struct source_ops ops = {
    .resolve = resolve,
    .find_digest = files_find_digest,
    .blob = files_blob,
    .want = files_want,
    .read = files_read,
    .arrived = files_arrived,
    .stop = files_stop,
    .close = close_source,
};

static int fail_open(const char *path, struct vitrine_error *err)
{
    if (errno == ENOTDIR)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "%.500s is not an OCI layout, which is a directory; an "
                            "archive of docker save is docker-archive:FILE",
                            path);
    return vitrine_fail_sys(err, errno == EACCES ? VITRINE_EPERM : VITRINE_ENOIMAGE,
                            "cannot open the OCI layout %.500s", path);
}

int source_oci_open(const struct registryref *ref, const struct config *config,
                    const struct vitrine_import_spec *spec, struct source **ret,
                    struct vitrine_error *err)
{
    struct source_oci *s = calloc(1, sizeof(*s));

    (void)config;
    if (!s)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    s->dir = -1;
    s->files.source.ops = &ops;
    s->files.open = open_file;
    s->files.name_blob = files_name_layout_blob;
    if (files_init(&s->files, ref, spec->platform, err) < 0)
        goto failed;
    s->dir = open_at(AT_FDCWD, ref->path, O_RDONLY | O_DIRECTORY);
    if (s->dir < 0) {
        (void)fail_open(ref->path, err);
        goto failed;
    }
    *ret = &s->files.source;
    return 0;
failed:
    close_source(&s->files.source);
    return -1;
}
