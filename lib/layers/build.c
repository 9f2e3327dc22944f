/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user. The thread that called reads archives and decides what to keep; one
 * more gets and decompresses layers (feed.c), and those of libsquashfs compress.
 */
#include "layers/build.h"
#include "base/limits.h"
#include "image/squashfs.h"
#include "layers/feed.h"
#include "layers/merge.h"
#include "sqfswrite/write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* As mksquashfs has it: a file of which little is read costs little. */
#define BLOCK_SIZE UINT32_C(131072)

#define PATIENCE_MS 100U /* between two looks at whether it is cancelled */

struct job {
    const struct build *build;
    struct output output;
    struct entries entries;
    struct feed *feed;
    uint64_t budget;
    struct vitrine_progress progress;
    uint64_t told_ms; /* when progress was told last */
    bool cancelled;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void tell_progress(struct job *job, bool at_once)
{
    const struct vitrine_watch *watch = job->build->watch;
    uint64_t now;

    if (!watch || !watch->progress)
        return;
    now = now_ms();
    if (!at_once && now - job->told_ms < PATIENCE_MS)
        return;
    job->told_ms = now;
    job->progress.bytes_done = job->build->source->ops->arrived(job->build->source);
    if (job->progress.bytes_done > job->progress.bytes)
        job->progress.bytes_done = job->progress.bytes;
    watch->progress(watch->arg, &job->progress);
}

static int check_cancelled(struct job *job, struct vitrine_error *err)
{
    const struct vitrine_watch *watch = job->build->watch;

    if (!watch || !watch->cancelled || !watch->cancelled(watch->arg))
        return 0;
    job->cancelled = true;
    return error_from(err, VITRINE_EINTERNAL, ECANCELED, "the image was not imported");
}

static int read_feed(void *arg, const void **ret_data, size_t *ret_size,
                     struct vitrine_error *err)
{
    struct job *job = arg;

    do {
        tell_progress(job, false);
        if (check_cancelled(job, err) < 0 ||
            feed_read(job->feed, PATIENCE_MS, ret_data, ret_size, err) < 0)
            return -1;
    } while (!*ret_data);
    return 0;
}

static int pack(struct job *job, struct layer *layer, uint64_t size,
                struct tree_packed *packed, struct vitrine_error *err)
{
    struct output_stream stream;
    uint64_t position = 0, told;
    const void *data;
    size_t n;
    int rc;

    output_begin(&stream, &job->output, size, packed);
    while ((rc = layer_data(layer, &data, &n, &told, err)) > 0) {
        if (told < position || told > size)
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "the parts of the file are out of order");
        if (output_skip(&stream, told - position, err) < 0 ||
            output_add(&stream, data, n, err) < 0)
            return -1;
        position = told + n;
    }
    if (rc < 0 || output_skip(&stream, size - position, err) < 0)
        return -1;
    return output_end(&stream, err);
}

/* Reads an archive for the first time. */
static int add_entries(struct job *job, unsigned number, struct layer *layer,
                       struct vitrine_error *err)
{
    struct layer_entry told;
    int rc;

    while ((rc = layer_next(layer, &told, err)) > 0) {
        struct entry *entry;
        bool content;

        if (entries_add(&job->entries, number, layer, &told, &entry, &content, err) < 0)
            return -1;
        if (content && pack(job, layer, entry->size, entry->packed, err) < 0)
            return vitrine_wrap(err, "%.300s", entry->path);
    }
    return rc;
}

/* Reads it once more, for content that was passed over, but has another name. */
static int add_content(struct job *job, unsigned number, struct layer *layer,
                       struct vitrine_error *err)
{
    const struct entry *entry = job->entries.layers[number].first;
    struct layer_entry told;
    int rc;

    for (uint32_t at = 0; (rc = layer_next(layer, &told, err)) > 0; at++) {
        while (entry && (!entry->is_needed || entry->number < at))
            entry = entry->next;
        if (!entry || entry->number != at)
            continue;
        if (told.size != entry->size)
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "it is not the same when read again");
        if (pack(job, layer, entry->size, entry->packed, err) < 0)
            return vitrine_wrap(err, "%.300s", entry->path);
    }
    return rc;
}

typedef int (*add_f)(struct job *job, unsigned number, struct layer *layer,
                     struct vitrine_error *err);

static int read_layer(struct job *job, unsigned number, add_f add,
                      struct vitrine_error *err)
{
    const struct layer_input input = {
        .read = read_feed, .arg = job, .budget = &job->budget};
    struct layer *layer = layer_open(&input, err);
    int rc = layer ? add(job, number, layer, err) : -1;

    layer_close(layer);
    if (rc < 0 && !job->cancelled)
        (void)vitrine_wrap(err, "layer %s", job->build->manifest->layers[number].digest);
    job->progress.layers_done++;
    return rc;
}

