/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pure: from lists to a list. Runs in the builder, as the user. */
#include "environ/environ.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "environ/changes.h"
#include "environ/envlist.h"
#include "environ/rules.h"

#include <string.h>

#define MARK_IMAGE "VITRINE_IMAGE"
#define MARK_HOST  "VITRINE_HOST_"

/* Names whose value outside is kept only if it is changed inside: with their owner
 * changes nothing else. */
static const char *const identity[] = {"HOME", "USER", "LOGNAME", NULL};

static const char *get(const struct envlist *env, const char *name)
{
    return envlist_get(env, name, strlen(name));
}

static neg_errno set(struct envlist *env, const char *name, const char *value)
{
    return envlist_set(env, name, strlen(name), value);
}

static void unset(struct envlist *env, const char *name)
{
    envlist_unset(env, name, strlen(name));
}

static bool is_kept(const struct environ_spec *spec, const char *name, size_t len)
{
    for (const char *const *keep = spec->keep; keep && *keep; keep++)
        if (strlen(*keep) == len && memcmp(*keep, name, len) == 0)
            return true;
    return false;
}

/* VITRINE_HOST_NAME; all names are ours and short. */
struct mark {
    char name[64];
};

static struct mark mark_of(const char *name)
{
    struct mark mark;

    (void)snprintf(mark.name, sizeof(mark.name), MARK_HOST "%s", name);
    return mark;
}

/* What is so long that its mark would be too long is not: that costs a later step
 * something, the other thing this one. */
static neg_errno save(struct envlist *env, const char *name)
{
    struct mark mark = mark_of(name);
    const char *value = get(env, name);

    if (value && strlen(mark.name) + 1 + strlen(value) < LIMIT_ENV_STRING)
        return set(env, mark.name, value);
    unset(env, mark.name);
    return 0;
}

/* A name that has no saved value had none outside, or was not changed. */
static neg_errno restore(struct envlist *env, const char *name, bool had_none)
{
    struct mark mark = mark_of(name);
    const char *value = get(env, mark.name);

    if (!value) {
        if (had_none)
            unset(env, name);
        return 0;
    }
    int rc = set(env, name, value);
    unset(env, mark.name);
    return rc;
}

static neg_errno restore_identity(struct envlist *env)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && identity[i]; i++)
        rc = restore(env, identity[i], false);
    return rc;
}

/* As outside of the container from which the environment comes. */
static neg_errno restore_all(struct envlist *env)
{
    int rc = restore(env, "PATH", false);

    for (size_t i = 0; rc == 0 && rules_system[i]; i++)
        rc = restore(env, rules_system[i], true);
    if (rc == 0)
        rc = restore_identity(env);
    unset(env, MARK_IMAGE);
    return rc;
}

static neg_errno drop_host_system(struct envlist *env, const struct environ_spec *spec)
{
    static const char *const locale[] = {"LANG", "LANGUAGE", "LC_ALL"};
    int rc = 0;

    for (size_t i = 0; rc == 0 && rules_system[i]; i++) {
        const char *name = rules_system[i];

        rc = save(env, name);
        if (!is_kept(spec, name, strlen(name)))
            unset(env, name);
    }
    for (size_t i = 0; spec->pyxis && i < sizeof(locale) / sizeof(*locale); i++)
        if (!is_kept(spec, locale[i], strlen(locale[i])))
            unset(env, locale[i]);
    return rc;
}

static bool image_wins(const struct environ_spec *spec, const struct envlist *env,
                       const char *name, size_t len)
{
    enum rules_class class = rules_of(name, len);
    bool is_set = envlist_get(env, name, len) != NULL;

    if (class == RULES_HOST || (len == 4 && memcmp(name, "PATH", len) == 0))
        return false;
    return !is_set || (class != RULES_HOST_IF_SET && !is_kept(spec, name, len));
}

static neg_errno add_image(struct envlist *env, const struct environ_spec *spec)
{
    int rc = 0;

    for (const char *const *var = spec->image; rc == 0 && var && *var; var++) {
        size_t len = envlist_name_length(*var);

        if (len > 0 && image_wins(spec, env, *var, len))
            rc = envlist_set(env, *var, len, *var + len + 1);
    }
    return rc;
}

static bool nothing_is_visible(void *arg, const char *dir)
{
    return false;
}

/* The whole list stays, with what has to be found behind it. */
static char *kept_path(const char *host, const char *last)
{
    return searchpath_merge(host, NULL, NULL, last, nothing_is_visible, NULL);
}

static neg_errno set_path(struct envlist *env, const struct environ_spec *spec)
{
    const char *image = envlist_find(spec->image, "PATH", 4), *host = get(env, "PATH");
    cleanup_free char *path = NULL;
    int rc = save(env, "PATH");

    if (rc < 0)
        return rc;
    /* It would be searched in whatever directory a task is. */
    if (image && image[0] != '/')
        image = NULL;
    if (host && is_kept(spec, "PATH", 4))
        path = kept_path(host, spec->last);
    else if (spec->pyxis)
        path = kept_path(image, spec->last);
    else
        path = searchpath_merge(image, host, get(env, "VIRTUAL_ENV"), spec->last,
                                spec->visible ? spec->visible : nothing_is_visible,
                                spec->arg);
    return path ? set(env, "PATH", path) : -ENOMEM;
}

static neg_errno change(struct envlist *env, const struct environ_spec *spec,
                        const char *name, const char *value)
{
    if (is_kept(spec, name, strlen(name)))
        return 0;
    int rc = save(env, name);
    return rc < 0 ? rc : set(env, name, value);
}

static neg_errno set_identity(struct envlist *env, const struct environ_spec *spec)
{
    int rc = spec->home ? change(env, spec, "HOME", spec->home) : 0;

    if (rc == 0 && spec->fake_root)
        rc = change(env, spec, "USER", "root");
    if (rc == 0 && spec->fake_root)
        rc = change(env, spec, "LOGNAME", "root");
    return rc;
}

static neg_errno make(struct envlist *env, const struct environ_spec *spec)
{
    int rc = envlist_copy(env, spec->host);
    const char *inside = get(env, MARK_IMAGE);

    if (rc < 0)
        return rc;
    if (inside && strcmp(inside, spec->image_name) == 0) {
        rc = restore_identity(env);
        return rc < 0 ? rc : set_identity(env, spec);
    }
    if (inside)
        rc = restore_all(env);
    if (rc == 0)
        rc = drop_host_system(env, spec);
    /* Before the image's VIRTUAL_ENV is there: the user's has a place in PATH. */
    if (rc == 0)
        rc = set_path(env, spec);
    if (rc == 0)
        rc = add_image(env, spec);
    if (rc == 0)
        rc = set_identity(env, spec);
    return rc < 0 ? rc : set(env, MARK_IMAGE, spec->image_name);
}

int environ_write(const struct environ_spec *spec, int fd, struct vitrine_error *err)
{
    struct envlist env = {0};
    int rc = make(&env, spec);

    rc = rc < 0 ? vitrine_fail(err, VITRINE_EINTERNAL, "out of memory")
                : changes_write(spec->host, &env, fd, err);
    envlist_free(&env);
    return rc;
}

int environ_restore(const char *const *host, int fd, struct vitrine_error *err)
{
    struct envlist env = {0};
    int rc = envlist_copy(&env, host);

    if (rc == 0 && get(&env, MARK_IMAGE))
        rc = restore_all(&env);
    rc = rc < 0 ? vitrine_fail(err, VITRINE_EINTERNAL, "out of memory")
                : changes_write(host, &env, fd, err);
    envlist_free(&env);
    return rc;
}
