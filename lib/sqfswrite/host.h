/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SQFSWRITE_HOST_H
#define VITRINE_SQFSWRITE_HOST_H

/* Files of the host on their way into an image: all but directories, as nodes of the
 * tree, with attributes and content. Texts of errors go behind a path. */
#include "sqfswrite/output.h"
#include "sqfswrite/tree.h"

#include <sys/stat.h>

struct host {
    struct output *output;
    struct arena arena;
    /* What vanishes or changes meanwhile is an error, not passed over. */
    bool is_strict;
    bool root_owned; /* all that is made belongs to root */
    dev_t own_dev;   /* of the file that is written, which may lie in what is read */
    ino_t own_ino;
    struct map seen;            /* inodes that may come again, to nodes */
    struct tree_packed *packed; /* all of them */
    uint32_t newest;            /* time of modification */
    char *names;                /* XATTR_LIST_MAX bytes */
    char *value;                /* XATTR_SIZE_MAX bytes; also for the target of a link */
};

/* What overlayfs says with attributes of a file or directory in its upper layer. */
struct marks {
    bool opaque;     /* nothing of the lower directory shows */
    bool xwhiteouts; /* whiteouts in it may be files with an attribute */
    bool foreign;    /* redirect or metacopy, which our mounts do not make */
};

/* Zeroes *host and takes memory for names and values; -ENOMEM. */
neg_errno host_open(struct host *host, struct output *output);
/* Frees all, what was packed and the nodes with it. */
void host_close(struct host *host);

/* Reads the attributes of `fd`, or if `path` is given of that (no link is followed), into
 * the node's; `marks` may be NULL. */
int host_xattrs(struct host *host, int fd, const char *path, struct tree_node *node,
                struct marks *ret_marks, struct vitrine_error *err);

/*
 * Adds what is called `name` in the directory `dir`, which is on `dev`, and no directory.
 * What has vanished is passed over, unless host->is_strict. VITRINE_EPERM: this user may
 * not read it.
 */
int host_add(struct host *host, struct tree_node *parent, int dir, dev_t dev,
             const char *name, const struct stat *st, bool is_upper,
             struct vitrine_error *err);
struct tree_node *host_node(struct host *host, const struct stat *st);

/* Whether something is mounted on the opened directory. */
bool host_is_mounted(int fd);

#endif
