/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rootfs/plan.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/path.h"

#include <string.h>

static const char *const os_dirs[] = {
    "/bin", "/boot", "/etc", "/lib",  "/lib32", "/lib64", "/libx32",
    "/opt", "/root", "/run", "/sbin", "/usr",   "/var",
};

void plan_init(struct plan *plan)
{
    *plan = (struct plan){0};
}

void plan_entry_free(struct plan_entry *entry)
{
    free(entry->path);
    free(entry->source);
    if (entry->tree >= 0)
        (void)close(entry->tree);
    if (entry->point >= 0)
        (void)close(entry->point);
}

void plan_free(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        plan_entry_free(&plan->entries[i]);
    free(plan->entries);
    plan_init(plan);
}

bool plan_is_hidden(const struct plan *plan, const char *path)
{
    return plan->hidden && path_is_below(path, plan->hidden);
}

bool plan_shows(const struct plan *plan, const char *path)
{
    bool hidden = plan_is_hidden(plan, path);

    for (size_t i = 0; i < plan->count; i++)
        if (path_is_below(path, plan->entries[i].path) &&
            (!hidden || plan_is_hidden(plan, plan->entries[i].path)))
            return true;
    return false;
}

bool plan_has_to_hide(const struct plan *plan)
{
    for (size_t i = 0; plan->hidden && i < plan->count; i++)
        if (path_is_below(plan->hidden, plan->entries[i].path) &&
            !plan_is_hidden(plan, plan->entries[i].path))
            return true;
    return false;
}

static void remove_below(struct plan *plan, const char *path)
{
    size_t kept = 0;

    for (size_t i = 0; i < plan->count; i++) {
        if (path_is_below(plan->entries[i].path, path))
            plan_entry_free(&plan->entries[i]);
        else
            plan->entries[kept++] = plan->entries[i];
    }
    plan->count = kept;
}

neg_errno plan_add_at(struct plan *plan, const char *source, const char *path,
                      unsigned flags)
{
    if (!path_is_normal(path) || path[1] == '\0' || plan_shows(plan, path))
        return 0;
    if (plan->count == LIMIT_BINDS)
        return -E2BIG;
    if (!plan->entries)
        plan->entries = calloc(LIMIT_BINDS, sizeof(*plan->entries));
    struct plan_entry entry = {
        .path = strdup(path),
        .source = strdup(source),
        .flags = flags,
        .tree = -1,
        .point = -1,
    };
    if (!plan->entries || !entry.path || !entry.source) {
        plan_entry_free(&entry);
        return -ENOMEM;
    }
    remove_below(plan, path);
    plan->entries[plan->count++] = entry;
    return 0;
}

neg_errno plan_add(struct plan *plan, const char *path, unsigned flags)
{
    return path ? plan_add_at(plan, path, path, flags) : 0;
}

bool plan_os_owned(const char *path)
{
    for (size_t i = 0; i < sizeof(os_dirs) / sizeof(*os_dirs); i++)
        if (path_is_below(path, os_dirs[i]))
            return true;
    return false;
}
