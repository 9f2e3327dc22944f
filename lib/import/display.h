/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMPORT_DISPLAY_H
#define VITRINE_IMPORT_DISPLAY_H

/*
 * What programs show on standard error while an image is imported, packed or unpacked: a
 * line that is written over if that is a terminal, or else a line at the start, one every
 * DISPLAY_PERIOD_S seconds and one at the end. What is over soon shows nothing but the
 * line at the end.
 */
#include "vitrine-import.h"

#include <stdio.h>

#define DISPLAY_PERIOD_S 10

enum display_mode {
    DISPLAY_QUIET, /* nothing at all */
    DISPLAY_LINES,
    DISPLAY_AUTO, /* a bar on a terminal, lines otherwise */
};

struct display {
    FILE *file;
    const char *what; /* "importing docker://...", borrowed */
    bool quiet, bar;
    bool is_shown;    /* the bar is on the last line */
    bool has_started; /* a line was written */
    struct vitrine_progress last;
    int64_t begin_ns, told_ns; /* CLOCK_MONOTONIC */
    /* For the rate: what was done a moment ago. */
    int64_t rate_ns;
    uint64_t rate_bytes;
    double rate; /* bytes per second, 0: not known yet */
};

void display_open(struct display *display, enum display_mode mode, FILE *file,
                  const char *what);

/* The callbacks of struct vitrine_watch; `arg` is the display. */
void display_progress(void *arg, const struct vitrine_progress *progress);
void display_remark(void *arg, const char *line);

/* Takes the bar away. If it took a while and went well, a last line says so. */
void display_close(struct display *display, bool well);

/* What the line says, without `what`: at most `size` - 1 bytes. */
void display_text(const struct display *display, char *buf, size_t size);

#endif
