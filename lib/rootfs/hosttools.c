/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs in the builder. Which directories hold the libraries is not guessed: the builder
 * is a fork of slurmstepd, and its own loaded objects tell where the host's loader found
 * them, plugins included.
 */
#include "rootfs/hosttools.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "build-config.h"

#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <string.h>

/* A process has a few dozen objects in a handful of directories. */
#define MAX_DIRS 32

struct scan {
    struct hosttools *tools;
    struct plan *plan;
    struct {
        char *path;
        bool ordinary; /* holds more than libraries of Slurm and ourselves */
    } dirs[MAX_DIRS];  /* of shared libraries */
    size_t ndirs;
    int rc;
};

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Libraries are found by name in a list of directories, plugins are opened by path. */
static bool is_library(const char *base)
{
    return starts_with(base, "lib") || starts_with(base, "ld-") ||
           starts_with(base, "ld.");
}

static neg_errno note_dir(struct scan *scan, const char *dir, bool ordinary)
{
    size_t i = 0;

    while (i < scan->ndirs && strcmp(scan->dirs[i].path, dir) != 0)
        i++;
    if (i == MAX_DIRS)
        return 0;
    if (i == scan->ndirs && !(scan->dirs[scan->ndirs++].path = strdup(dir)))
        return -ENOMEM;
    scan->dirs[i].ordinary |= ordinary;
    return 0;
}

static neg_errno note_library(struct scan *scan, const char *path, const char *base)
{
    char real[PATH_MAX];

    if (!realpath(path, real))
        return 0;
    if (starts_with(base, "ld-") && !scan->tools->loader &&
        !(scan->tools->loader = strdup(real)))
        return -ENOMEM;
    *strrchr(real, '/') = '\0';
    return note_dir(scan, real,
                    !starts_with(base, "libslurm") && !starts_with(base, "libvitrine"));
}

static int scan_libraries(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct scan *scan = arg;
    const char *path = info->dlpi_name, *base = strrchr(path, '/');

    if (path[0] == '/' && is_library(base + 1))
        scan->rc = note_library(scan, path, base + 1);
    return scan->rc < 0;
}

static bool is_ordinary(const struct scan *scan, const char *dir)
{
    char real[PATH_MAX];

    for (size_t i = 0; realpath(dir, real) && i < scan->ndirs; i++)
        if (strcmp(scan->dirs[i].path, real) == 0)
            return scan->dirs[i].ordinary;
    return false;
}

/*
 * A plugin's directory is shown at its own path, for it and those that are loaded later;
 * of a directory that also holds ordinary libraries only the plugin itself is, so that
 * the image's libraries stay in sight.
 */
static int scan_plugins(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct scan *scan = arg;
    const char *path = info->dlpi_name, *base = strrchr(path, '/');
    char dir[PATH_MAX];

    if (path[0] != '/' || is_library(base + 1) || (size_t)(base - path) >= sizeof(dir))
        return 0;
    memcpy(dir, path, (size_t)(base - path));
    dir[base - path] = '\0';
    scan->rc = plan_add(scan->plan, is_ordinary(scan, dir) ? path : dir, PLAN_COVERS);
    return scan->rc < 0;
}

static neg_errno show_below_host(struct plan *plan, const char *dir)
{
    char target[PATH_MAX];

    if (snprintf(target, sizeof(target), HOSTTOOLS_HOST "%s", dir) >= (int)sizeof(target))
        return -ENAMETOOLONG;
    return plan_add_at(plan, dir, target, PLAN_COVERS);
}

static neg_errno make_library_path(struct scan *scan)
{
    size_t size;
    FILE *out = open_memstream(&scan->tools->library_path, &size);

    if (!out)
        return -ENOMEM;
    for (size_t i = 0; i < scan->ndirs; i++)
        (void)fprintf(out, "%s" HOSTTOOLS_HOST "%s", i ? ":" : "", scan->dirs[i].path);
    return fclose(out) == 0 ? 0 : -ENOMEM;
}

