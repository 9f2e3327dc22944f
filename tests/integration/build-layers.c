/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes an image of files that are layers, the lowest first, as the importer does after
 * it has found them:
 *
 *     build-layers [-t THREADS] [-p] IMAGE LAYER...
 *
 * With -p the layers are no more than read, and their digests computed.
 */
#include "layers/build.h"
#include "layers/inflate.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE  ((size_t)256 * 1024)
#define LAYERS 1000

struct files {
    struct source base;
    char **names;         /* of all layers */
    size_t order[LAYERS]; /* of those that are wanted */
    size_t nwanted, at;
    int fd;
    struct digest *digest;
    uint64_t arrived;
    char buf[PIECE];
};

static struct manifest_blob blobs[LAYERS];

static int want(struct source *source, const struct manifest_blob *layers, size_t n,
                struct vitrine_error *err)
{
    struct files *files = (struct files *)source;

    for (size_t i = 0; i < n; i++)
        files->order[files->nwanted++ % LAYERS] = strtoul(layers[i].digest, NULL, 10);
    return 0;
}

static int read_some(struct source *source, const void **ret_data, size_t *ret_size,
                     struct vitrine_error *err)
{
    struct files *files = (struct files *)source;
    char text[DIGEST_TEXT];
    ssize_t n;

    if (files->fd < 0) {
        files->fd =
            open(files->names[files->order[files->at++ % LAYERS]], O_RDONLY | O_CLOEXEC);
        files->digest = digest_new();
    }
    n = files->fd < 0 ? -1 : read(files->fd, files->buf, PIECE);
    if (n < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot read");
    files->arrived += (uint64_t)n;
    *ret_data = files->buf;
    *ret_size = (size_t)n;
    if (n > 0)
        return digest_update(files->digest, files->buf, (size_t)n) < 0 ? -1 : 0;
    (void)digest_text(files->digest, text);
    digest_free(files->digest);
    (void)close(files->fd);
    files->fd = -1;
    return 0;
}

static uint64_t arrived(struct source *source)
{
    return ((struct files *)source)->arrived;
}

static void stop(struct source *source)
{
}

static const struct source_ops ops = {
    .want = want, .read = read_some, .arrived = arrived, .stop = stop};

static int pipe_read(void *arg, const void **data, size_t *size,
                     struct vitrine_error *err)
{
    return read_some(arg, data, size, err);
}

/* Decompresses all and throws it away. */
static int inflate_all(struct files *files, size_t n, struct vitrine_error *err)
{
    const struct inflate_input input = {.read = pipe_read, .arg = files};
    static char buf[PIECE];

    if (want(&files->base, blobs, n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct inflate *inflate = inflate_open(MANIFEST_UNKNOWN, &input, err);
        size_t got = 1;

        while (inflate && got > 0)
            if (inflate_read(inflate, buf, sizeof(buf), &got, err) < 0)
                return -1;
        inflate_close(inflate);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct files files = {.base = {.ops = &ops}, .fd = -1};
    struct manifest manifest = {.layers = blobs};
    struct build build = {.source = &files.base,
                          .manifest = &manifest,
                          .config = "env=A=B",
                          .config_size = sizeof("env=A=B"),
                          .config_json = "{}",
                          .config_json_size = 2};
    struct vitrine_error error = {0};
    bool only_inflate = false;
    int option;

    while ((option = getopt(argc, argv, "t:p")) != -1) {
        if (option == 't')
            build.threads = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'p')
            only_inflate = true;
        else
            errx(EXIT_FAILURE, "see the source");
    }
    argv += optind;
    argc -= optind;
    if (argc < 1 || argc > LAYERS)
        errx(EXIT_FAILURE, "usage: build-layers [-t N] [-p] IMAGE LAYER...");
    files.names = argv + 1;
    for (manifest.nlayers = 0; argv[1 + manifest.nlayers]; manifest.nlayers++) {
        struct manifest_blob *blob = &blobs[manifest.nlayers];
        struct stat st;

        if (stat(argv[1 + manifest.nlayers], &st) < 0)
            err(EXIT_FAILURE, "%s", argv[1 + manifest.nlayers]);
        (void)snprintf(blob->digest, sizeof(blob->digest), "%zu", manifest.nlayers);
        blob->size = (uint64_t)st.st_size;
        blob->compression = MANIFEST_UNKNOWN;
    }
    int fd = open(argv[0], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        err(EXIT_FAILURE, "%s", argv[0]);
    int rc = only_inflate ? inflate_all(&files, manifest.nlayers, &error)
                          : build_image(&build, fd, &error);
    if (rc < 0) {
        (void)fprintf(stderr, "build-layers: %s\n", error.text);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
