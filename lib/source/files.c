/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user. His files may change while they are read, and may be anything: what
 * counts is that bytes have the digest that the manifest says. So links are followed, as
 * tools make layouts of links into a store of blobs.
 */
#include "source/files.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"

#include <fcntl.h>
#include <string.h>

/* Long enough for the kernel to read ahead, short enough for the cache. */
#define CHUNK (256UL * 1024)

static struct files *self(struct source *source)
{
    return (struct files *)source;
}

int files_init(struct files *files, const struct registryref *ref, const char *platform,
               struct vitrine_error *err)
{
    (void)pthread_mutex_init(&files->mutex, NULL);
    files->current.fd = -1;
    files->ref = ref;
    files->buffer = malloc(CHUNK);
    if (!files->buffer)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    return manifest_platform(platform, &files->platform, err);
}

void files_free(struct files *files)
{
    if (files->current.fd >= 0)
        (void)close(files->current.fd);
    digest_free(files->digest);
    free(files->queue);
    free(files->buffer);
    (void)pthread_mutex_destroy(&files->mutex);
}

bool files_name_layout_blob(struct files *files, const char *digest,
                            char ret[FILES_NAME_MAX])
{
    (void)files;
    (void)snprintf(ret, FILES_NAME_MAX, "blobs/sha256/%.64s", digest + strlen("sha256:"));
    return true;
}

/* --- as a whole --- */

static int load(const struct files_stretch *stretch, char **ret,
                struct vitrine_error *err)
{
    cleanup_free char *data = NULL;

    if (stretch->size > LIMIT_JSON_SIZE)
        return vitrine_fail(err, VITRINE_EFORMAT, "it is longer than %lu bytes",
                            LIMIT_JSON_SIZE);
    data = malloc(stretch->size + 1);
    if (!data)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    neg_errno rc =
        fd_pread_full(stretch->fd, data, stretch->size, (off_t)stretch->offset);
    if (rc < 0)
        return error_from(err, VITRINE_EFORMAT, rc, "it cannot be read");
    data[stretch->size] = '\0';
    *ret = steal_ptr(&data);
    return 0;
}

int files_load(struct files *files, const char *name, char **ret, size_t *ret_size,
               struct vitrine_error *err)
{
    struct files_stretch stretch = {.fd = -1};

    if (files->open(files, name, &stretch, err) < 0)
        return -1;
    cleanup_fd int fd = stretch.fd;
    *ret = NULL;
    if (fd < 0)
        return 0;
    if (load(&stretch, ret, err) < 0)
        return vitrine_wrap(err, "%s in %.500s", name, files->ref->path);
    *ret_size = stretch.size;
    return 0;
}

static int fail_damaged(const struct files *files, const char *digest, const char *what,
                        struct vitrine_error *err)
{
    return vitrine_fail(err, VITRINE_EFORMAT,
                        "the blob %s in %.500s is damaged: %s; make the file again",
                        digest, files->ref->path, what);
}

/* Opens what the manifest refers to; what is not there is an error. */
static int open_blob(struct files *files, const char *digest, uint64_t size,
                     struct files_stretch *ret, struct vitrine_error *err)
{
    struct files_stretch stretch = {.fd = -1};
    char name[FILES_NAME_MAX];

    if (files->name_blob(files, digest, name) &&
        files->open(files, name, &stretch, err) < 0)
        return -1;
    if (stretch.fd < 0)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "the blob %s is missing in %.500s: it may have been copied "
                            "in part",
                            digest, files->ref->path);
    if (size != UINT64_MAX && stretch.size != size) {
        (void)close(stretch.fd);
        return fail_damaged(files, digest, "it has another size than it must", err);
    }
    *ret = stretch;
    return 0;
}

int files_load_blob(struct files *files, const char *digest, uint64_t size, char **ret,
                    size_t *ret_size, struct vitrine_error *err)
{
    struct files_stretch stretch = {.fd = -1};
    char found[DIGEST_TEXT];
    cleanup_free char *data = NULL;

    if (open_blob(files, digest, size, &stretch, err) < 0)
        return -1;
    cleanup_fd int fd = stretch.fd;
    if (load(&stretch, &data, err) < 0)
        return vitrine_wrap(err, "the blob %s in %.500s", digest, files->ref->path);
    neg_errno rc = digest_of(data, stretch.size, found);
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot compute a digest");
    if (strcmp(found, digest) != 0)
        return fail_damaged(files, digest, "it has another digest", err);
    *ret = steal_ptr(&data);
    *ret_size = stretch.size;
    return 0;
}

