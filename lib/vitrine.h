/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_H
#define VITRINE_H

/*
 * libvitrine: puts processes inside a container image that is a SquashFS file, a SIF file
 * or a directory, with a mount namespace and nothing else. See libvitrine(3).
 *
 * The library knows nothing of Slurm, keeps no global state, never prints, never exits,
 * and reports each failure as one sentence in a struct vitrine_error.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VITRINE_PUBLIC __attribute__((visibility("default")))

/* What kind of failure; callers may switch on it. */
enum vitrine_errcode {
    VITRINE_OK = 0,
    VITRINE_EINTERNAL,    /* a system call failed that should not */
    VITRINE_ECONFIG,      /* vitrine.conf is wrong */
    VITRINE_EUSAGE,       /* an option value is wrong */
    VITRINE_ENOIMAGE,     /* no such image */
    VITRINE_EPERM,        /* the user may not read it */
    VITRINE_EFORMAT,      /* not an image, truncated, corrupt, encrypted */
    VITRINE_EUNSUPPORTED, /* image is fine, but this node cannot run it */
    VITRINE_EMOUNT,       /* mounting or assembling the root failed */
    VITRINE_EPOLICY,      /* the administrator forbids it */
};

struct vitrine_error {
    enum vitrine_errcode code;
    int sys_errno;   /* the cause, or 0 */
    char text[1024]; /* one printable sentence; ends in '+' if it was cut */
};

/*
 * Set *err and return -1. err may be NULL. errno is preserved. vitrine_fail_sys() appends
 * ": " and the text of errno; vitrine_wrap() puts a prefix and ": " before what is there.
 * Thread-safe for distinct objects.
 */
VITRINE_PUBLIC int vitrine_fail(struct vitrine_error *err, enum vitrine_errcode code,
                                const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
VITRINE_PUBLIC int vitrine_fail_sys(struct vitrine_error *err, enum vitrine_errcode code,
                                    const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
VITRINE_PUBLIC int vitrine_wrap(struct vitrine_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
