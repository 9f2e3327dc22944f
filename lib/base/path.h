/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_BASE_PATH_H
#define VITRINE_BASE_PATH_H

/* Paths as text, and walking inside a root that its owner may have filled with traps. */
#include "base/error.h"

#include <linux/limits.h>
#include <stdbool.h>

/* Where a system that says nothing has its commands: the directories of the FHS. */
#define PATH_SEARCH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * True if `path` is `dir` or lies below it, component by component: "/scratch2" is not
 * below "/scratch" (compare CVE-2026-48785). Both absolute and normalised.
 */
bool path_is_below(const char *path, const char *dir);

/* True for an absolute path without empty, "." or ".." components. */
bool path_is_normal(const char *path);

/*
 * The directory above what `path` names, "." if it says none, and its last component.
 * -ENOENT if that is none, "." or ".."; slashes at the end do not count.
 */
neg_errno path_split(const char *path, char ret_dir[PATH_MAX],
                     char ret_name[NAME_MAX + 1]);

/* "dir/name", or a copy of `name` if that is absolute. The caller frees it; NULL: no
 * memory. */
char *path_join(const char *dir, const char *name);

/*
 * Opens `path` as a process whose root directory is `root` would: symbolic links and ".."
 * stay inside, magic links of /proc are refused. Returns the descriptor, or -errno.
 */
neg_errno path_open_in_root(int root, const char *path, int flags);

#endif
