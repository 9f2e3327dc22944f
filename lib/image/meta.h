/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_META_H
#define VITRINE_IMAGE_META_H

/*
 * What an image says of itself, in the words of the tool that made it. Runs as the user
 * on files that may be hostile: nothing is executed, and what is not understood is passed
 * over, line by line.
 *
 * Sources, in their order:
 *
 *  1. Vitrine   /.vitrine/config. Its importer saw the registry's own record of the
 *               image, so nothing else counts, not even for what it leaves open.
 *  2. enroot    /etc/environment, /etc/rc, /etc/fstab, where /etc/rc is as enroot writes
 *               it: complete, too. Before the next two, whose files an image that enroot
 *               imported may have had inside from an earlier life.
 *  3. Apptainer /.singularity.d: env/ *.sh in their order, without those that serve
 *               Apptainer itself (01-base, 94-, 95-, 99-), and the runscript if it may be
 *               executed. An image built from a directory has this but says nothing of
 *               its variables, so each of the next ones is asked for what is still open.
 *  4. Charliecloud /ch/environment.
 *  5. /etc/environment (pam_env(8)), which any distribution may have.
 *
 * Variables are taken from one source as a whole, and entry point and command together:
 * of two tools' views of one image a mixture is nobody's.
 *
 * Where values refer to variables, those the image has set before win over the host's.
 *
 * /.vitrine/config, version 1: records "KEY=VALUE", each ended by a NUL byte; a last one
 * without it is not read. Values are taken as they are, without quotes or expansion.
 *
 *   env=NAME=VALUE  a variable; the last of a name counts
 *   workdir=/x      where tasks start, absolute
 *   entrypoint=ARG  one argument of the entry point, repeated in order
 *   cmd=ARG         one of its default arguments, repeated in order
 *   user=U          as in an OCI image's configuration
 *   volume=/x       a directory that the image wants to be writable, repeated
 *
 * Other keys are passed over, so later versions may add some. The file is at most
 * LIMIT_META_FILE bytes long. (/.vitrine/config.json may lie beside it and is not read.)
 */
#include "base/error.h"

enum meta_source {
    META_NONE,
    META_VITRINE,
    META_ENROOT,
    META_APPTAINER,
    META_CHARLIECLOUD,
    META_PLAIN,
};

struct image_meta {
    enum meta_source source; /* the first of the above that said something */
    char **env;              /* "NAME=VALUE", expanded, each name once; never NULL */
    char *workdir;           /* absolute; NULL: not said */
    char **entrypoint;       /* NULL: none. All lists end with NULL */
    char **cmd;              /* NULL: none */
    char *user;              /* NULL: not said */
    char **volumes;          /* absolute; NULL: none */
};

/*
 * Reads what the image with root directory `root` says. `host_env` is the environment of
 * the tasks, for what the image's values refer to; may be NULL. The only error is to be
 * out of memory. Free *ret with meta_free().
 */
int meta_read(int root, const char *const *host_env, struct image_meta *ret,
              struct vitrine_error *err);
void meta_free(struct image_meta *meta);

/* The value of one of its variables, or NULL. */
const char *meta_env(const struct image_meta *meta, const char *name);

#endif
