/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMPORT_SHARING_H
#define VITRINE_IMPORT_SHARING_H

/*
 * Whose cache an image goes to, and what it is called there.
 *
 * Without CacheOwner each user has his own, and an image is called by the digest of its
 * manifest.
 *
 * With CacheOwner=ACCOUNT there is one, which that account alone reads and writes; users
 * get opened files from vitrine-import, which is set-user-ID to the account. Why nobody
 * sees what his registry would not give him:
 *
 *  - A user is given an image if a registry, asked with his credentials, has given him
 * the manifest: now, or within LIMIT_GRANT_S, as grants/UID/KEY says, which only the
 * account can write. Registries give or refuse a repository as a whole, so whoever gets a
 *    manifest from it gets its layers.
 *  - The KEY is of the digest and of registry and repository. With the digest alone,
 *    somebody who knows a private manifest (they are no secret: logs and build tools show
 *    them), or makes one that lists the private layers' digests, could have it served by
 * a registry of his own, and be given the file that was made with another's credentials.
 *    As it is, that registry's images are its own: it has to serve each layer itself, and
 *    who can make it do so has the layers already.
 *  - A rogue registry cannot put anything in another's place either: its key is another
 *    one, and under its own key the content is verified against the digest, layer by
 *    layer, before it gets its name.
 *  - Who asks for an image that is there has it only after the grant was found or the
 *    registry was asked; and whether somebody else has it there is not told, but by how
 *    long it takes.
 *  - A user cannot choose what is asked: proxies and authorities for certificates come
 *    from the administrator alone (the environment is not believed), the registry's name
 *    is part of the key, and a name leads to the same host for all users. Where AllowHTTP
 *    is set, or a mirror gives everything to everybody, the administrator has said that
 *    the network or the mirror is trusted.
 *  - No user waits for another one's process, which that one could hold up: locks are of
 *    one user's processes.
 *  - What steps agree on is filed under the user who asks, so nobody decides for another.
 *    What an index says is filed under the index' digest, against which it was verified,
 *    and is the same for all.
 *  - Directories and archives (oci:, docker-archive:) have no registry that could say who
 *    may see them, and are read with the user's rights: they go to the user's own cache.
 */
#include "config/config.h"
#include "registry/digest.h"
#include "spec/registryref.h"
#include "vitrine-import.h"

struct sharing {
    bool is_shared;
    uid_t uid; /* the user for whom all this is */
    char *dir; /* DIR of store/store.h */
};

/* Whether the reference belongs to the cache that all users share. */
bool sharing_wanted(const struct config *config, const struct registryref *ref);

/* Free *ret with sharing_free(). */
int sharing_choose(const struct config *config, const struct vitrine_import_spec *spec,
                   const struct registryref *ref, struct sharing *ret,
                   struct vitrine_error *err);
void sharing_free(struct sharing *sharing);

/* What an image is called in the cache. */
int sharing_key(const struct sharing *sharing, const struct registryref *ref,
                const char *digest, char ret[DIGEST_TEXT], struct vitrine_error *err);

#endif
