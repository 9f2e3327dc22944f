/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which file of the image says what; the grammars are in metafile, metarc and metash. */
#include "image/meta.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "image/metafile.h"
#include "image/metarc.h"
#include "image/metash.h"
#include "image/metavars.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct reader {
    int root;
    const char *const *host;
    struct image_meta meta;
};

/* O_NONBLOCK: a FIFO must not be waited for. 1 if it was read, 0 if there is no such
 * file, or none that can be read; -ENOMEM. */
static int read_file(int root, const char *path, char **ret, size_t *ret_size)
{
    struct stat st;
    cleanup_fd int fd = path_open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    int rc = fd_read_all(fd, LIMIT_META_FILE, ret, ret_size);
    return rc == -ENOMEM ? rc : rc == 0;
}

/* Takes the variables, if there are any and there were none before. */
static void take_env(struct reader *r, struct metavars *vars)
{
    if (vars->vars.count > 0 && !r->meta.env)
        r->meta.env = steal_ptr(&vars->vars.list);
    metalist_free(vars->vars.list);
    vars->vars.list = NULL;
}

static void take_words(struct reader *r, char ***entrypoint, char ***cmd)
{
    if (r->meta.entrypoint || r->meta.cmd)
        return;
    r->meta.entrypoint = steal_ptr(entrypoint);
    r->meta.cmd = steal_ptr(cmd);
}

static neg_errno read_vitrine(struct reader *r)
{
    struct metavars vars = {0};
    struct metafile_config config = {0};
    cleanup_free char *data = NULL;
    size_t size;
    int rc = read_file(r->root, "/.vitrine/config", &data, &size);

    if (rc <= 0)
        return rc;
    rc = metafile_config(data, size, &vars, &config);
    take_env(r, &vars);
    take_words(r, &config.entrypoint.list, &config.cmd.list);
    r->meta.workdir = config.workdir;
    r->meta.user = config.user;
    r->meta.volumes = config.volumes.list;
    r->meta.source = META_VITRINE;
    return rc < 0 ? rc : 1;
}

static neg_errno read_environment(struct reader *r, const char *path,
                                  enum metafile_dialect dialect)
{
    struct metavars vars = {.host = r->host};
    cleanup_free char *text = NULL;
    int rc = read_file(r->root, path, &text, NULL);

    if (rc > 0)
        rc = metafile_environment(text, dialect, &vars);
    take_env(r, &vars);
    return rc;
}

static neg_errno read_volumes(struct reader *r)
{
    struct metalist list = {0};
    cleanup_free char *text = NULL;
    int rc = read_file(r->root, "/etc/fstab", &text, NULL);

    if (rc > 0)
        rc = metafile_volumes(text, &list);
    r->meta.volumes = list.list;
    return rc;
}

static neg_errno read_enroot(struct reader *r)
{
    struct metarc words;
    cleanup_free char *text = NULL;
    bool ours;
    int rc = read_file(r->root, "/etc/rc", &text, NULL);

    if (rc <= 0)
        return rc;
    rc = metarc_read(text, &words, &ours);
    if (rc < 0)
        return rc;
    /* A script that was rewritten says nothing, but the rest is still enroot's. */
    if (!ours && strncmp(text, "# enroot-provenance:", 20) != 0)
        return 0;
    take_words(r, &words.entrypoint.list, &words.cmd.list);
    r->meta.workdir = steal_ptr(&words.workdir);
    metarc_free(&words);
    r->meta.source = META_ENROOT;
    rc = read_environment(r, "/etc/environment", METAFILE_ENROOT);
    if (rc == 0)
        rc = read_volumes(r);
    return rc < 0 ? rc : 1;
}

