/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs in the builder or, for a container that runs, in the leader; as the user. */
#include "rootfs/inside.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "environ/environ.h"

#include <fcntl.h>
#include <string.h>

static bool has(const char *const *env, const char *name)
{
    size_t n = strlen(name);

    for (; env && *env; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return true;
    return false;
}

static int describe_environ(const struct inside_spec *spec, const struct image_meta *meta,
                            struct vitrine_error *err)
{
    const struct environ_spec environ = {
        .host = spec->wish->environ,
        .image = (const char *const *)meta->env,
        .keep = spec->wish->keep_env,
        .pyxis = spec->pyxis,
        .fake_root = spec->fake_root,
        .home = spec->fake_root && (spec->pyxis || !spec->show_home) ? "/root" : NULL,
        .image_name = spec->image_name,
        .last = spec->last,
        .visible = spec->visible,
        .arg = spec->arg,
    };

    return environ_write(&environ, spec->environ, err);
}

static void describe_workdir(const struct inside_spec *spec,
                             const struct image_meta *meta, struct inside *ret)
{
    const char *dir = spec->wish->workdir;

    if (!dir && spec->pyxis)
        dir = meta->workdir ? meta->workdir : "/";
    (void)snprintf(ret->workdir, sizeof(ret->workdir), "%s", dir ? dir : "");
}

static int describe_entrypoint(const struct inside_spec *spec,
                               const struct image_meta *meta, struct inside *ret,
                               struct vitrine_error *err)
{
    size_t used = 0;

    if (spec->wish->entrypoint != VITRINE_YES || !meta->entrypoint)
        return 0;
    for (size_t i = 0; meta->entrypoint[i]; i++) {
        size_t size = strlen(meta->entrypoint[i]) + 1;

        /* An empty argument would end the list. */
        if (size == 1 || used + size >= sizeof(ret->entrypoint))
            return vitrine_fail(
                err, VITRINE_EUNSUPPORTED,
                "the entry point of image %s is longer than %zu bytes, or "
                "has an empty argument; run it without "
                "--container-entrypoint",
                spec->image_name, sizeof(ret->entrypoint));
        memcpy(ret->entrypoint + used, meta->entrypoint[i], size);
        used += size;
    }
    return 0;
}

int inside_describe(const struct inside_spec *spec, const struct image_meta *meta,
                    struct inside *ret, struct vitrine_error *err)
{
    describe_workdir(spec, meta, ret);
    ret->pytorch =
        spec->pyxis && (has((const char *const *)meta->env, "PYTORCH_VERSION") ||
                        has(spec->wish->environ, "PYTORCH_VERSION"));
    return describe_entrypoint(spec, meta, ret, err) < 0
               ? -1
               : describe_environ(spec, meta, err);
}

/* The program named by a script's first line, in the buffer; false if there is none. */
static bool read_interpreter(int fd, char buf[256])
{
    ssize_t n = read(fd, buf, 255);

    if (n < 3 || buf[0] != '#' || buf[1] != '!')
        return false;
    buf[n] = '\0';
    buf[strcspn(buf, "\n")] = '\0';
    char *name = buf + 2 + strspn(buf + 2, " \t");
    name[strcspn(name, " \t\r")] = '\0';
    memmove(buf, name, strlen(name) + 1);
    return buf[0] == '/';
}

void inside_check_scripts(int root, const struct inside_spec *spec, struct inside *ret)
{
    const char *const *scripts = spec->wish->scripts;
    char program[256];

    for (size_t i = 0; scripts && scripts[i] && !ret->remark[0]; i++) {
        cleanup_fd int script =
            path_open_in_root(root, scripts[i], O_RDONLY | O_NONBLOCK | O_NOCTTY);

        if (script < 0 || !read_interpreter(script, program))
            continue;
        cleanup_fd int there = path_open_in_root(root, program, O_PATH);
        if (there == -ENOENT || there == -ENOTDIR)
            (void)snprintf(ret->remark, sizeof(ret->remark),
                           "%s is to be run before each task, but needs %s, which image "
                           "%s does not have",
                           scripts[i], program, spec->image_name);
    }
}
