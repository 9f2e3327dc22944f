/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An archive that docker save, podman save or skopeo wrote: manifest.json names the
 * configuration and the layers of each image; without it, it may be an OCI layout.
 *
 * There is no manifest as registries have them, so its digest is that of the text
 *
 *     vitrine docker-archive 1
 *     config sha256:HEX
 *     layer sha256:HEX
 *     ...
 *
 * with the digests of the bytes in the archive, the lowest layer first. Those of
 * uncompressed layers, as all the above write them, are the configuration's diff_ids,
 * and are compared when the layer is read; of others they are computed beforehand.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/realuser.h"
#include "source/files.h"
#include "source/tarindex.h"
#include "registry/document.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LIST "manifest.json"

/* Where a blob of the image is. */
struct member {
    char digest[DIGEST_TEXT];
    char name[FILES_NAME_MAX];
};

struct source_archive {
    struct files files; /* first */
    int fd;
    struct tarindex *index;
    struct member *members; /* the configuration, then the layers */
    size_t nmembers;
};

static struct source_archive *self(struct files *files)
{
    return (struct source_archive *)files;
}

static const char *path_of(const struct source_archive *s)
{
    return s->files.ref->path;
}

/* --- files in the archive --- */

static int open_member(struct files *files, const char *name, struct files_stretch *ret,
                       struct vitrine_error *err)
{
    struct source_archive *s = self(files);

    ret->fd = -1;
    if (!tarindex_find(s->index, name, &ret->offset, &ret->size))
        return 0;
    ret->fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
    if (ret->fd < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot open %.500s", path_of(s));
    return 0;
}

static bool name_member(struct files *files, const char *digest, char ret[FILES_NAME_MAX])
{
    struct source_archive *s = self(files);

    for (size_t i = 0; i < s->nmembers; i++) {
        if (strcmp(s->members[i].digest, digest) != 0)
            continue;
        memcpy(ret, s->members[i].name, FILES_NAME_MAX);
        return true;
    }
    return false;
}

/* --- which image --- */

struct tags {
    char text[400]; /* "a, b", for the message */
};

static void add_tag(struct tags *tags, const char *tag)
{
    size_t used = strlen(tags->text), room = sizeof(tags->text) - used;

    if (snprintf(tags->text + used, room, "%s%s", used ? ", " : "", tag) >= (int)room)
        tags->text[used] = '\0';
}

/* Whether the archive's name for an image means the same as the reference. Tools write
 * "debian:12", "localhost/x:1" or "docker.io/library/debian:12". */
static bool is_meant(const struct registryref *ref, const char *tag)
{
    struct registryref other;

    return registryref_parse(tag, &other, NULL) == 0 &&
           other.kind == REGISTRYREF_REGISTRY && strcmp(other.host, ref->host) == 0 &&
           strcmp(other.repository, ref->repository) == 0 &&
           strcmp(other.tag, ref->tag) == 0;
}

static int look_at_tags(struct json_object *image, const struct registryref *ref,
                        struct tags *tags, bool *ret_meant, struct vitrine_error *err)
{
    cleanup_free const char **list = NULL;
    size_t n;

    if (document_strings(image, "RepoTags", &list, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        add_tag(tags, list[i]);
        *ret_meant = *ret_meant || is_meant(ref, list[i]);
    }
    return 0;
}

static int choose(struct json_object *images, const struct registryref *ref,
                  struct json_object **ret, struct vitrine_error *err)
{
    size_t n = document_length(images);
    struct tags tags = {.text = ""};
    struct json_object *image, *chosen = NULL;

