/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/answer.h"
#include "base/limits.h"
#include "registry/document.h"

#include <stdio.h>
#include <string.h>

#define MESSAGE 200 /* bytes of it that a user is shown */

/* A token lasts as long as this if nothing is said: the specification of docker's token
 * authentication. */
#define TOKEN_SECONDS 60
#define TOKEN_LONGEST (24UL * 3600)

static struct json_object *parse(const struct http_answer *answer)
{
    struct json_object *root = NULL;

    if (!answer->body || document_parse(answer->body, answer->size, &root, NULL) < 0)
        return NULL;
    return root;
}

/* NULL: there is none, or an empty one. */
static const char *text_of(struct json_object *object, const char *name)
{
    const char *text = NULL;

    if (document_string(object, name, &text, NULL) < 0 || !text || !*text)
        return NULL;
    return text;
}

/* {"errors":[{"code":...,"message":...}]}, or {"details":...} of Docker's token server */
static const char *find_message(struct json_object *root)
{
    static const char *const names[] = {"details", "message", "error_description",
                                        "error"};
    struct json_object *errors = NULL, *first = NULL;
    const char *text = NULL;

    if (document_array(root, "errors", &errors, NULL) == 0 &&
        document_length(errors) > 0 && document_element(errors, 0, &first, NULL) == 0) {
        text = text_of(first, "message");
        if (!text)
            text = text_of(first, "code");
    }
    for (size_t i = 0; !text && i < sizeof(names) / sizeof(names[0]); i++)
        text = text_of(root, names[i]);
    return text;
}

void answer_message(const struct http_answer *answer, char *buf, size_t size)
{
    cleanup_document struct json_object *root = parse(answer);
    const char *text = root ? find_message(root) : NULL;

    buf[0] = '\0';
    if (text)
        (void)snprintf(buf, size, " (%.*s)", MESSAGE, text);
    /* Neither control characters nor what a terminal may take for such. */
    for (char *at = buf; *at; at++)
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f)
            *at = '?';
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
    cleanup_document struct json_object *root = parse(answer);
    const char *text = root ? text_of(root, "token") : NULL;
    uint64_t seconds = 0;
    char *token;

    if (root && !text)
        text = text_of(root, "access_token");
    if (!text || !is_token(text))
        return vitrine_fail(err, VITRINE_ENETWORK, "its answer has no token");
    token = strdup(text);
    if (!token)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "no memory for a token");
    if (document_number(root, "expires_in", TOKEN_LONGEST, &seconds, NULL) < 0 ||
        seconds == 0)
        seconds = TOKEN_SECONDS;
    *ret = token;
    *ret_seconds = (unsigned)seconds;
    return 0;
}
