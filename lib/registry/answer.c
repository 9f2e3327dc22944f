/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/answer.h"
#include "base/limits.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define DEPTH   16  /* of the JSON: errors have four levels */
#define MESSAGE 200 /* bytes of it that a user is shown */

/* A token lasts as long as this if nothing is said: the specification of docker's token
 * authentication. */
#define TOKEN_SECONDS 60
#define TOKEN_LONGEST (24 * 3600)

static struct json_object *parse(const struct http_answer *answer)
{
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH);
    struct json_object *root = NULL;

    if (tokener && answer->body && answer->size <= LIMIT_TOKEN)
        root = json_tokener_parse_ex(tokener, answer->body, (int)answer->size);
    if (tokener)
        json_tokener_free(tokener);
    if (root && !json_object_is_type(root, json_type_object)) {
        (void)json_object_put(root);
        return NULL;
    }
    return root;
}

static const char *text_of(struct json_object *object, const char *name)
{
    struct json_object *value;

    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, name, &value) ||
        !json_object_is_type(value, json_type_string))
        return NULL;
    return json_object_get_string(value);
}

/* {"errors":[{"code":...,"message":...}]}, or {"details":...} of Docker's token server */
static const char *find_message(struct json_object *root)
{
    static const char *const names[] = {"details", "message", "error_description",
                                        "error"};
    struct json_object *errors;
    const char *text = NULL;

    if (json_object_object_get_ex(root, "errors", &errors) &&
        json_object_is_type(errors, json_type_array) &&
        json_object_array_length(errors) > 0) {
        struct json_object *first = json_object_array_get_idx(errors, 0);

        text = text_of(first, "message");
        if (!text || !*text)
            text = text_of(first, "code");
    }
    for (size_t i = 0; !text && i < sizeof(names) / sizeof(names[0]); i++)
        text = text_of(root, names[i]);
    return text;
}

void answer_message(const struct http_answer *answer, char *buf, size_t size)
{
    struct json_object *root = parse(answer);
    const char *text = root ? find_message(root) : NULL;

    buf[0] = '\0';
    if (text && *text)
        (void)snprintf(buf, size, " (%.*s)", MESSAGE, text);
    /* Neither control characters nor what a terminal may take for such. */
    for (char *at = buf; *at; at++)
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f)
            *at = '?';
    if (root)
        (void)json_object_put(root);
}

/* It goes into a header: nothing but visible ASCII (RFC 6750 has even less). */
static bool is_token(const char *text)
{
    size_t n = 0;

    for (; text[n]; n++)
        if ((unsigned char)text[n] <= 0x20 || (unsigned char)text[n] >= 0x7f)
            return false;
    return n > 0 && n <= LIMIT_TOKEN;
}

int answer_token(const struct http_answer *answer, char **ret, unsigned *ret_seconds,
                 struct vitrine_error *err)
{
    struct json_object *root = parse(answer), *expires;
    const char *text = root ? text_of(root, "token") : NULL;
    unsigned seconds = TOKEN_SECONDS;
    char *token = NULL;

    if (root && (!text || !*text))
        text = text_of(root, "access_token");
    if (root && json_object_object_get_ex(root, "expires_in", &expires)) {
        int64_t n = json_object_get_int64(expires);

        if (n > 0)
            seconds = n > TOKEN_LONGEST ? TOKEN_LONGEST : (unsigned)n;
    }
    if (text && is_token(text))
        token = strdup(text);
    if (root)
        (void)json_object_put(root);
    if (!token)
        return vitrine_fail(err, VITRINE_ENETWORK, "its answer has no token");
    *ret = token;
    *ret_seconds = seconds;
    return 0;
}
