/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_ENVIRON_RULES_H
#define VITRINE_ENVIRON_RULES_H

#include <stddef.h>

/* Whose value a variable has in the container. */
enum rules_class {
    RULES_IMAGE,       /* the image's; the host's where the image has none */
    RULES_HOST,        /* the host's alone: it is about this job, user or node */
    RULES_HOST_IF_SET, /* the host's; the image's where the host has none */
    RULES_SYSTEM,      /* the image's alone: it names files of an operating system */
};

enum rules_class rules_of(const char *name, size_t len);

/* The names of RULES_SYSTEM, ended by NULL. */
extern const char *const rules_system[];

#endif
