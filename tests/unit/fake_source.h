/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_FAKE_SOURCE_H
#define VITRINE_TESTS_FAKE_SOURCE_H

/*
 * A registry of one image that counts what it is asked, and a builder that writes some
 * bytes, in the place of the real ones. All processes of a test share them.
 */
#include "cache_tree.h"
#include "layers/build.h"
#include "import/conduct.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

struct world {
    int opens, finds, resolves, builds, closes; /* what was asked */
    int building, doubles;   /* builds now; of them those beside another */
    char tag[DIGEST_TEXT];   /* what the tag leads to */
    char index[DIGEST_TEXT]; /* an index that leads to `tag` */
    bool find_fails, build_fails;
    bool moves; /* the tag leads elsewhere after find_digest */
    unsigned find_ms, build_ms;
    size_t size;        /* of the image */
    int points, die_at; /* in a process that shall be killed */
};

static struct world *world;

struct fake_source {
    struct source source;
    const struct registryref *ref;
};

static const char fake_json[] =
    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"A=b\"]},"
    "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";

/* Where a process may be killed. */
static inline void fake_point(void)
{
    if (__atomic_add_fetch(&world->points, 1, __ATOMIC_SEQ_CST) == world->die_at)
        (void)raise(SIGKILL);
}

static inline int count_up(int *counter)
{
    return __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

static inline int fake_answer(struct source *source, char ret[DIGEST_TEXT],
                              struct vitrine_error *err)
{
    const struct registryref *ref = ((struct fake_source *)source)->ref;

    if (world->find_fails)
        return vitrine_fail(err, VITRINE_EPERM, "the registry says no");
    if (!ref->digest[0] || strcmp(ref->digest, world->index) == 0)
        (void)snprintf(ret, DIGEST_TEXT, "%s", world->tag);
    else
        (void)snprintf(ret, DIGEST_TEXT, "%s", ref->digest);
    return 0;
}

static inline int fake_find(struct source *source, char ret[DIGEST_TEXT],
                            struct vitrine_error *err)
{
    (void)count_up(&world->finds);
    fake_point();
    (void)usleep(world->find_ms * 1000);
    int rc = fake_answer(source, ret, err);
    if (world->moves)
        (void)snprintf(world->tag, sizeof(world->tag), "%.71s", key_of(14));
    return rc;
}

static inline int fake_resolve(struct source *source, char ret_digest[DIGEST_TEXT],
                               struct manifest *ret, struct vitrine_error *err)
{
    (void)count_up(&world->resolves);
    fake_point();
    if (fake_answer(source, ret_digest, err) < 0)
        return -1;
    *ret = (struct manifest){.layers = calloc(1, sizeof(*ret->layers)), .nlayers = 1};
    ret->config.size = sizeof(fake_json) - 1;
    (void)snprintf(ret->config.digest, DIGEST_TEXT, "%.71s", key_of(15));
    ret->layers[0].size = world->size;
    return 0;
}

static inline int fake_blob(struct source *source, const struct manifest_blob *blob,
                            char **ret, struct vitrine_error *err)
{
    fake_point();
    *ret = strdup(fake_json);
    return 0;
}

static inline void fake_close(struct source *source)
{
    (void)count_up(&world->closes);
    free(source);
}

int source_registry_open(const struct registryref *ref, const struct config *config,
                         const struct vitrine_import_spec *spec, struct source **ret,
                         struct vitrine_error *err)
{
    static const struct source_ops ops = {.resolve = fake_resolve,
                                          .find_digest = fake_find,
                                          .blob = fake_blob,
                                          .close = fake_close};
    struct fake_source *fake = calloc(1, sizeof(*fake));

    (void)count_up(&world->opens);
    *fake = (struct fake_source){.source = {.ops = &ops}, .ref = ref};
    *ret = &fake->source;
    return 0;
}

int source_oci_open(const struct registryref *ref, const struct config *config,
                    const struct vitrine_import_spec *spec, struct source **ret,
                    struct vitrine_error *err)
{
    return source_registry_open(ref, config, spec, ret, err);
}

int source_archive_open(const struct registryref *ref, const struct config *config,
                        const struct vitrine_import_spec *spec, struct source **ret,
                        struct vitrine_error *err)
{
    return source_registry_open(ref, config, spec, ret, err);
}

/* Slowly, a KiB at a time. */
int build_image(const struct build *build, int fd, struct vitrine_error *err)
{
    const struct vitrine_watch *watch = build->watch;
    char block[1024];
    int rc = 0;

    (void)count_up(&world->builds);
    if (count_up(&world->building) > 1)
        (void)count_up(&world->doubles);
    memset(block, 'x', sizeof(block));
    for (size_t done = 0; rc == 0 && done < world->size; done += sizeof(block)) {
        fake_point();
        (void)usleep(world->build_ms * 1000 * 1024 / (unsigned)world->size);
        if (watch && watch->cancelled && watch->cancelled(watch->arg))
            rc = vitrine_fail(err, VITRINE_EINTERNAL, "it was ended before");
        else if (write(fd, block, sizeof(block)) != sizeof(block))
            rc = vitrine_fail_sys(err, VITRINE_EINTERNAL, "it cannot be written");
    }
    if (rc == 0 && world->build_fails)
        rc = vitrine_fail(err, VITRINE_EFORMAT, "a layer is damaged");
    (void)__atomic_sub_fetch(&world->building, 1, __ATOMIC_SEQ_CST);
    return rc;
}

static inline void world_make(void)
{
    tree_make();
    world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                 -1, 0);
    ck_assert_ptr_ne(world, MAP_FAILED);
    world->size = 8192;
    (void)snprintf(world->tag, sizeof(world->tag), "%.71s", key_of(1));
    (void)snprintf(world->index, sizeof(world->index), "%.71s", key_of(2));
}

#endif
