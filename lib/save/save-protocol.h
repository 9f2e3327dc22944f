/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SAVE_PROTOCOL_H
#define VITRINE_SAVE_PROTOCOL_H

/*
 * How the program that saves a container is started:
 *
 *     vitrine-save OFFSET|- NAME
 *
 * by execve(2) as the user, or as uid 0 of a user namespace of his that has every
 * capability there. OFFSET is the decimal position of the SquashFS file system in the
 * base image, or "-" if the base is a directory; NAME is the file to be written.
 * Descriptors are those below; 0, 1 and 2 should be /dev/null.
 *
 * It first finds out whether it could write there, sends one struct save_message, and
 * waits. A byte tells it to work; it then sends SAVE_WORKS every SAVE_BEAT_S seconds, as
 * long as that takes, and at last another message, the result, and exits.
 * If the other end closes instead, or later, it exits without a word, and nothing is on
 * the disk. It ignores every signal that can be ignored, since a container is saved when
 * its step ends; SIGKILL ends it, and leaves an old file as it was.
 */
enum {
    SAVE_CONTROL_FD = 3,   /* SOCK_SEQPACKET; only to be read */
    SAVE_BASE_FD = 4,      /* the image file, or the directory; O_RDONLY */
    SAVE_UPPER_FD = 5,     /* the upper directory of the overlay, or /dev/null */
    SAVE_DIRECTORY_FD = 6, /* where NAME shall appear; O_RDONLY | O_DIRECTORY */
    SAVE_ANSWERS_FD = 7,   /* a pipe to be written, whole messages at a time */
};

#define SAVE_GO     'g'
#define SAVE_BEAT_S 2

enum save_ok { SAVE_FAILED = 0, SAVE_DONE = 1, SAVE_WORKS = 2 };

struct save_message {
    int ok;          /* of enum save_ok */
    char text[1024]; /* why it failed; terminated and printable, but who runs the user's
                        program as root does not rely on it */
};

#endif
