/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SAVE_SAVE_H
#define VITRINE_SAVE_SAVE_H

/*
 * Saving a container: a process of the user's is started while his container is prepared,
 * when the file can still be refused, and told to work when the step ends.
 */
#include "base/error.h"

#include <stdint.h>

/* All borrowed, and opened with the user's own rights. */
struct save_spec {
    int base;          /* the image file, or the base directory; O_RDONLY */
    uint64_t offset;   /* of the SquashFS file system in the file */
    bool is_directory; /* base is one */
    int upper;         /* the overlay's upper directory, O_RDONLY, or -1 */
    int directory;     /* where the file shall appear; O_RDONLY | O_DIRECTORY */
    const char *name;  /* and its name there */
    int user_ns;       /* a user namespace of the user's in which he is uid 0; or -1: the
                          files are his, and are saved as his */
};

/* All close-on-exec. */
struct save_process {
    int control; /* a socket that it hears; it cannot answer there */
    int answers; /* a pipe */
    int pid;     /* a pidfd of it */
};

#define SAVE_PROCESS_NONE ((struct save_process){-1, -1, -1})

/*
 * Starts it: no child of the caller, in a session of its own, without any other
 * descriptor. Runs as the user with kept capabilities, see caps.h. Waits for the verdict
 * on the file: a refusal is *err. *ret is for save_finish(); when the last copy of its
 * socket is closed before, nothing is saved.
 */
int save_start(const struct save_spec *spec, struct save_process *ret,
               struct vitrine_error *err);

/*
 * Has the work done and waits for its end, or until the other end of `until` (-1 without)
 * is closed; the descriptors stay the caller's. Nobody may
 * write to the upper directory meanwhile. May be called as root: the process at the other
 * end is the user's, nothing that it says is trusted, and when it has ended the wait has,
 * too, whoever else has its end of the pipe.
 */
int save_finish(const struct save_process *process, int until, struct vitrine_error *err);

#endif
