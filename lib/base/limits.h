/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_BASE_LIMITS_H
#define VITRINE_BASE_LIMITS_H

/* Every cap of the project, each with its reason. */

/* An image reference: no path can be longer (PATH_MAX), and a registry reference is far
 * shorter. Checked before anything is copied (compare CVE-2026-65108). */
#define LIMIT_IMAGE_REF 4096

/* A line and a file of vitrine.conf: thousands of partitions fit, a device node or a log
 * file given by mistake is refused early. */
#define LIMIT_CONFIG_LINE 8192
#define LIMIT_CONFIG_SIZE (1024 * 1024)

/* PATH as handed to the tasks; execve(2) itself refuses a string over 128 KiB. */
#define LIMIT_PATH_ENV 32768

/* Host paths that one container shows: mounts of the host, home, working directory. */
#define LIMIT_BINDS 4096

/* Symbolic links followed while a host mount point is resolved, as in the kernel. */
#define LIMIT_SYMLINKS 40

/* One generated file (passwd, group, hosts): a site's whole passwd may be in an image. */
#define LIMIT_ETC_FILE (8UL * 1024 * 1024)

/* The kernel takes an id map of less than one page in one write. */
#define LIMIT_ID_MAP 4095

/* SIF descriptors: the format's own default is 48, its tools allow more; a table of this
 * size is 2.3 MiB and read in one go. */
#define LIMIT_SIF_DESCRIPTORS 4096

/* Entries and depth of a tree that is saved: a hostile image can say any number in a few
 * bytes. Twenty times the largest image we know of; PATH_MAX cannot name what is deeper.
 */
#define LIMIT_SAVE_ENTRIES 50000000
#define LIMIT_SAVE_DEPTH   2048

#endif
