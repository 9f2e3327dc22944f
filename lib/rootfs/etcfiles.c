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
#include <sys/stat.h>

/* What holds in the container too. localtime often is a symbolic link, whose target the
 * image may lack: the container gets the zone itself, and its name in timezone. */
static const char *const copied[] = {"hosts", "resolv.conf", "hostname", "localtime",
                                     "timezone"};

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

    return read_host(name, &text, &size) < 0 ? 0 : skeleton_file(etc, name, text, size);
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
    int rc = skeleton_file(etc, "passwd", passwd, strlen(passwd));
    return rc < 0 ? rc : skeleton_file(etc, "group", group, strlen(group));
}

int etcfiles_write(const struct skeleton *skeleton, const struct vitrine_identity *who,
                   struct vitrine_error *err)
{
    cleanup_fd int etc = skeleton_dir(skeleton, "/etc");
    int rc = etc < 0 ? etc : write_names(skeleton->image, etc, who);

    for (size_t i = 0; i < sizeof(copied) / sizeof(*copied) && rc == 0; i++)
        rc = copy_host(etc, copied[i]);
    if (rc < 0)
        return error_from(err, VITRINE_EMOUNT, rc,
                          "cannot write the container's /etc (names, hosts, time zone)");
    return 0;
}