    if (n == 0 || n > LIMIT_ARCHIVE_IMAGES)
        return vitrine_fail(err, VITRINE_EFORMAT, "it lists %zu images, not 1 to %d", n,
                            LIMIT_ARCHIVE_IMAGES);
    for (size_t i = 0; i < n; i++) {
        bool meant = !ref->host[0] && n == 1;

        if (document_element(images, i, &image, err) < 0 ||
            look_at_tags(image, ref, &tags, &meant, err) < 0)
            return vitrine_wrap(err, "image %zu", i + 1);
        if (meant)
            chosen = image;
    }
    if (chosen) {
        *ret = chosen;
        return 0;
    }
    if (!ref->host[0])
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "it has several images; add the name of one behind a colon: "
                            "%s",
                            tags.text[0] ? tags.text : "but they have none");
    return vitrine_fail(err, VITRINE_ENOIMAGE, "it has no image %s:%s, only %s",
                        ref->repository, ref->tag,
                        tags.text[0] ? tags.text : "what has no name");
}

/* --- its parts --- */

/* The digest of bytes in the archive, however many. */
static int digest_member(struct source_archive *s, const struct files_stretch *stretch,
                         char ret[DIGEST_TEXT], struct vitrine_error *err)
{
    struct digest *digest = digest_new();
    uint64_t left = stretch->size, at = stretch->offset;
    neg_errno rc = digest ? 0 : -ENOMEM;
    char buffer[16384];

    while (rc >= 0 && left > 0) {
        size_t n = left < sizeof(buffer) ? (size_t)left : sizeof(buffer);

        if (atomic_load(&s->files.is_stopped))
            rc = -ECANCELED;
        if (rc >= 0)
            rc = fd_pread_full(stretch->fd, buffer, n, (off_t)at);
        if (rc >= 0)
            rc = digest_update(digest, buffer, n);
        at += n;
        left -= n;
    }
    if (rc >= 0)
        rc = digest_text(digest, ret);
    digest_free(digest);
    return rc < 0 ? error_from(err, VITRINE_EFORMAT, rc, "cannot read it") : 0;
}

/* What the first bytes say: RFC 1952, RFC 8878. */
static int find_compression(const struct files_stretch *stretch,
                            enum manifest_compression *ret, struct vitrine_error *err)
{
    unsigned char magic[4] = {0};
    size_t n = stretch->size < sizeof(magic) ? (size_t)stretch->size : sizeof(magic);
    neg_errno rc = fd_pread_full(stretch->fd, magic, n, (off_t)stretch->offset);

    if (rc < 0)
        return error_from(err, VITRINE_EFORMAT, rc, "cannot read it");
    *ret = magic[0] == 0x1f && magic[1] == 0x8b        ? MANIFEST_GZIP
           : memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0 ? MANIFEST_ZSTD
                                                       : MANIFEST_PLAIN;
    return 0;
}

static int open_part(struct source_archive *s, const char *name, struct member *member,
                     struct files_stretch *ret, struct vitrine_error *err)
{
    if (strlen(name) >= sizeof(member->name))
        return vitrine_fail(err, VITRINE_EFORMAT, "its name %.50s... is too long", name);
    (void)snprintf(member->name, sizeof(member->name), "%s", name);
    if (open_member(&s->files, name, ret, err) < 0)
        return -1;
    if (ret->fd < 0)
        return vitrine_fail(err, VITRINE_EFORMAT, "the archive has no %s", name);
    return 0;
}

static int read_layer(struct source_archive *s, const char *name,
                      const char diff_id[DIGEST_TEXT], struct member *member,
                      struct manifest_blob *ret, struct vitrine_error *err)
{
    struct files_stretch stretch = {.fd = -1};

    if (open_part(s, name, member, &stretch, err) < 0)
        return -1;
    cleanup_fd int fd = stretch.fd;
    if (find_compression(&stretch, &ret->compression, err) < 0)
        return -1;
    if (ret->compression == MANIFEST_PLAIN)
        memcpy(member->digest, diff_id, DIGEST_TEXT);
    else if (digest_member(s, &stretch, member->digest, err) < 0)
        return -1;
    memcpy(ret->digest, member->digest, DIGEST_TEXT);
    ret->size = stretch.size;
    return 0;
}

static int read_config(struct source_archive *s, const char *name, struct member *member,
                       struct manifest_blob *ret, char **ret_text,
                       struct vitrine_error *err)
{
    struct files_stretch stretch = {.fd = -1};
    size_t size = 0;