static bool is_for_apptainer(const char *name)
{
    static const char *const prefixes[] = {"01-base", "94-", "95-", "99-"};
    size_t len = strlen(name);

    if (name[0] == '.' || len < 4 || strcmp(name + len - 3, ".sh") != 0)
        return true;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static neg_errno list_scripts(struct reader *r, struct metalist *ret)
{
    cleanup_fd int fd =
        path_open_in_root(r->root, "/.singularity.d/env", O_RDONLY | O_DIRECTORY);
    cleanup_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int rc = 0;

    if (!dir)
        return 0;
    (void)steal_fd(&fd);
    for (struct dirent *entry; rc == 0 && (entry = readdir(dir));)
        if (!is_for_apptainer(entry->d_name) && ret->count < LIMIT_META_SCRIPTS)
            rc = metalist_add(ret, entry->d_name, strlen(entry->d_name));
    if (ret->count > 0)
        qsort(ret->list, ret->count, sizeof(*ret->list), by_name);
    return rc;
}

static neg_errno read_script(struct reader *r, const char *name, struct metavars *vars)
{
    char path[512];
    cleanup_free char *text = NULL;

    (void)snprintf(path, sizeof(path), "/.singularity.d/env/%s", name);
    int rc = read_file(r->root, path, &text, NULL);
    return rc <= 0
               ? rc
               : metash_read(text,
                             strncmp(name, "10-docker", 9) == 0 ? METASH_GENERATED : 0,
                             vars);
}

static neg_errno read_runscript(struct reader *r)
{
    static const char path[] = "/.singularity.d/runscript";
    struct stat st;
    struct metalist words = {0};
    char **none = NULL;
    cleanup_fd int fd = path_open_in_root(r->root, path, O_PATH);

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
        return 0;
    int rc = metalist_add(&words, path, sizeof(path) - 1);
    take_words(r, &words.list, &none);
    metalist_free(words.list);
    return rc;
}

static neg_errno read_apptainer(struct reader *r)
{
    struct metavars vars = {.host = r->host};
    struct metalist scripts = {0};
    int rc = list_scripts(r, &scripts);

    for (size_t i = 0; rc == 0 && i < scripts.count; i++)
        rc = read_script(r, scripts.list[i], &vars);
    metalist_free(scripts.list);
    take_env(r, &vars);
    return rc < 0 ? rc : read_runscript(r);
}

static neg_errno read_charliecloud(struct reader *r)
{
    return read_environment(r, "/ch/environment", METAFILE_CHARLIECLOUD);
}

static neg_errno read_plain(struct reader *r)
{
    return read_environment(r, "/etc/environment", METAFILE_PLAIN);
}

/* Each returns 1 if it was complete and the next ones need not be asked. */
static const struct {
    neg_errno (*read)(struct reader *r);
    enum meta_source source;
} sources[] = {
    {read_vitrine, META_VITRINE},     {read_enroot, META_ENROOT},
    {read_apptainer, META_APPTAINER}, {read_charliecloud, META_CHARLIECLOUD},
    {read_plain, META_PLAIN},
};

static neg_errno read_sources(struct reader *r)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof(sources) / sizeof(*sources); i++) {
        rc = sources[i].read(r);
        if (rc == 0 && r->meta.source == META_NONE && (r->meta.env || r->meta.entrypoint))
            r->meta.source = sources[i].source;
    }
    if (rc >= 0 && !r->meta.env)
        r->meta.env = calloc(1, sizeof(*r->meta.env));
    return rc < 0 || !r->meta.env ? -ENOMEM : 0;
}

int meta_read(int root, const char *const *host_env, struct image_meta *ret,
              struct vitrine_error *err)
{
    struct reader r = {.root = root, .host = host_env};

    if (read_sources(&r) < 0) {
        meta_free(&r.meta);
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    }
    *ret = r.meta;
    return 0;
}

void meta_free(struct image_meta *meta)
{
    metalist_free(meta->env);
    metalist_free(meta->entrypoint);
    metalist_free(meta->cmd);
    metalist_free(meta->volumes);
    free(meta->workdir);
    free(meta->user);
    *meta = (struct image_meta){0};
}

const char *meta_env(const struct image_meta *meta, const char *name)
{
    size_t len = strlen(name);

    for (char **env = meta->env; env && *env; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    return NULL;
}
