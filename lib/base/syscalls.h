/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_BASE_SYSCALLS_H
#define VITRINE_BASE_SYSCALLS_H

/*
 * One wrapper per system call that the oldest supported C library (EL9, glibc 2.34) does
 * not offer. Each returns neg_errno; a kernel that lacks the call gives -ENOSYS.
 */
#include "base/error.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/types.h>

/* Resolution stays below dirfd, as if dirfd were "/"; magic links are refused. */
neg_errno sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode,
                      uint64_t resolve);

neg_errno sys_fsopen(const char *fstype);
neg_errno sys_fsconfig_flag(int fs, const char *key);
neg_errno sys_fsconfig_string(int fs, const char *key, const char *value);
neg_errno sys_fsconfig_create(int fs);
/* A detached mount of the created file system; attr is of MOUNT_ATTR_*. */
neg_errno sys_fsmount(int fs, unsigned attr);

/* A detached copy of the mount tree at path (AT_EMPTY_PATH allowed in flags). */
neg_errno sys_open_tree(int dirfd, const char *path, unsigned flags);
/* Attaches the detached mount `mount` on top of what `target` refers to. */
neg_errno sys_move_mount(int mount, int target);
/* Shows the ids of a detached mount as a user namespace maps them. */
neg_errno sys_mount_idmap(int mount, int user_ns);
/* Sets MOUNT_ATTR_* on one mount (flags AT_RECURSIVE for the tree below it). */
neg_errno sys_mount_setattr(int mount, unsigned flags, uint64_t set);
/* The same for all that can be changed of a mount. */
neg_errno sys_mount_change(int mount, unsigned flags, const struct mount_attr *attr);

neg_errno sys_pivot_root(const char *new_root, const char *put_old);
neg_errno sys_pidfd_open(pid_t pid);
neg_errno sys_close_range(unsigned first, unsigned last, unsigned flags);

struct sock_filter;
/*
 * Adds a seccomp(2) filter of n instructions to the calling process. Without the
 * mitigation of speculative store bypass that kernels before 5.16 give confined processes
 * at the price of their speed.
 */
neg_errno sys_seccomp_filter(struct sock_filter *code, size_t n);

#endif
