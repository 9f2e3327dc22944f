/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_SPEC_REGISTRYNAME_H
#define VITRINE_SPEC_REGISTRYNAME_H

/* The parts of a reference: hosts, repositories, tags, digests, as pieces of a text. */
#include "spec/registryref.h"

#define REGISTRYNAME_HUB "docker.io"

/* How much of a text is repeated in a message about it. */
#define REGISTRYNAME_SHOWN 200

/* A part of the text. */
struct span {
    const char *text;
    size_t len;
};

/* For "%.*s". */
int span_shown(struct span span);
/* How many bytes at the start are of `accepted`. */
size_t span_run(struct span span, const char *accepted);
struct span span_skip(struct span span, size_t n);
/* The first and the last place of a byte, or NULL. */
const char *span_find(struct span span, char c);
const char *span_find_last(struct span span, char c);
/* Cuts off and returns what is behind `at`, a place in the span; the byte there is in
 * neither. */
struct span span_cut(struct span *span, const char *at);
void span_copy(char *ret, struct span span);

/* VITRINE_EUSAGE. */
int registryname_fail(struct vitrine_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Does the first part of a name say by its look that it is a host: nvcr.io, [::1],
 * localhost:5000? Docker's rule, but that letters in upper case make no host. */
bool registryname_is_host(struct span span);
bool registryname_is_digest(struct span span);

/* Each checks one part and copies it into *ret; the repository after the host. */
int registryname_host(struct span host, struct registryref *ret,
                      struct vitrine_error *err);
int registryname_repository(struct span name, struct registryref *ret,
                            struct vitrine_error *err);
int registryname_tag(struct span tag, struct registryref *ret, struct vitrine_error *err);
int registryname_digest(struct span digest, struct registryref *ret,
                        struct vitrine_error *err);

#endif