int files_blob(struct source *source, const struct manifest_blob *blob, char **ret,
               struct vitrine_error *err)
{
    size_t size;

    return files_load_blob(self(source), blob->digest, blob->size, ret, &size, err);
}

/* --- layers --- */

int files_want(struct source *source, const struct manifest_blob *layers, size_t n,
               struct vitrine_error *err)
{
    struct files *files = self(source);
    struct manifest_blob *more;

    (void)pthread_mutex_lock(&files->mutex);
    more = reallocarray(files->queue, files->queued + n + 1, sizeof(*more));
    if (more) {
        for (size_t i = 0; i < n; i++)
            more[files->queued + i] = layers[i];
        files->queue = more;
        files->queued += n;
    }
    (void)pthread_mutex_unlock(&files->mutex);
    return more ? 0 : vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
}

static int begin_layer(struct files *files, struct vitrine_error *err)
{
    bool is_there;

    (void)pthread_mutex_lock(&files->mutex);
    is_there = files->next < files->queued;
    if (is_there)
        files->blob = files->queue[files->next++];
    (void)pthread_mutex_unlock(&files->mutex);
    if (!is_there)
        return vitrine_fail(err, VITRINE_EINTERNAL,
                            "no layer is announced that could be read");
    files->done = 0;
    files->digest = digest_new();
    if (!files->digest)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    if (open_blob(files, files->blob.digest, files->blob.size, &files->current, err) < 0)
        return -1;
    (void)posix_fadvise(files->current.fd, (off_t)files->current.offset,
                        (off_t)files->current.size, POSIX_FADV_SEQUENTIAL);
    return 0;
}

static int end_layer(struct files *files, struct vitrine_error *err)
{
    char found[DIGEST_TEXT];
    neg_errno rc = digest_text(files->digest, found);

    digest_free(files->digest);
    files->digest = NULL;
    (void)close(steal_fd(&files->current.fd));
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot compute a digest");
    if (strcmp(found, files->blob.digest) != 0)
        return fail_damaged(files, files->blob.digest, "it has another digest", err);
    return 0;
}

static int read_chunk(struct files *files, size_t *ret_size, struct vitrine_error *err)
{
    const struct files_stretch *from = &files->current;
    uint64_t left = from->size - files->done;
    size_t size = left < CHUNK ? (size_t)left : CHUNK;
    neg_errno rc =
        fd_pread_full(from->fd, files->buffer, size, (off_t)(from->offset + files->done));

    if (rc < 0)
        return error_from(err, VITRINE_EFORMAT, rc, "cannot read the blob %s in %.500s",
                          files->blob.digest, files->ref->path);
    rc = digest_update(files->digest, files->buffer, size);
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot compute a digest");
    files->done += size;
    atomic_fetch_add(&files->arrived, size);
    *ret_size = size;
    return 0;
}

int files_read(struct source *source, const void **ret_data, size_t *ret_size,
               struct vitrine_error *err)
{
    struct files *files = self(source);

    if (atomic_load(&files->is_stopped))
        return vitrine_fail(err, VITRINE_EINTERNAL, "the import was stopped");
    if (!files->digest && begin_layer(files, err) < 0)
        return -1;
    *ret_data = files->buffer;
    *ret_size = 0;
    if (files->done == files->current.size)
        return end_layer(files, err);
    return read_chunk(files, ret_size, err);
}

uint64_t files_arrived(struct source *source)
{
    return atomic_load(&self(source)->arrived);
}

void files_stop(struct source *source)
{
    atomic_store(&self(source)->is_stopped, true);
}

int files_find_digest(struct source *source, char ret_digest[DIGEST_TEXT],
                      struct vitrine_error *err)
{
    struct manifest manifest = {.layers = NULL};

    if (source->ops->resolve(source, ret_digest, &manifest, err) < 0)
        return -1;
    manifest_free(&manifest);
    return 0;
}
