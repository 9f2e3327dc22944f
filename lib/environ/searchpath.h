/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ENVIRON_SEARCHPATH_H
#define VITRINE_ENVIRON_SEARCHPATH_H

#include "base/path.h"

#include <stdbool.h>

/* Is this directory of the host seen at its own path in the container? */
typedef bool (*searchpath_visible_f)(void *arg, const char *dir);

/*
 * PATH inside the container. The image's directories come first, so that `python` is the
 * image's python; behind them those of the user's that lie on host file systems which the
 * container shows (~/bin, /apps/x/bin), in their order. What names the host's operating
 * system is dropped. A Python virtual environment (`venv`, the value of VIRTUAL_ENV, or
 * NULL) is a choice the user has just made: its bin stays in front if it is in his PATH.
 *
 * `host` may be NULL; `image` NULL stands for SEARCHPATH_DEFAULT; `last`, a directory
 * that must be found in any case, may be NULL. Returns fresh text that the caller frees;
 * NULL without memory.
 */
char *searchpath_merge(const char *image, const char *host, const char *venv,
                       const char *last, searchpath_visible_f visible, void *arg);

/* What an image has that says nothing. */
#define SEARCHPATH_DEFAULT PATH_SEARCH_DEFAULT

#endif
