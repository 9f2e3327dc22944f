/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_METARC_H
#define VITRINE_IMAGE_METARC_H

#include "image/metavars.h"

struct metarc {
    char *workdir; /* NULL: not said */
    struct metalist entrypoint, cmd;
};

/*
 * /etc/rc as "enroot import" writes it: comments, then
 *
 *     mkdir -p "WORKDIR" 2> /dev/null
 *     cd "WORKDIR" && unset OLDPWD || exit 1
 *     if [ -s /etc/rc.local ]; then ... fi
 *     if [ $# -gt 0 ]; then
 *         exec ENTRYPOINT "$@"
 *     else
 *         exec ENTRYPOINT CMD
 *     fi
 *
 * with words quoted as bash's ${x@Q} does it. True in *ret_ours if it is of this form;
 * one that somebody has rewritten is not, and nothing is taken from it. 0 or -ENOMEM; the
 * caller frees what *ret holds, in either case (metarc_free()).
 */
neg_errno metarc_read(const char *script, struct metarc *ret, bool *ret_ours);
void metarc_free(struct metarc *rc);

#endif
