/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_DIGEST_H
#define VITRINE_REGISTRY_DIGEST_H

/* SHA-256 while bytes pass by. The only user of libcrypto. */
#include "base/error.h"

#include <stdint.h>

#define DIGEST_TEXT 72 /* "sha256:" and 64 digits, with NUL */

struct digest; /* one computation; not for several threads at once */

struct digest *digest_new(void); /* NULL: no memory */
void digest_free(struct digest *digest);
neg_errno digest_update(struct digest *digest, const void *data, size_t size);
/* Ends it. */
neg_errno digest_text(struct digest *digest, char ret[DIGEST_TEXT]);

/* Of bytes that are all there. */
neg_errno digest_of(const void *data, size_t size, char ret[DIGEST_TEXT]);

#endif