/* Reads those layers that `numbers` tell, in its order. */
static int read_layers(struct job *job, const unsigned *numbers, unsigned n, add_f add,
                       struct vitrine_error *err)
{
    struct manifest_blob *blobs = calloc((size_t)n + 1, sizeof(*blobs));
    int rc = 0;

    if (!blobs)
        return error_from(err, VITRINE_EINTERNAL, ENOMEM, "cannot read layers");
    for (unsigned i = 0; i < n; i++) {
        blobs[i] = job->build->manifest->layers[numbers[i]];
        job->progress.bytes += blobs[i].size;
    }
    job->progress.layers += n;
    job->budget = LIMIT_IMPORT_BYTES;
    if (n > 0 && !(job->feed = feed_start(job->build->source, blobs, n, err)))
        rc = -1;
    for (unsigned i = 0; rc == 0 && i < n; i++)
        rc = read_layer(job, numbers[i], add, err);
    feed_stop(job->feed);
    job->feed = NULL;
    free(blobs);
    return rc;
}

static bool is_needed(const struct job *job, unsigned number)
{
    const struct entry *entry = job->entries.layers[number].first;

    while (entry && !entry->is_needed)
        entry = entry->next;
    return entry;
}

static int add_own(struct job *job, const char *path, const char *data, size_t size,
                   struct vitrine_error *err)
{
    struct output_stream stream;
    struct entry *entry;

    if (!data)
        return 0;
    if (entries_add_own(&job->entries, path, S_IFREG | 0644, &entry, err) < 0)
        return -1;
    output_begin(&stream, &job->output, size, entry->packed);
    if (output_add(&stream, data, size, err) < 0 || output_end(&stream, err) < 0)
        return vitrine_wrap(err, "%s", path);
    return 0;
}

static int add_own_files(struct job *job, struct vitrine_error *err)
{
    const struct build *build = job->build;
    struct entry *dir;

    if (entries_add_own(&job->entries, ".vitrine", S_IFDIR | 0755, &dir, err) < 0 ||
        add_own(job, ".vitrine/config", build->config, build->config_size, err) < 0)
        return -1;
    return add_own(job, ".vitrine/config.json", build->config_json,
                   build->config_json_size, err);
}

/* Layers from the topmost down, and some of them once more. */
static int read_all(struct job *job, unsigned *numbers, struct merge_result *ret,
                    struct vitrine_error *err)
{
    const struct manifest *manifest = job->build->manifest;
    const unsigned nlayers = (unsigned)manifest->nlayers;
    const char **names = calloc((size_t)nlayers + 1, sizeof(*names));
    unsigned n = 0;
    int rc = 0;

    if (!names)
        return error_from(err, VITRINE_EINTERNAL, ENOMEM, "cannot read layers");
    for (unsigned i = 0; i < nlayers; i++) {
        names[i] = manifest->layers[i].digest;
        numbers[i] = nlayers - 1 - i;
    }
    rc = read_layers(job, numbers, nlayers, add_entries, err);
    shade_close(&job->entries.shade);
    if (rc == 0)
        rc = merge_layers(&job->entries, names, ret, err);
    if (rc == 0 && ret->needs) {
        for (unsigned i = nlayers; i > 0; i--)
            if (is_needed(job, i - 1))
                numbers[n++] = i - 1;
        rc = read_layers(job, numbers, n, add_content, err);
    }
    free(names);
    return rc;
}

static int build_all(struct job *job, struct vitrine_error *err)
{
    const size_t nlayers = job->build->manifest->nlayers;
    unsigned *numbers = calloc(nlayers + 1, sizeof(*numbers));
    struct merge_result result = {0};
    int rc = -1;

    if (!numbers)
        return error_from(err, VITRINE_EINTERNAL, ENOMEM, "cannot read layers");
    if (add_own_files(job, err) == 0)
        rc = read_all(job, numbers, &result, err);
    free(numbers);
    if (rc == 0)
        rc = output_flush(&job->output, err);
    if (rc == 0)
        rc = write_tree(&job->output, result.root, result.newest, NULL, err);
    if (rc == 0)
        tell_progress(job, true);
    return rc;
}

int build_image(const struct build *build, int fd, struct vitrine_error *err)
{
    const struct output_format format = {.compressor = SQUASHFS_ZSTD,
                                         .block_size = BLOCK_SIZE};
    const size_t nlayers = build->manifest->nlayers;
    struct job *job;
    int rc;

    if (nlayers > LIMIT_IMPORT_LAYERS)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "the image has more than %d layers", LIMIT_IMPORT_LAYERS);
    job = calloc(1, sizeof(*job));
    if (!job)
        return error_from(err, VITRINE_EINTERNAL, ENOMEM, "cannot import");
    job->build = build;
    rc = output_open(&job->output, fd, &format,
                     build->threads ? build->threads : output_threads(), err);
    if (rc == 0)
        rc = entries_open(&job->entries, &job->output, (unsigned)nlayers, err);
    if (rc == 0)
        rc = build_all(job, err);
    output_close(&job->output);
    entries_close(&job->entries);
    free(job);
    return rc;
}
