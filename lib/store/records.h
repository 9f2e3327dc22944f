/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_STORE_RECORDS_H
#define VITRINE_STORE_RECORDS_H

/* Small things that the cache remembers, each for a while: see store.h. */
#include "store/store.h"

/* A name must be of letters, digits and "-._", and not begin with a dot. */
#define RECORD_NAME_MAX 200

/*
 * The text of a record that is younger than `max_age` seconds, by the clock of the file
 * system. One that is damaged is not found.
 */
int record_read(const struct store *store, const char *name, int64_t max_age, char *ret,
                size_t size, bool *ret_found, struct vitrine_error *err);
/* As a whole, instead of an older one. */
int record_write(const struct store *store, const char *name, const char *text,
                 struct vitrine_error *err);
void record_remove(const struct store *store, const char *name);

/* What a registry has given to a user: remembered for LIMIT_GRANT_S. */
int grant_write(const struct store *store, uid_t uid, const char *key,
                struct vitrine_error *err);
int grant_find(const struct store *store, uid_t uid, const char *key, bool *ret_found,
               struct vitrine_error *err);

/* "Now" by the clock that gives files their times, which on a file server is not ours;
 * seconds since 1970. */
int64_t records_now(const struct store *store);

#endif
