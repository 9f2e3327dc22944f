// SPDX-License-Identifier: LGPL-2.1-or-later
/* The transparency probe: probe.c says what a process is, probe-host.c what it sees of
 * the host, probe-may.c what it is allowed to do, probe-peer.c what two tasks see of each
 * other. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* One observable. Lines are kept and printed sorted by main(), so that two outputs can be
 * compared line by line. */
__attribute__((format(printf, 2, 3))) void say(const char *key, const char *format, ...);

/* The same with a number in the key, "signal.%d". */
__attribute__((format(printf, 3, 4))) void say_of(const char *prefix, long number,
                                                  const char *format, ...);

/* "ok" for 0 and more, otherwise the name of errno. */
const char *outcome(long result);

/* The contents of a small file, or why it cannot be read. */
void say_file(const char *key, const char *path);

/* Something to try: returns 0 and more, or -1 with errno. It is done in a child. */
struct act {
    const char *name;
    long (*act)(void);
};

void attempt(const char *prefix, const struct act *act);

void probe_process(void);
void probe_host(void);
void probe_permissions(const char *suid_program);
void probe_files(void);
void probe_peer(const char *directory, int rank);
