/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_REGISTRY_DOCUMENT_H
#define VITRINE_REGISTRY_DOCUMENT_H

/*
 * JSON from strangers, read strictly and within bounds: RFC 8259 and UTF-8, LIMIT_JSON_*,
 * no name twice in one object (readers differ in which one counts), no NUL inside a text.
 * Errors are VITRINE_EFORMAT and name the member; who calls says what document it is.
 */
#include "base/error.h"

#include <stdint.h>

/* A value: json-c's own. What is found inside a document lives as long as it does. */
struct json_object;

/* The document must be an object. Free it with document_free(). */
int document_parse(const char *text, size_t size, struct json_object **ret,
                   struct vitrine_error *err);
/* The same for one that is an array. */
int document_parse_array(const char *text, size_t size, struct json_object **ret,
                         struct vitrine_error *err);
void document_free(struct json_object *document); /* NULL: nothing */
/* The same for one with secrets: clears all texts first. */
void document_wipe(struct json_object *document);

/* For `cleanup_document struct json_object *x = NULL`. */
void document_freep(struct json_object **document);
#define cleanup_document __attribute__((cleanup(document_freep)))

/*
 * A member of an object: NULL (and success) if it is absent or null, an error if it is of
 * another type. `object` NULL counts as an empty one.
 */
int document_object(struct json_object *object, const char *name,
                    struct json_object **ret, struct vitrine_error *err);
int document_array(struct json_object *object, const char *name, struct json_object **ret,
                   struct vitrine_error *err);
int document_string(struct json_object *object, const char *name, const char **ret,
                    struct vitrine_error *err);
/* A text, or a list of texts: *ret_count of them, 0 if it is absent; the caller frees
 * *ret, which borrows them. */
int document_strings(struct json_object *object, const char *name, const char ***ret,
                     size_t *ret_count, struct vitrine_error *err);
/* Must be there, and a whole number from 0 to `max`. */
int document_number(struct json_object *object, const char *name, uint64_t max,
                    uint64_t *ret, struct vitrine_error *err);

bool document_has(struct json_object *object, const char *name);

/* Of a value that document_each() shows. */
int document_check_object(struct json_object *value, struct vitrine_error *err);
int document_text(struct json_object *value, const char *name, const char **ret,
                  struct vitrine_error *err);

/* Of an array (NULL: empty); elements that are no objects are an error. */
size_t document_length(struct json_object *array);
int document_element(struct json_object *array, size_t i, struct json_object **ret,
                     struct vitrine_error *err);

/* Each member of an object (NULL: empty) in its order, until `visit` returns false. */
void document_each(struct json_object *object,
                   bool (*visit)(void *arg, const char *name, struct json_object *value),
                   void *arg);

#endif
