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
#include "identity/identity.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

/* Text files of the host that hold in the container too. */
static const char *const copied[] = {"hosts", "resolv.conf", "hostname", "timezone"};

/* Replaces etc/NAME, whatever it was, with a file of root's. */
static neg_errno replace(int etc, const char *name, const char *text, size_t size)
{
    if (unlinkat(etc, name, 0) < 0 && errno != ENOENT)
        return -errno;
    cleanup_fd int fd =
        openat(etc, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int rc = fd_write_full(fd, text, size);
    if (rc == 0 && (fchown(fd, 0, 0) < 0 || fchmod(fd, 0644) < 0))
        rc = -errno;
    return rc;
}

/* -ENOENT and the like if the host has none, which is not an error for the caller. */
static neg_errno read_host(const char *name, char **ret_text, size_t *ret_size)
{
    char path[NAME_MAX + 8];

    (void)snprintf(path, sizeof(path), "/etc/%s", name);
    cleanup_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? -errno : fd_read_all(fd, LIMIT_ETC_FILE, ret_text, ret_size);
}

static neg_errno copy_host(int etc, const char *name)
{
    cleanup_free char *text = NULL;
    size_t size;

    return read_host(name, &text, &size) < 0 ? 0 : replace(etc, name, text, size);
}

/*
 * /etc/localtime is a symbolic link whose target names the zone, and programs read that:
 * it is kept as one where the image has the same zone file, and copied where it has not.
 */
static neg_errno copy_localtime(int root, int etc)
{
    char zone[PATH_MAX];
    ssize_t len = readlink("/etc/localtime", zone, sizeof(zone) - 1);

    if (len <= 0)
        return copy_host(etc, "localtime");
    zone[len] = '\0';
    cleanup_free char *path = path_join("/etc", zone);
    if (!path)
        return -ENOMEM;
    cleanup_fd int there = path_open_in_root(root, path, O_PATH);
    if (there < 0)
        return copy_host(etc, "localtime");
    if (unlinkat(etc, "localtime", 0) < 0 && errno != ENOENT)
        return -errno;
    return symlinkat(zone, etc, "localtime") < 0 ? -errno : 0;
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

static neg_errno write_names(int root, int etc, const struct vitrine_identity *who)
{
    cleanup_free char *passwd = NULL, *group = NULL;
    cleanup_free char *image_passwd = read_image(root, "/etc/passwd");
    cleanup_free char *image_group = read_image(root, "/etc/group");

    if (image_passwd && image_group) {
        passwd = identity_passwd(who, image_passwd);
        group = identity_group(who, image_group);
    }
    if (!passwd || !group)
        return -ENOMEM;
    int rc = replace(etc, "passwd", passwd, strlen(passwd));
    return rc < 0 ? rc : replace(etc, "group", group, strlen(group));
}

int etcfiles_write(int root, const struct vitrine_identity *who,
                   struct vitrine_error *err)
{
    cleanup_fd int where = path_make_in_root(root, "/etc", S_IFDIR, 0);
    int rc = where < 0 ? where : 0;

    if (rc == 0)
        rc = write_names(root, where, who);
    for (size_t i = 0; i < sizeof(copied) / sizeof(*copied) && rc == 0; i++)
        rc = copy_host(where, copied[i]);
    if (rc == 0)
        rc = copy_localtime(root, where);
    if (rc < 0)
        return error_from(err, VITRINE_EMOUNT, rc,
                          "cannot write the container's /etc (names, hosts, time zone)");
    return 0;
}
