/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/http-url.h"
#include "registry/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool copy_part(CURLU *parsed, CURLUPart part, char *buf, size_t size)
{
    char *text = NULL;
    bool fits;

    if (curl_url_get(parsed, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK)
        return false;
    fits = snprintf(buf, size, "%s", text) < (int)size;
    curl_free(text);
    return fits;
}

static bool has_part(CURLU *parsed, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(parsed, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return has;
}

int http_origin(const char *url, struct http_origin *ret)
{
    CURLU *parsed = curl_url();
    struct http_origin origin;
    char scheme[16];
    int rc = -1;

    if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
        copy_part(parsed, CURLUPART_SCHEME, scheme, sizeof(scheme)) &&
        copy_part(parsed, CURLUPART_HOST, origin.host, sizeof(origin.host)) &&
        copy_part(parsed, CURLUPART_PORT, origin.port, sizeof(origin.port)) &&
        !has_part(parsed, CURLUPART_USER) && !has_part(parsed, CURLUPART_PASSWORD)) {
        origin.https = strcmp(scheme, "https") == 0;
        if (origin.https || strcmp(scheme, "http") == 0) {
            *ret = origin;
            rc = 0;
        }
    }
    curl_url_cleanup(parsed);
    return rc;
}

bool http_same_host(const char *a, const char *b)
{
    struct http_origin x, y;

    return http_origin(a, &x) == 0 && http_origin(b, &y) == 0 && x.https == y.https &&
           strcasecmp(x.host, y.host) == 0;
}

bool http_same_origin(const char *a, const char *b)
{
    struct http_origin x, y;

    return http_same_host(a, b) && http_origin(a, &x) == 0 && http_origin(b, &y) == 0 &&
           strcmp(x.port, y.port) == 0;
}

bool http_is_https(const char *url)
{
    struct http_origin origin;

    return http_origin(url, &origin) == 0 && origin.https;
}

const char *http_redirect_refused(const char *from, const char *to, bool allow_http)
{
    struct http_origin origin;

    if (http_origin(to, &origin) < 0)
        return "leads to what is no http or https URL, or has a password in it";
    if (!origin.https && !allow_http)
        return http_is_https(from) ? "leads from https to http" : "leads to http";
    return NULL;
}

void http_host(const char *url, char *buf, size_t size)
{
    struct http_origin origin;
    bool is_default;

    if (http_origin(url, &origin) < 0) {
        (void)snprintf(buf, size, "a server");
        return;
    }
    is_default = strcmp(origin.port, origin.https ? "443" : "80") == 0;
    (void)snprintf(buf, size, "%s%s%s", origin.host, is_default ? "" : ":",
                   is_default ? "" : origin.port);
}

char *http_escape(const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *escaped = malloc(strlen(text) * 3 + 1);
    char *at = escaped;

    if (!escaped)
        return NULL;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            strchr("-._~", c)) {
            *at++ = (char)c;
            continue;
        }
        *at++ = '%';
        *at++ = digits[c >> 4];
        *at++ = digits[c & 15];
    }
    *at = '\0';
    return escaped;
}
