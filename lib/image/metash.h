/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_METASH_H
#define VITRINE_IMAGE_METASH_H

#include "image/metavars.h"

enum metash_flags {
    /* The script was generated from an image of Docker's: NAME="${NAME:-"VALUE"}" there
     * says nothing but what NAME is, and does not ask for the host's. */
    METASH_GENERATED = 1 << 0,
};

/*
 * The variables that a shell script assigns. Understood are commands that do nothing but
 * assign, "NAME=WORD ..." or "export NAME=WORD ...", with quotes, backslashes, $NAME,
 * ${NAME} and ${NAME:-WORD}, "-", ":+", "+". Nothing is executed: all else is passed
 * over, to the end of the line or of the construct (if ... fi) that it begins, and the
 * whole rest of the script behind a here-document. 0, or -ENOMEM.
 */
neg_errno metash_read(const char *script, unsigned flags, struct metavars *vars);

#endif
