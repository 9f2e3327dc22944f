/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which image is meant, and who asks the registry for it. A reference with a digest needs
 * no question once it is known whether that is a manifest's or an index'. The processes
 * of a step have one of them ask, and keep what it was told, or that it failed: 64 nodes
 * are one request, whatever the answer.
 */
#include "import/conduct.h"
#include "base/limits.h"
#include "store/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_NAME_MAX 160

static void index_name(const struct conduct *c, char ret[INDEX_NAME_MAX])
{
    (void)snprintf(ret, INDEX_NAME_MAX, "index-%s-%s-%s", c->ref.digest + 7,
                   c->platform.architecture, c->platform.variant);
}

/* Asks the source. That a registry answers is its leave to have the image. */
static int ask(struct conduct *c, char ret[DIGEST_TEXT], struct vitrine_error *err)
{
    char name[INDEX_NAME_MAX], key[DIGEST_TEXT];

    if (conduct_open_source(c, err) < 0)
        return -1;
    if (c->source->ops->find_digest(c->source, ret, err) < 0)
        return -1;
    c->is_granted = true;
    /* Before the step's other nodes learn the digest: they shall not have to ask. */
    if (c->sharing.is_shared && (sharing_key(&c->sharing, &c->ref, ret, key, err) < 0 ||
                                 grant_write(&c->store, c->sharing.uid, key, err) < 0))
        return -1;
    if (!c->ref.digest[0] || strcmp(c->ref.digest, ret) == 0)
        return 0;
    /* It will be asked again if this cannot be kept. */
    index_name(c, name);
    (void)record_write(&c->store, name, ret, NULL);
    return 0;
}

/* With a digest, what the cache knows of it. */
static int look_up(struct conduct *c, char ret[DIGEST_TEXT], bool *ret_found,
                   struct vitrine_error *err)
{
    char name[INDEX_NAME_MAX], key[DIGEST_TEXT], text[DIGEST_TEXT + 8];

    index_name(c, name);
    if (record_read(&c->store, name, LIMIT_INDEX_RECORD_S, text, sizeof(text), ret_found,
                    err) < 0)
        return -1;
    if (*ret_found && registryref_is_digest(text)) {
        (void)snprintf(ret, DIGEST_TEXT, "%.71s", text);
        return 0;
    }
    if (sharing_key(&c->sharing, &c->ref, c->ref.digest, key, err) < 0 ||
        store_find(&c->store, key, NULL, ret_found, err) < 0)
        return -1;
    if (*ret_found)
        (void)snprintf(ret, DIGEST_TEXT, "%s", c->ref.digest);
    return 0;
}

static int read_step(struct conduct *c, char ret[DIGEST_TEXT], bool *ret_found,
                     struct vitrine_error *err)
{
    char text[DIGEST_TEXT + 8];

    if (record_read(&c->store, c->step, LIMIT_STEP_RECORD_S, text, sizeof(text),
                    ret_found, err) < 0)
        return -1;
    *ret_found = *ret_found && registryref_is_digest(text);
    if (*ret_found)
        (void)snprintf(ret, DIGEST_TEXT, "%.71s", text);
    return 0;
}

static void failure_name(const struct conduct *c, char ret[RECORD_NAME_MAX])
{
    (void)snprintf(ret, RECORD_NAME_MAX, "%.180s.failed", c->step);
}

int agree_read_failure(struct conduct *c, bool *ret_failed, struct vitrine_error *err)
{
    char name[RECORD_NAME_MAX], text[sizeof(err->text) + 16], *rest;

    *ret_failed = false;
    if (!c->step[0])
        return 0;
    failure_name(c, name);
    if (record_read(&c->store, name, LIMIT_FAILURE_RECORD_S, text, sizeof(text),
                    ret_failed, err) < 0)
        return -1;
    if (!*ret_failed)
        return 0;
    long code = strtol(text, &rest, 10);
    if (code <= VITRINE_OK || code > VITRINE_EPOLICY || *rest != ' ')
        code = VITRINE_EINTERNAL;
    return vitrine_fail(err, (enum vitrine_errcode)code, "%s", rest + (*rest == ' '));
}

void agree_write_failure(struct conduct *c, const struct vitrine_error *failure)
{
    char name[RECORD_NAME_MAX], text[sizeof(failure->text) + 16];

    /* What was cancelled is no failure, and says nothing to those who were not. */
    if (!c->step[0] || conduct_is_cancelled(c))
        return;
    failure_name(c, name);
    (void)snprintf(text, sizeof(text), "%d %s", (int)failure->code, failure->text);
    (void)record_write(&c->store, name, text, NULL);
}

/* As the step's one that asks. */
static int ask_for_step(struct conduct *c, char ret[DIGEST_TEXT],
                        struct vitrine_error *err)
{
    bool found = false;

    /* It may have been written just before the lock was free. */
    store_refresh(&c->store);
    if (read_step(c, ret, &found, err) < 0)
        return -1;
    if (found)
        return 0;
    if (agree_read_failure(c, &found, err) < 0)
        return -1;
    if (ask(c, ret, err) < 0) {
        agree_write_failure(c, err);
        return -1;
    }
    return record_write(&c->store, c->step, ret, err);
}

static int agree_in_step(struct conduct *c, char ret[DIGEST_TEXT],
                         struct vitrine_error *err)
{
    struct conduct_wait wait = {0};
    struct lock *lock;
    bool done = false;

    for (;;) {
        if (read_step(c, ret, &done, err) < 0)
            return -1;
        if (done)
            return 0;
        if (agree_read_failure(c, &done, err) < 0)
            return -1;
        if (conduct_lock(c, 0, c->step, &wait, &lock, err) < 0)
            return -1;
        if (lock)
            break;
        if (conduct_wait(c, &wait, err) < 0)
            return -1;
    }
    int rc = ask_for_step(c, ret, err);
    conduct_unlock(c, 0, lock);
    return rc;
}

int agree_on_digest(struct conduct *c, char ret[DIGEST_TEXT], struct vitrine_error *err)
{
    bool found = false;

    /* As vitrine_import() has told it: of no index. */
    if (c->spec->digest) {
        (void)snprintf(ret, DIGEST_TEXT, "%s", c->ref.digest);
        return 0;
    }
    if (c->ref.digest[0] && look_up(c, ret, &found, err) < 0)
        return -1;
    if (found)
        return 0;
    return c->step[0] ? agree_in_step(c, ret, err) : ask(c, ret, err);
}

int agree_grant(struct conduct *c, const char *digest, const char *key,
                struct vitrine_error *err)
{
    char answer[DIGEST_TEXT];
    bool found;

    if (!c->sharing.is_shared)
        return 0;
    if (c->is_granted)
        return 0;
    if (grant_find(&c->store, c->sharing.uid, key, &found, err) < 0)
        return -1;
    if (found)
        return 0;
    /* For just this one: what a tag leads to may be another by now. */
    conduct_close_source(c);
    (void)snprintf(c->ref.digest, sizeof(c->ref.digest), "%s", digest);
    if (conduct_open_source(c, err) < 0 ||
        c->source->ops->find_digest(c->source, answer, err) < 0)
        return -1;
    if (strcmp(answer, digest) != 0)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "asked for %s, the registry answered %s", digest, answer);
    c->is_granted = true;
    return grant_write(&c->store, c->sharing.uid, key, err);
}
