/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PLUGIN_OPTIONTEXT_H
#define VITRINE_PLUGIN_OPTIONTEXT_H

/* The values of options as text: which are right, and their one normal form. */
#include "options.h"

/* No text is copied before it is known to be this short (compare CVE-2026-65108). Mounts
 * are long lists of long paths, yet one environment variable has to hold them, of which
 * execve(2) takes 128 KiB; all others are a path or a few words. */
#define OPTIONTEXT_MAX        4096
#define OPTIONTEXT_MOUNTS_MAX 65536

/*
 * The normal form of a text that is not empty: of a switch "yes" or "no" (or "task"), of
 * lists without repetition, of all others the text itself. `text` may be of any size. The
 * caller frees *ret. Messages do not say where the text comes from.
 */
int optiontext_read(enum option option, const char *text, char **ret,
                    struct vitrine_error *err);

/* Whether the option is a list; and two normal lists in one, which may be too long. */
bool optiontext_is_list(enum option option);
int optiontext_join(enum option option, const char *list, const char *more, char **ret,
                    struct vitrine_error *err);

/* Of a NAME[:MODE] that is right: the length of NAME, and what MODE means. */
size_t optiontext_name(const char *text, enum vitrine_start *ret_start);

/* The enum vitrine_unshare of a list that is right. */
unsigned optiontext_unshare(const char *text);

#endif
