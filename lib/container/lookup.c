/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/lookup.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/syscalls.h"
#include "container/importer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

neg_errno lookup_open(const char *path)
{
    return sys_openat2(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0,
                       RESOLVE_NO_MAGICLINKS);
}

/* What exists but may not be opened ends the search, so that nobody runs another image
 * than he named. */
static int open_at(const char *dir, const char *name, int *ret_fd, char **ret_name)
{
    /* "~/x" arrives here as "/x", to be looked up in the home directory. */
    if (dir[1] != '\0')
        name += strspn(name, "/");
    while (name[0] == '.' && name[1] == '/')
        name += 2 + strspn(name + 2, "/");
    cleanup_free char *path = path_join(dir, name[0] ? name : ".");

    if (!path)
        return -ENOMEM;
    int rc = lookup_open(path);
    if (rc < 0) {
        if (rc != -ENOENT && rc != -ENOTDIR)
            *ret_name = steal_ptr(&path);
        return rc;
    }
    *ret_fd = rc;
    *ret_name = steal_ptr(&path);
    return 0;
}

static bool is_absent(neg_errno rc)
{
    return rc == -ENOENT || rc == -ENOTDIR;
}

static int search_all(const struct config *config, const struct vitrine_spec *spec,
                      const struct imageref *ref, int *ret_fd, char **ret_name)
{
    int rc = -ENOENT;

    for (size_t i = 0; spec->search && spec->search[i] && is_absent(rc); i++)
        rc = open_at(spec->search[i], ref->text, ret_fd, ret_name);
    if (ref->kind == IMAGEREF_NAME)
        for (size_t i = 0; i < config->nimage_dirs && is_absent(rc); i++)
            rc = open_at(config->image_dirs[i], ref->text, ret_fd, ret_name);
    return rc;
}

/* "/a, /b" for the message about what was not found. */
static void list_dirs(const struct config *config, const struct vitrine_spec *spec,
                      const struct imageref *ref, char *buf, size_t size)
{
    size_t used = 0;

    buf[0] = '\0';
    for (size_t i = 0; spec->search && spec->search[i]; i++) {
        bool again = false;

        for (size_t j = 0; j < i; j++)
            again = again || strcmp(spec->search[i], spec->search[j]) == 0;
        if (!again && used < size)
            used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? ", " : "",
                                     spec->search[i]);
    }
    if (ref->kind == IMAGEREF_NAME)
        for (size_t i = 0; i < config->nimage_dirs && used < size; i++)
            used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? ", " : "",
                                     config->image_dirs[i]);
}

static int not_found(const struct config *config, const struct vitrine_spec *spec,
                     const struct imageref *ref, struct vitrine_error *err)
{
    char dirs[512];

    list_dirs(config, spec, ref, dirs, sizeof(dirs));
    if (ref->maybe_registry)
        return vitrine_fail(err, VITRINE_ENOIMAGE,
                            "cannot find image %s: it is not a file in %s; an image in a "
                            "registry needs docker:// before its name",
                            ref->text, dirs);
    return vitrine_fail(
        err, VITRINE_ENOIMAGE,
        "cannot find image %s: no such file or directory in %s; check the "
        "name",
        ref->text, dirs);
}

static int cannot_open(neg_errno cause, const char *name, struct vitrine_error *err)
{
    if (cause == -EACCES || cause == -EPERM)
        return vitrine_fail(
            err, VITRINE_EPERM,
            "cannot open image %s: permission denied; you need read access "
            "to it and search access to the directories above it",
            name);
    return error_from(err, VITRINE_ENOIMAGE, cause, "cannot open image %s", name);
}

static int open_file(const struct config *config, const struct vitrine_spec *spec,
                     const struct imageref *ref, int *ret_fd, char **ret_name,
                     struct vitrine_error *err)
{
    const char *home = spec->identity.home ? spec->identity.home : "/";
    cleanup_free char *name = NULL;
    int rc;

    if (ref->kind == IMAGEREF_ABSOLUTE || ref->kind == IMAGEREF_HOME) {
        rc = ref->kind == IMAGEREF_ABSOLUTE ? open_at("/", ref->text, ret_fd, &name)
                                            : open_at(home, ref->text + 1, ret_fd, &name);
        if (is_absent(rc))
            return vitrine_fail(
                err, VITRINE_ENOIMAGE,
                "cannot find image %s: no such file or directory; check the "
                "path, and that this node has its file system mounted",
                ref->text);
    } else {
        rc = search_all(config, spec, ref, ret_fd, &name);
        if (is_absent(rc))
            return not_found(config, spec, ref, err);
    }
    if (rc < 0)
        return cannot_open(rc, name ? name : ref->text, err);
    *ret_name = steal_ptr(&name);
    return 0;
}

/* Whether there is something of a name, whether it can be opened or not. */
static bool has_file(const struct config *config, const struct vitrine_spec *spec,
                     const struct imageref *ref)
{
    cleanup_free char *name = NULL;
    cleanup_fd int fd = -1;

    return !is_absent(search_all(config, spec, ref, &fd, &name));
}

static bool has_all_dirs(const struct config *config)
{
    for (size_t i = 0; i < config->nimage_dirs; i++)
        if (access(config->image_dirs[i], F_OK) < 0)
            return false;
    return true;
}

int lookup_source(const struct config *config, const struct vitrine_spec *spec,
                  char ret[IMAGEREF_REGISTRY_MAX], bool *ret_sure,
                  struct vitrine_error *err)
{
    struct imageref ref;

    if (imageref_parse(spec->image, &ref, err) < 0)
        return -1;
    ret[0] = '\0';
    *ret_sure = true;
    if (ref.kind == IMAGEREF_REGISTRY) {
        (void)snprintf(ret, IMAGEREF_REGISTRY_MAX, "%s", ref.text);
    } else if (config->compat == CONFIG_COMPAT_PYXIS && imageref_as_registry(&ref, ret)) {
        *ret_sure = has_all_dirs(config);
        if (has_file(config, spec, &ref))
            ret[0] = '\0';
    } else {
        ret[0] = '\0';
    }
    return 0;
}

int lookup_image(const struct config *config, const struct vitrine_spec *spec,
                 struct lookup *ret, struct vitrine_error *err)
{
    char source[IMAGEREF_REGISTRY_MAX];
    struct lookup found = {.fd = -1};
    struct imageref ref;
    bool sure;

    if (imageref_parse(spec->image, &ref, err) < 0 ||
        lookup_source(config, spec, source, &sure, err) < 0)
        return -1;
    if (ref.kind == IMAGEREF_NONE)
        return vitrine_fail(err, VITRINE_EUSAGE, "there is no image called none");
    if (!source[0]) {
        if (open_file(config, spec, &ref, &found.fd, &found.name, err) < 0)
            return -1;
    } else {
        found.name = strdup(ref.text);
        if (!found.name)
            return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
        if (importer_open(config, spec, source, found.digest, &found.fd, err) < 0) {
            free(found.name);
            return -1;
        }
    }
    *ret = found;
    return 0;
}
