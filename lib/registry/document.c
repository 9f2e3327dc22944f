/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user. A first look at the bytes counts what they hold: json-c spends
 * hundreds of bytes on "{}", so a document of a few MiB could take a GiB, and of two
 * members with one name it keeps the last in silence.
 */
#include "registry/document.h"
#include "base/limits.h"

#include <json-c/json.h>
#include <json-c/printbuf.h>
#include <string.h>

/* All that stands outside of texts. json-c takes more, even if it is told to be strict:
 * texts in single quotes. */
#define OUTSIDE " \t\r\n[]{}:,+-.0123456789eEtrufalsn"

struct count {
    size_t values;  /* at most: all but the first stand behind one of "[{,:" */
    size_t members; /* each has one ':' */
    size_t end;     /* where something else than JSON stands, or the size */
};

static struct count count_text(const char *text, size_t size)
{
    struct count count = {.end = size};
    bool quoted = false;

    for (size_t i = 0; i < size; i++) {
        char c = text[i];

        if (c == '"') {
            quoted = !quoted;
        } else if (quoted) {
            i += c == '\\';
        } else if (c == '\0' || !strchr(OUTSIDE, c)) {
            count.end = i;
            break;
        } else {
            count.members += c == ':';
            count.values += c == '[' || c == '{' || c == ',' || c == ':';
        }
    }
    return count;
}

static size_t count_members(struct json_object *value)
{
    size_t n = 0;

    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            n += count_members(json_object_array_get_idx(value, i));
    } else if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member)
        {
            (void)name;
            n += 1 + count_members(member);
        }
    }
    return n;
}

static int fail_syntax(enum json_tokener_error cause, size_t at,
                       struct vitrine_error *err)
{
    if (cause == json_tokener_error_depth)
        return vitrine_fail(err, VITRINE_EFORMAT, "its JSON is nested deeper than %d",
                            LIMIT_JSON_DEPTH);
    if (cause == json_tokener_continue || cause == json_tokener_error_parse_eof)
        return vitrine_fail(err, VITRINE_EFORMAT, "its JSON is cut off");
    return vitrine_fail(err, VITRINE_EFORMAT, "its JSON is wrong at byte %zu: %s", at + 1,
                        json_tokener_error_desc(cause));
}

static int check_document(struct json_object *document, enum json_type type,
                          size_t members, struct vitrine_error *err)
{
    if (!json_object_is_type(document, type))
        return vitrine_fail(err, VITRINE_EFORMAT, "its JSON is not an %s",
                            json_type_to_name(type));
    if (count_members(document) != members)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "its JSON has a name twice in one object");
    return 0;
}

static int parse(const char *text, size_t size, enum json_type type,
                 struct json_object **ret, struct vitrine_error *err)
{
    struct count count;
    struct json_tokener *tokener;
    struct json_object *document;
    int rc = -1;

    if (size > LIMIT_JSON_SIZE)
        return vitrine_fail(err, VITRINE_EFORMAT, "its JSON is longer than %lu bytes",
                            LIMIT_JSON_SIZE);
    count = count_text(text, size);
    if (count.end < size)
        return fail_syntax(json_tokener_error_parse_unexpected, count.end, err);
    if (count.values > LIMIT_JSON_VALUES)
        return vitrine_fail(err, VITRINE_EFORMAT, "its JSON has more than %d values",
                            LIMIT_JSON_VALUES);
    tokener = json_tokener_new_ex(LIMIT_JSON_DEPTH);
    if (!tokener)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    document = json_tokener_parse_ex(tokener, text, (int)size);
    enum json_tokener_error cause = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    if (cause == json_tokener_success && end < size)
        cause = json_tokener_error_parse_unexpected;
    if (cause != json_tokener_success)
        (void)fail_syntax(cause, end, err);
    else
        rc = check_document(document, type, count.members, err);
    /* It holds the last text, which may have been a password. */
    explicit_bzero(tokener->pb->buf, (size_t)tokener->pb->size);
    json_tokener_free(tokener);
    if (rc == 0)
        *ret = document;
    else
        document_free(document);
    return rc;
}

int document_parse(const char *text, size_t size, struct json_object **ret,
                   struct vitrine_error *err)
{
    return parse(text, size, json_type_object, ret, err);
}

int document_parse_array(const char *text, size_t size, struct json_object **ret,
                         struct vitrine_error *err)
{
    return parse(text, size, json_type_array, ret, err);
}

void document_free(struct json_object *document)
{
    (void)json_object_put(document);
}

static void clear_texts(struct json_object *value)
{
    if (json_object_is_type(value, json_type_string)) {
        /* Its own buffer, though it is not for others to change. */
        explicit_bzero((char *)json_object_get_string(value),
                       (size_t)json_object_get_string_len(value));
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            clear_texts(json_object_array_get_idx(value, i));
    } else if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member)
        {
            (void)name;
            clear_texts(member);
        }
    }
}