    if (open_part(s, name, member, &stretch, err) < 0)
        return -1;
    cleanup_fd int fd = stretch.fd;
    if (digest_member(s, &stretch, member->digest, err) < 0 ||
        files_load(&s->files, name, ret_text, &size, err) < 0)
        return -1;
    memcpy(ret->digest, member->digest, DIGEST_TEXT);
    ret->size = stretch.size;
    return 0;
}

/* Everything there is to say of the image, once its members have room. */
static int fill(struct source_archive *s, const char *config, const char **layers,
                struct manifest *ret, struct vitrine_error *err)
{
    cleanup_free char *text = NULL;
    cleanup_free char(*diff_ids)[DIGEST_TEXT] = NULL;
    size_t n = 0;

    if (read_config(s, config, &s->members[0], &ret->config, &text, err) < 0 ||
        manifest_diff_ids(text, ret->config.size, &diff_ids, &n, err) < 0)
        return vitrine_wrap(err, "its configuration");
    if (n != ret->nlayers)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "it lists %zu layers, its configuration %zu", ret->nlayers,
                            n);
    for (size_t i = 0; i < n; i++)
        if (read_layer(s, layers[i], diff_ids[i], &s->members[i + 1], &ret->layers[i],
                       err) < 0)
            return vitrine_wrap(err, "layer %zu", i + 1);
    return 0;
}

static int read_image(struct source_archive *s, struct json_object *image,
                      struct manifest *ret, struct vitrine_error *err)
{
    cleanup_free const char **layers = NULL;
    const char *config;
    size_t n;

    if (document_string(image, "Config", &config, err) < 0 ||
        document_strings(image, "Layers", &layers, &n, err) < 0)
        return -1;
    if (!config || n == 0 || n > LIMIT_LAYERS)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "its image has no Config, or %zu Layers, not 1 to %d", n,
                            LIMIT_LAYERS);
    free(s->members);
    s->members = calloc(n + 1, sizeof(*s->members));
    ret->layers = calloc(n, sizeof(*ret->layers));
    s->nmembers = s->members ? n + 1 : 0;
    if (!s->members || !ret->layers)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    ret->nlayers = n;
    ret->config.compression = MANIFEST_UNKNOWN;
    return fill(s, config, layers, ret, err);
}

/* --- the digest of it all --- */

static int digest_image(const struct manifest *manifest, char ret[DIGEST_TEXT],
                        struct vitrine_error *err)
{
    struct digest *digest = digest_new();
    char line[DIGEST_TEXT + 64];
    neg_errno rc = digest ? 0 : -ENOMEM;
    int n = snprintf(line, sizeof(line), "vitrine docker-archive 1\nconfig %s\n",
                     manifest->config.digest);

    for (size_t i = 0; rc >= 0 && i <= manifest->nlayers; i++) {
        rc = digest_update(digest, line, (size_t)n);
        if (i < manifest->nlayers)
            n = snprintf(line, sizeof(line), "layer %s\n", manifest->layers[i].digest);
    }
    if (rc >= 0)
        rc = digest_text(digest, ret);
    digest_free(digest);
    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, rc, "cannot compute a digest") : 0;
}

static int resolve_list(struct source_archive *s, const char *text, size_t size,
                        char ret_digest[DIGEST_TEXT], struct manifest *ret,
                        struct vitrine_error *err)
{
    cleanup_document struct json_object *images = NULL;
    struct json_object *image = NULL;

    char digest[DIGEST_TEXT];

    s->files.name_blob = name_member;
    if (document_parse_array(text, size, &images, err) < 0 ||
        choose(images, s->files.ref, &image, err) < 0 ||
        read_image(s, image, ret, err) < 0 || digest_image(ret, digest, err) < 0)
        return vitrine_wrap(err, LIST " in %.500s", path_of(s));
    if (s->files.ref->digest[0] && strcmp(s->files.ref->digest, digest) != 0)
        return vitrine_fail(err, VITRINE_ENOIMAGE,
                            "%.500s has changed: its image is no longer the one with the "
                            "digest %s",
                            path_of(s), s->files.ref->digest);
    memcpy(ret_digest, digest, DIGEST_TEXT);
    return 0;
}