static neg_errno plan_commands(struct hosttools *tools, struct plan *plan)
{
    char dir[PATH_MAX];
    int rc = 0;

    for (size_t i = 0; tools->commands[i] && rc == 0; i++) {
        if (!path_is_normal(tools->commands[i]) ||
            strlen(tools->commands[i]) >= sizeof(dir))
            continue;
        memcpy(dir, tools->commands[i], strlen(tools->commands[i]) + 1);
        *strrchr(dir, '/') = '\0';
        if (!tools->bin && !(tools->bin = strdup(dir)))
            return -ENOMEM;
        rc = show_below_host(plan, dir);
    }
    return rc;
}

neg_errno hosttools_plan(struct hosttools *tools, const char *const *commands,
                         struct plan *plan)
{
    struct scan scan = {.tools = tools, .plan = plan, .ndirs = 0};

    *tools = (struct hosttools){.commands = commands};
    if (!commands || !commands[0] || access(VITRINE_HOST_COMMAND, X_OK) < 0)
        return 0;
    (void)dl_iterate_phdr(scan_libraries, &scan);
    if (scan.rc == 0 && tools->loader)
        (void)dl_iterate_phdr(scan_plugins, &scan);
    for (size_t i = 0; i < scan.ndirs && scan.rc == 0; i++)
        scan.rc = show_below_host(plan, scan.dirs[i].path);
    if (scan.rc == 0)
        scan.rc = make_library_path(&scan);
    if (scan.rc == 0)
        scan.rc = plan_commands(tools, plan);
    if (scan.rc == 0)
        scan.rc =
            plan_add_at(plan, VITRINE_HOST_COMMAND, HOSTTOOLS_LAUNCHER, PLAN_COVERS);
    for (size_t i = 0; i < scan.ndirs; i++)
        free(scan.dirs[i].path);
    return scan.rc;
}

static neg_errno write_settings(const struct hosttools *tools,
                                const struct skeleton *skeleton)
{
    cleanup_fd int dir = skeleton_dir(skeleton, HOSTTOOLS_DIR);
    cleanup_free char *text = NULL;

    if (dir < 0)
        return dir;
    if (asprintf(&text, HOSTTOOLS_HOST "%s\n%s\n" HOSTTOOLS_HOST "%s\n", tools->loader,
                 tools->library_path, tools->bin ? tools->bin : "") < 0)
        return -ENOMEM;
    return skeleton_file(skeleton, dir, HOSTTOOLS_SETTINGS_NAME, text, strlen(text));
}

/* Slurm's commands must be the cluster's: one that the image brings is hidden. */
static neg_errno link_command(const struct skeleton *skeleton, const char *command)
{
    char dir[PATH_MAX];
    const char *base = strrchr(command, '/');

    if (!path_is_normal(command) || strlen(command) >= sizeof(dir) ||
        access(command, X_OK) < 0)
        return 0;
    memcpy(dir, command, (size_t)(base - command));
    dir[base - command] = '\0';
    cleanup_fd int where = skeleton_dir(skeleton, dir[0] ? dir : "/");
    if (where < 0)
        return where;
    if (symlinkat(HOSTTOOLS_LAUNCHER, where, base + 1) < 0 ||
        fchownat(where, base + 1, skeleton->uid, skeleton->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return 0;
}

int hosttools_write(const struct hosttools *tools, const struct skeleton *skeleton,
                    struct vitrine_error *err)
{
    int rc = tools->loader ? write_settings(tools, skeleton) : 0;

    for (size_t i = 0; tools->loader && tools->commands[i] && rc == 0; i++)
        rc = link_command(skeleton, tools->commands[i]);
    return rc < 0 ? error_from(err, VITRINE_EMOUNT, rc,
                               "cannot make the host's commands available in the image")
                  : 0;
}

void hosttools_free(struct hosttools *tools)
{
    free(tools->loader);
    free(tools->library_path);
    free(tools->bin);
    *tools = (struct hosttools){0};
}
