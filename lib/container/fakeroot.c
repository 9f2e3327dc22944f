/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/fakeroot.h"
#include "base/error.h"
#include "identity/subids.h"
#include "privileged/userns.h"

#include <errno.h>
#include <fcntl.h>

static int read_ranges(const struct vitrine_identity *who, struct subids *uids,
                       struct subids *gids, struct vitrine_error *err)
{
    const struct subids_owner user = {who->user, who->uid, who->uid};
    const struct subids_owner group = {who->user, who->uid, who->gid};

    if (subids_read("/etc/subuid", &user, uids, err) < 0 ||
        subids_read("/etc/subgid", &group, gids, err) < 0)
        return -1;
    /* One without the other would leave files that nobody can own. */
    if (uids->n == 0 || gids->n == 0)
        uids->n = gids->n = 0;
    return 0;
}

static neg_errno fill_owners(const struct vitrine_identity *who,
                             const struct userns_ids *ids, struct fuse_owners *ret)
{
    *ret = (struct fuse_owners){.all = ids->nuids == 0, .uid = who->uid, .gid = who->gid};
    if (ret->all)
        return 0;
    int rc = userns_fill_map(who->uid, ids->uids, ids->nuids, ret->uids, &ret->nuids);
    return rc < 0
               ? rc
               : userns_fill_map(who->gid, ids->gids, ids->ngids, ret->gids, &ret->ngids);
}

int fakeroot_adopt(const struct vitrine_identity *who, int user_ns, bool ranges,
                   struct fakeroot *ret, struct vitrine_error *err)
{
    struct subids uids = {.n = 0}, gids = {.n = 0};

    if (ranges && read_ranges(who, &uids, &gids, err) < 0)
        return -1;
    const struct userns_ids ids = {
        .uids = uids.ranges, .gids = gids.ranges, .nuids = uids.n, .ngids = gids.n};
    int rc = fill_owners(who, &ids, &ret->owners);
    if (rc == 0 && (ret->user_ns = fcntl(user_ns, F_DUPFD_CLOEXEC, 0)) < 0)
        rc = -errno;
    if (rc < 0)
        return error_from(err, VITRINE_EINTERNAL, rc,
                          "cannot use the namespace of the container");
    ret->has_ranges = ranges;
    return 0;
}

int fakeroot_open(const struct vitrine_identity *who, bool ranges, struct fakeroot *ret,
                  struct vitrine_error *err)
{
    struct subids uids = {.n = 0}, gids = {.n = 0};

    if (ranges && read_ranges(who, &uids, &gids, err) < 0)
        return -1;
    const struct userns_ids ids = {
        .uids = uids.ranges, .gids = gids.ranges, .nuids = uids.n, .ngids = gids.n};
    int rc = fill_owners(who, &ids, &ret->owners);
    if (rc == 0)
        rc = userns_fake_root(&ids, &ret->user_ns);
    if (rc < 0)
        return error_from(err, VITRINE_EUNSUPPORTED, rc,
                          "cannot make a namespace in which you are root; "
                          "/proc/sys/user/max_user_namespaces must not be 0");
    ret->has_ranges = uids.n > 0;
    return 0;
}

uint32_t fakeroot_gids(const struct fakeroot *fakeroot)
{
    uint32_t count = fakeroot->has_ranges ? 0 : 1;

    for (size_t i = 0; fakeroot->has_ranges && i < fakeroot->owners.ngids; i++)
        count += fakeroot->owners.gids[i].count;
    return count ? count : 1;
}
