/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as root (caps_keep) and as the user with kept capabilities (the rest).
 *
 * This is safe because slurmstepd's child is not dumpable and runs only Slurm's and our
 * own code until its first exec, and the exec of an ordinary user's process clears every
 * set but the bounding one, which caps_keep() leaves alone: a task that should, by a bug
 * elsewhere, never reach caps_drop() still starts its program without privilege.
 */
#include "privileged/caps.h"
#include "base/cleanup.h"

#include <sys/capability.h>
#include <sys/prctl.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Each with what needs it. */
static const cap_value_t task_caps[] = {
    CAP_SYS_ADMIN,  /* mount, setns, unshare of a root-owned user namespace */
    CAP_SYS_CHROOT, /* setns to a mount namespace */
    CAP_SETUID,     /* uid 0 to open loop devices and own the namespace; uid_map */
    CAP_SETGID,     /* gid_map */
    CAP_SETFCAP,    /* uid_map that maps uid 0 (Linux 5.12) */
    CAP_SYS_PTRACE, /* the builder's uid_map, where /proc is mounted with hidepid */
};

static const cap_value_t builder_caps[] = {
    CAP_SYS_ADMIN,    /* mounts in the builder's own mount namespace */
    CAP_CHOWN,        /* mount points that look like the image's own */
    CAP_DAC_OVERRIDE, /* mount points in the image's root-owned directories */
    CAP_FOWNER,       /* their modes; copy-up in the overlay */
};

/*
 * A fake root's builder has these as well, for the overlay that he will write to. Never
 * the other kind: in a namespace where root is mapped, CAP_SETFCAP would let a user give
 * his file capabilities that hold on the host.
 */
static const cap_value_t root_caps[] = {
    CAP_SYS_ADMIN, CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SETFCAP,
};

static neg_errno set_caps(const cap_value_t *permitted, int npermitted,
                          const cap_value_t *effective, int neffective)
{
    int rc = 0;
    cap_t caps = cap_init();

    if (!caps)
        return -errno;
    if (npermitted &&
        cap_set_flag(caps, CAP_PERMITTED, npermitted, permitted, CAP_SET) < 0)
        rc = -errno;
    if (neffective &&
        cap_set_flag(caps, CAP_EFFECTIVE, neffective, effective, CAP_SET) < 0)
        rc = -errno;
    if (rc == 0 && cap_set_proc(caps) < 0)
        rc = -errno;
    (void)cap_free(caps);
    return rc;
}

static bool is_root_job(void)
{
    return getuid() == 0;
}

neg_errno caps_keep(void)
{
    /* Only permitted survives setuid(2), and only what is permitted then: caps_lower(),
     * before the user's side looks at anything, cuts it down to task_caps. Cutting here
     * would take from slurmstepd what it still needs as root. */
    return prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) < 0 ? -errno : 0;
}

neg_errno caps_raise(void)
{
    if (is_root_job())
        return 0;
    return set_caps(task_caps, COUNT(task_caps), task_caps, COUNT(task_caps));
}

neg_errno caps_lower(void)
{
    if (is_root_job())
        return 0;
    return set_caps(task_caps, COUNT(task_caps), NULL, 0);
}

neg_errno caps_forget(void)
{
    if (prctl(PR_SET_KEEPCAPS, 0L, 0L, 0L, 0L) < 0)
        return -errno;
    return is_root_job() ? 0 : set_caps(NULL, 0, NULL, 0);
}

neg_errno caps_drop(void)
{
    /* What makes a user-made mount tree safe outside of a user namespace: no program in
     * it can gain privilege by being executed. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
        return -errno;
    return caps_forget();
}

neg_errno caps_stay_root(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 ||
        prctl(PR_SET_KEEPCAPS, 0L, 0L, 0L, 0L) < 0)
        return -errno;
    return 0;
}

neg_errno caps_builder_start(void)
{
    return prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) < 0 ? -errno : 0;
}

static neg_errno settle(const cap_value_t *caps, int ncaps)
{
    if (prctl(PR_SET_KEEPCAPS, 0L, 0L, 0L, 0L) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
        return -errno;
    return set_caps(caps, ncaps, caps, 1);
}

neg_errno caps_builder_settle(void)
{
    return settle(builder_caps, COUNT(builder_caps));
}

neg_errno caps_builder_settle_root(void)
{
    return settle(root_caps, COUNT(root_caps));
}

/* The same permitted ones, and of these `effective`: all, or CAP_SYS_ADMIN. */
static neg_errno use_caps(bool all)
{
    cap_flag_value_t is_root = CAP_CLEAR;
    cap_t caps = cap_get_proc();

    if (!caps)
        return -errno;
    int rc = cap_get_flag(caps, CAP_SETFCAP, CAP_PERMITTED, &is_root) < 0 ? -errno : 0;
    (void)cap_free(caps);
    if (rc < 0)
        return rc;
    if (is_root == CAP_SET)
        return set_caps(root_caps, COUNT(root_caps), root_caps,
                        all ? COUNT(root_caps) : 1);
    return set_caps(builder_caps, COUNT(builder_caps), builder_caps,
                    all ? COUNT(builder_caps) : 1);
}

neg_errno caps_builder_own_root(void)
{
    return use_caps(true);
}

neg_errno caps_builder_disown(void)
{
    return use_caps(false);
}

neg_errno caps_builder_only_mount(void)
{
    return set_caps(builder_caps, 1, builder_caps, 1);
}