static int resolve(struct source *source, char ret_digest[DIGEST_TEXT],
                   struct manifest *ret, struct vitrine_error *err)
{
    struct source_archive *s = self((struct files *)source);
    struct manifest manifest = {.layers = NULL};
    cleanup_free char *text = NULL;
    uint64_t at, length;
    size_t size = 0;
    int rc;

    if (files_load(&s->files, LIST, &text, &size, err) < 0)
        return -1;
    if (text) {
        rc = resolve_list(s, text, size, ret_digest, &manifest, err);
    } else if (tarindex_find(s->index, "oci-layout", &at, &length)) {
        s->files.name_blob = files_name_layout_blob;
        rc = layout_resolve(&s->files, ret_digest, &manifest, err);
    } else {
        rc = vitrine_fail(err, VITRINE_EFORMAT,
                          "%.500s is not an archive of docker save: it has no " LIST,
                          path_of(s));
    }
    if (rc < 0)
        manifest_free(&manifest);
    else
        *ret = manifest;
    return rc;
}

/* --- the archive --- */

static void close_source(struct source *source)
{
    struct source_archive *s = self((struct files *)source);

    if (s->fd >= 0)
        (void)close(s->fd);
    tarindex_free(s->index);
    free(s->members);
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

/* The whole archive compressed: it cannot be read in any order then. */
static int check_magic(const struct source_archive *s, struct vitrine_error *err)
{
    static const struct {
        const char *magic, *program;
        size_t len;
    } compressed[] = {
        {"\x1f\x8b", "gunzip", 2},
        {"\x28\xb5\x2f\xfd", "unzstd", 4},
        {"\xfd"
         "7zXZ",
         "unxz", 5},
        {"BZh", "bunzip2", 3},
    };
    char magic[8] = {0};

    (void)fd_pread_full(s->fd, magic, sizeof(magic), 0);
    for (size_t i = 0; i < sizeof(compressed) / sizeof(*compressed); i++)
        if (memcmp(magic, compressed[i].magic, compressed[i].len) == 0)
            return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                                "the archive %.500s is compressed as a whole; unpack it "
                                "first with %s",
                                path_of(s), compressed[i].program);
    return 0;
}

static int open_as_user(const char *path)
{
    int fd, cause;

    if (realuser_enter() < 0)
        return -1;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    cause = errno;
    if (realuser_leave() < 0) {
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    errno = cause;
    return fd;
}

static int open_archive(struct source_archive *s, struct vitrine_error *err)
{
    struct stat st;

    s->fd = open_as_user(path_of(s));
    if (s->fd < 0 || fstat(s->fd, &st) < 0)
        return vitrine_fail_sys(err, errno == EACCES ? VITRINE_EPERM : VITRINE_ENOIMAGE,
                                "cannot open the archive %.500s", path_of(s));
    if (S_ISDIR(st.st_mode))
        return vitrine_fail(
            err, VITRINE_EFORMAT,
            "%.500s is a directory, not an archive of docker save; an OCI "
            "layout is oci:DIRECTORY",
            path_of(s));
    if (!S_ISREG(st.st_mode))
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "%.500s is not a regular file, so it is not an archive of "
                            "docker save",
                            path_of(s));
    if (check_magic(s, err) < 0)
        return -1;
    if (tarindex_read(s->fd, (uint64_t)st.st_size, &s->index, err) < 0)
        return vitrine_wrap(err, "the archive %.500s", path_of(s));
    return 0;
}

int source_archive_open(const struct registryref *ref, const struct config *config,
                        const struct vitrine_import_spec *spec, struct source **ret,
                        struct vitrine_error *err)
{
    struct source_archive *s = calloc(1, sizeof(*s));

    (void)config;
    if (!s)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    s->fd = -1;
    s->files.source.ops = &ops;
    s->files.open = open_member;
    s->files.name_blob = name_member;
    if (files_init(&s->files, ref, spec->platform, err) < 0 || open_archive(s, err) < 0) {
        close_source(&s->files.source);
        return -1;
    }
    *ret = &s->files.source;
    return 0;
}
