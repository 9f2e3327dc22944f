/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs in the builder. Files are copied, not bound: a copy is one mount less, replaces a
 * symbolic link of the image (resolv.conf often is one) and cannot be changed behind it.
 */
#include "rootfs/etcfiles.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/syscalls.h"
#include "identity/identity.h"
#include "rootfs/target.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* What holds in the container too. localtime often is a symbolic link, whose target the
 * image may lack: the container gets the zone itself, and its name in timezone. */
static const char *const names[] = {"passwd",   "group",     "hosts",   "resolv.conf",
                                    "hostname", "localtime", "timezone"};

#define NAMES     (sizeof(names) / sizeof(*names))
#define GENERATED 2 /* the first ones; the others are copied */

_Static_assert(NAMES == sizeof(((struct etcfiles *)NULL)->files) /
                            sizeof(((struct etcfiles *)NULL)->files[0]),
               "struct etcfiles has room for each name");

/* Leaves *ret_text as it is if the host has none, which is no error. */
static neg_errno read_host(const char *name, char **ret_text, size_t *ret_size)
{
    char path[NAME_MAX + 8];

    (void)snprintf(path, sizeof(path), "/etc/%s", name);
    cleanup_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int rc = fd < 0 ? 0 : fd_read_all(fd, LIMIT_ETC_FILE, ret_text, ret_size);
    return rc == -ENOMEM ? rc : 0;
}

/* The image's own file; "" if it has none or one that is not text to be trusted in size.
 */
static char *read_image(int root, const char *path)
{
    struct stat st;
    char *text = NULL;
    cleanup_fd int fd = path_open_in_root(root, path, O_RDONLY | O_NONBLOCK);

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        fd_read_all(fd, LIMIT_ETC_FILE, &text, NULL) == 0)
        return text;
    return strdup("");
}

static neg_errno read_names(int image, const struct vitrine_identity *who,
                            uint32_t root_gids, struct etcfiles *etc)
{
    cleanup_free char *passwd = read_image(image, "/etc/passwd");
    cleanup_free char *group = read_image(image, "/etc/group");

    if (passwd && group) {
        etc->files[0].text =
            root_gids ? identity_root_passwd(passwd) : identity_passwd(who, passwd);
        etc->files[1].text = root_gids ? identity_root_group(who, root_gids, group)
                                       : identity_group(who, group);
    }
    for (size_t i = 0; i < GENERATED; i++) {
        if (!etc->files[i].text)
            return -ENOMEM;
        etc->files[i].size = strlen(etc->files[i].text);
    }
    return 0;
}

int etcfiles_read(int image, const struct vitrine_identity *who, uint32_t root_gids,
                  struct etcfiles *ret, struct vitrine_error *err)
{
    struct etcfiles etc = {0};
    int rc = read_names(image, who, root_gids, &etc);

    for (size_t i = GENERATED; i < NAMES && rc == 0; i++)
        rc = read_host(names[i], &etc.files[i].text, &etc.files[i].size);
    if (rc < 0) {
        etcfiles_free(&etc);
        return error_from(err, VITRINE_EINTERNAL, rc, "cannot read the host's /etc");
    }
    *ret = etc;
    return 0;
}

void etcfiles_free(struct etcfiles *etc)
{
    for (size_t i = 0; i < NAMES; i++)
        free(etc->files[i].text);
    *etc = (struct etcfiles){0};
}

int etcfiles_write(const struct etcfiles *etc, const struct skeleton *skeleton,
                   struct vitrine_error *err)
{
    cleanup_fd int dir = skeleton_dir(skeleton, "/etc");
    int rc = dir < 0 ? dir : 0;

    for (size_t i = 0; i < NAMES && rc == 0; i++)
        if (etc->files[i].text)
            rc = skeleton_file(skeleton, dir, names[i], etc->files[i].text,
                               etc->files[i].size);
    if (rc < 0)
        return error_from(err, VITRINE_EMOUNT, rc,
                          "cannot write the container's /etc (names, hosts, time zone)");
    return 0;
}

static neg_errno bind_one(const struct skeleton *skeleton, int root, const char *path,
                          const char *text, size_t size)
{
    const char *name = strrchr(path, '/') + 1;
    int rc = skeleton_file(skeleton, skeleton->layer, name, text, size);

    if (rc < 0)
        return rc;
    cleanup_fd int point = target_make(root, path, S_IFREG);
    /* A link to nowhere, or a directory that the user may not write: as it is. */
    if (point < 0)
        return 0;
    cleanup_fd int tree = sys_open_tree(skeleton->layer, name, 0);
    return tree < 0 ? tree : sys_move_mount(tree, point);
}

int etcfiles_bind(const struct etcfiles *etc, const struct skeleton *skeleton, int root,
                  bool names_too, struct vitrine_error *err)
{
    char path[NAME_MAX + 8];
    int rc = 0;

    for (size_t i = names_too ? 0 : GENERATED; i < NAMES && rc == 0; i++) {
        (void)snprintf(path, sizeof(path), "/etc/%s", names[i]);
        if (etc->files[i].text)
            rc = bind_one(skeleton, root, path, etc->files[i].text, etc->files[i].size);
    }
    if (rc < 0)
        return error_from(err, VITRINE_EMOUNT, rc,
                          "cannot mount the container's /etc (names, hosts, time zone)");
    return 0;
}

/* --- apt --- */

#define APT_DIR  "/etc/apt/apt.conf.d"
#define APT_FILE "zz-vitrine"

static const char apt_text[] = "APT::Sandbox::User \"root\";\n";

static bool has_apt(const struct skeleton *skeleton)
{
    cleanup_fd int dir =
        path_open_in_root(skeleton->image, APT_DIR, O_PATH | O_DIRECTORY);

    return dir >= 0;
}

static int apt_result(neg_errno rc, struct vitrine_error *err)
{
    return rc < 0 ? error_from(err, VITRINE_EMOUNT, rc, "cannot write the container's %s",
                               APT_DIR "/" APT_FILE)
                  : 0;
}

int etcfiles_write_apt(const struct skeleton *skeleton, struct vitrine_error *err)
{
    if (!has_apt(skeleton))
        return 0;
    cleanup_fd int dir = skeleton_dir(skeleton, APT_DIR);
    int rc = dir < 0 ? dir
                     : skeleton_file(skeleton, dir, APT_FILE, apt_text, strlen(apt_text));
    /* The layer may have it from an earlier start. */
    return apt_result(rc == -EEXIST ? 0 : rc, err);
}

int etcfiles_bind_apt(const struct skeleton *skeleton, int root,
                      struct vitrine_error *err)
{
    if (!has_apt(skeleton))
        return 0;
    return apt_result(
        bind_one(skeleton, root, APT_DIR "/" APT_FILE, apt_text, strlen(apt_text)), err);
}