void document_wipe(struct json_object *document)
{
    clear_texts(document);
    document_free(document);
}

void document_freep(struct json_object **document)
{
    document_free(*document);
}

/* --- members --- */

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;

    if (object)
        (void)json_object_object_get_ex(object, name, &value);
    return value;
}

bool document_has(struct json_object *object, const char *name)
{
    return member(object, name) != NULL;
}

static int typed(struct json_object *object, const char *name, enum json_type type,
                 const char *what, struct json_object **ret, struct vitrine_error *err)
{
    struct json_object *value = member(object, name);

    if (value && !json_object_is_type(value, type))
        return vitrine_fail(err, VITRINE_EFORMAT, "its '%s' is not %s", name, what);
    *ret = value;
    return 0;
}

int document_object(struct json_object *object, const char *name,
                    struct json_object **ret, struct vitrine_error *err)
{
    return typed(object, name, json_type_object, "an object", ret, err);
}

int document_array(struct json_object *object, const char *name, struct json_object **ret,
                   struct vitrine_error *err)
{
    return typed(object, name, json_type_array, "an array", ret, err);
}

int document_text(struct json_object *value, const char *name, const char **ret,
                  struct vitrine_error *err)
{
    const char *text;

    if (!json_object_is_type(value, json_type_string))
        return vitrine_fail(err, VITRINE_EFORMAT, "its '%s' is not a text", name);
    text = json_object_get_string(value);
    if (!text)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    if (strlen(text) != (size_t)json_object_get_string_len(value))
        return vitrine_fail(err, VITRINE_EFORMAT, "its '%s' has a NUL in it", name);
    *ret = text;
    return 0;
}

int document_string(struct json_object *object, const char *name, const char **ret,
                    struct vitrine_error *err)
{
    struct json_object *value = NULL;

    if (typed(object, name, json_type_string, "a text", &value, err) < 0)
        return -1;
    if (value)
        return document_text(value, name, ret, err);
    *ret = NULL;
    return 0;
}

static int fill(struct json_object *array, const char *name, const char **list,
                struct vitrine_error *err)
{
    size_t n = json_object_array_length(array);

    for (size_t i = 0; i < n; i++) {
        struct json_object *value = json_object_array_get_idx(array, i);

        if (!json_object_is_type(value, json_type_string))
            return vitrine_fail(err, VITRINE_EFORMAT,
                                "element %zu of its '%s' is not a text", i + 1, name);
        if (document_text(value, name, &list[i], err) < 0)
            return -1;
    }
    return 0;
}

int document_strings(struct json_object *object, const char *name, const char ***ret,
                     size_t *ret_count, struct vitrine_error *err)
{
    struct json_object *value = member(object, name);
    bool single = json_object_is_type(value, json_type_string);
    size_t n = single ? 1 : 0;
    const char **list;
    int rc;

    if (value && !single) {
        if (document_array(object, name, &value, err) < 0)
            return -1;
        n = json_object_array_length(value);
    }
    list = calloc(n ? n : 1, sizeof(*list));
    if (!list)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    rc = single  ? document_text(value, name, list, err)
         : value ? fill(value, name, list, err)
                 : 0;
    if (rc < 0) {
        free(list);
        return -1;
    }
    *ret = list;
    *ret_count = n;
    return 0;
}

int document_number(struct json_object *object, const char *name, uint64_t max,
                    uint64_t *ret, struct vitrine_error *err)
{
    struct json_object *value = member(object, name);
    int64_t number;

    if (!value)
        return vitrine_fail(err, VITRINE_EFORMAT, "it has no '%s'", name);
    /* Beyond 64 bits it stands at the end of them. */
    number =
        json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : -1;
    if (number < 0)
        return vitrine_fail(err, VITRINE_EFORMAT,
                            "its '%s' is not a number of zero or more", name);
    if ((uint64_t)number > max)
        return vitrine_fail(err, VITRINE_EFORMAT, "its '%s' is more than %llu", name,
                            (unsigned long long)max);
    *ret = (uint64_t)number;
    return 0;
}

size_t document_length(struct json_object *array)
{
    return array ? json_object_array_length(array) : 0;
}

int document_check_object(struct json_object *value, struct vitrine_error *err)
{
    if (!json_object_is_type(value, json_type_object))
        return vitrine_fail(err, VITRINE_EFORMAT, "it is not an object");
    return 0;
}

int document_element(struct json_object *array, size_t i, struct json_object **ret,
                     struct vitrine_error *err)
{
    struct json_object *value = json_object_array_get_idx(array, i);

    if (!json_object_is_type(value, json_type_object))
        return vitrine_fail(err, VITRINE_EFORMAT, "element %zu is not an object", i + 1);
    *ret = value;
    return 0;
}

void document_each(struct json_object *object,
                   bool (*visit)(void *arg, const char *name, struct json_object *value),
                   void *arg)
{
    if (!object)
        return;
    json_object_object_foreach(object, name, value)
    {
        if (!visit(arg, name, value))
            return;
    }
}
