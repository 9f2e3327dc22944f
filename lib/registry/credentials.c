/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user, with his environment, so these are his own files or those that he
 * points at; who owns them does not matter: sites share some, and their worst is a wrong
 * password. As docker does, files are accepted that others may read.
 */
#include "registry/credentials.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "registry/credfile.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <strings.h>
#include <sys/stat.h>

#define HUB "docker.io"

/* Where to look: $VARIABLE, or else ~/FALLBACK, and NAME in it. */
static const struct place {
    const char *variable, *fallback, *name;
    bool docker, netrc;
} places[] = {
    {"REGISTRY_AUTH_FILE", NULL, NULL, false, false},
    {"XDG_RUNTIME_DIR", NULL, "containers/auth.json", false, false},
    {"XDG_CONFIG_HOME", ".config", "containers/auth.json", false, false},
    {"DOCKER_CONFIG", ".docker", "config.json", true, false},
    {"ENROOT_CONFIG_PATH", NULL, ".credentials", false, true},
    {"XDG_CONFIG_HOME", ".config", "enroot/.credentials", false, true},
};

const char *credfile_env(const struct credentials_lookup *lookup, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; lookup->environ && lookup->environ[i]; i++)
        if (strncmp(lookup->environ[i], name, n) == 0 && lookup->environ[i][n] == '=')
            return lookup->environ[i] + n + 1;
    return NULL;
}

bool credfile_is_host(const struct credfile_query *query, const char *host, size_t len)
{
    static const char *const hub[] = {HUB, "index." HUB, "registry-1." HUB, "auth." HUB};

    if (strlen(query->host) == len && strncasecmp(query->host, host, len) == 0)
        return true;
    if (strcmp(query->host, HUB) != 0)
        return false;
    for (size_t i = 0; i < sizeof(hub) / sizeof(*hub); i++)
        if (strlen(hub[i]) == len && strncasecmp(hub[i], host, len) == 0)
            return true;
    return false;
}

bool credfile_is_user(const struct credfile_query *query, const char *user)
{
    return !query->user[0] || (user && strcmp(query->user, user) == 0);
}

/* False: there is no such place. */
static bool place_path(const struct place *place, const struct credentials_lookup *lookup,
                       char path[PATH_MAX])
{
    const char *dir = credfile_env(lookup, place->variable);
    int n;

    if (dir && dir[0])
        n = snprintf(path, PATH_MAX, "%s%s%s", dir, place->name ? "/" : "",
                     place->name ? place->name : "");
    else if (place->fallback && lookup->home)
        n = snprintf(path, PATH_MAX, "%s/%s/%s", lookup->home, place->fallback,
                     place->name);
    else
        return false;
    return n < PATH_MAX;
}

/* *ret NULL: there is no such file. Not fd_read_all(), which leaves copies behind. */
static int read_file(const char *path, char **ret, size_t *ret_size,
                     struct vitrine_error *err)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    char *data;

    *ret = NULL;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return vitrine_fail_sys(err, VITRINE_EPERM, "cannot open it");
    if (!S_ISREG(st.st_mode))
        return vitrine_fail(err, VITRINE_EUSAGE, "it is not a regular file");
    if (st.st_size > LIMIT_CREDENTIALS)
        return vitrine_fail(err, VITRINE_EUSAGE, "it is longer than %ld bytes",
                            LIMIT_CREDENTIALS);
    data = malloc((size_t)st.st_size + 1);
    if (!data)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    neg_errno rc = fd_pread_full(fd, data, (size_t)st.st_size, 0);
    if (rc < 0) {
        explicit_bzero(data, (size_t)st.st_size);
        free(data);
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot read it");
    }
    data[st.st_size] = '\0';
    *ret = data;
    *ret_size = (size_t)st.st_size;
    return 0;
}

static int look_into(const struct place *place, const struct credfile_query *query,
                     struct credentials *ret, bool *ret_found, struct vitrine_error *err)
{
    size_t size = 0;
    char *text;
    int rc;

    if (read_file(query->file, &text, &size, err) < 0)
        return -1;
    if (!text)
        return 0;
    rc = place->netrc ? netrc_find(text, size, query, ret, ret_found, err)
                      : authfile_find(text, size, query, ret, ret_found, err);
    explicit_bzero(text, size);
    free(text);
    return rc;
}

int credentials_find(const struct credentials_lookup *lookup, const char *host,
                     const char *repository, const char *user, struct credentials *ret,
                     struct vitrine_error *err)
{
    struct credentials found = {.user = NULL};
    bool is_found = false;

    for (size_t i = 0; i < sizeof(places) / sizeof(*places) && !is_found; i++) {
        char path[PATH_MAX];
        struct credfile_query query = {
            .host = host,
            .repository = repository,
            .user = user,
            .file = path,
            .docker = places[i].docker,
            .lookup = lookup,
        };

        if (!place_path(&places[i], lookup, path))
            continue;
        if (look_into(&places[i], &query, &found, &is_found, err) < 0) {
            credentials_free(&found);
            return vitrine_wrap(err, "credentials in %.400s", path);
        }
        if (is_found)
            (void)snprintf(found.source, sizeof(found.source), "%.255s", path);
    }
    *ret = found;
    return 0;
}

void credentials_free(struct credentials *credentials)
{
    secret_free(credentials->user);
    secret_free(credentials->password);
    secret_free(credentials->identity_token);
    *credentials = (struct credentials){.user = NULL};
}
