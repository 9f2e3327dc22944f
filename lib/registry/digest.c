/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 by libcrypto, which uses what the processor has for it. */
#include "registry/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct digest {
    EVP_MD_CTX *context;
};

struct digest *digest_new(void)
{
    struct digest *digest = calloc(1, sizeof(*digest));

    if (!digest)
        return NULL;
    digest->context = EVP_MD_CTX_new();
    if (!digest->context || EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1) {
        digest_free(digest);
        return NULL;
    }
    return digest;
}

void digest_free(struct digest *digest)
{
    if (!digest)
        return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

neg_errno digest_update(struct digest *digest, const void *data, size_t size)
{
    return EVP_DigestUpdate(digest->context, data, size) == 1 ? 0 : -EIO;
}

neg_errno digest_text(struct digest *digest, char ret[DIGEST_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    char *at = ret;

    if (EVP_DigestFinal_ex(digest->context, raw, &size) != 1 || size != 32)
        return -EIO;
    memcpy(at, "sha256:", 7);
    at += 7;
    for (unsigned i = 0; i < size; i++) {
        *at++ = digits[raw[i] >> 4];
        *at++ = digits[raw[i] & 15];
    }
    *at = '\0';
    return 0;
}

neg_errno digest_of(const void *data, size_t size, char ret[DIGEST_TEXT])
{
    struct digest *digest = digest_new();
    neg_errno rc = digest ? digest_update(digest, data, size) : -ENOMEM;

    if (rc == 0)
        rc = digest_text(digest, ret);
    digest_free(digest);
    return rc;
}
