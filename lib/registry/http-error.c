/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libcurl's errors mean to a user. */
#include "registry/http-setup.h"

#include <string.h>

enum http_failure http_failure_of(CURLcode code)
{
    /* NOLINTNEXTLINE(clang-diagnostic-switch-enum): libcurl has a hundred */
    switch ((int)code) {
    case CURLE_OK:
        return HTTP_ANSWERED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return HTTP_UNREACHABLE;
    case CURLE_SSL_CONNECT_ERROR:
        return HTTP_NO_TLS;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return HTTP_UNTRUSTED;
    case CURLE_OUT_OF_MEMORY: /* one header of more than 100 KiB, too */
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_FAILED_INIT:
    case 100: /* CURLE_TOO_LARGE, since 8.6 */
        return HTTP_WRONG;
    default:
        return HTTP_BROKEN;
    }
}

/* Only its host: a proxy's URL may hold a password. */
static void name_proxy(const char *proxy, char *buf, size_t size)
{
    const char *at = strrchr(proxy, '@');
    const char *scheme = strstr(proxy, "://");

    if (at)
        proxy = at + 1;
    else if (scheme)
        proxy = scheme + 3;
    (void)snprintf(buf, size, "%.*s", (int)strcspn(proxy, "/"), proxy);
}

static int fail_untrusted(struct vitrine_error *err, CURLcode code, const char *host,
                          const char *detail)
{
    if (code == CURLE_SSL_CACERT_BADFILE)
        return vitrine_fail(err, VITRINE_ECONFIG,
                            "the certificates that are trusted cannot be read (%s): see "
                            "SSL_CERT_FILE, and CAFile in vitrine.conf",
                            detail);
    return vitrine_fail(err, VITRINE_ENETWORK,
                        "the certificate of %s is not trusted (%s); if its authority is "
                        "the site's own, name that with CAFile= in the line "
                        "Registry=%s of vitrine.conf, or in SSL_CERT_FILE",
                        host, detail, host);
}

static int fail_to_connect(struct vitrine_error *err, CURLcode code, const char *host,
                           const char *proxy, const char *detail)
{
    char name[256] = "";

    if (*proxy)
        name_proxy(proxy, name, sizeof(name));
    if (code == CURLE_COULDNT_RESOLVE_PROXY)
        return vitrine_fail(err, VITRINE_ENETWORK, "%s: the proxy %s is not found", host,
                            name);
    if (code == CURLE_COULDNT_RESOLVE_HOST)
        return vitrine_fail(err, VITRINE_ENETWORK,
                            "%s: host not found; is the name right, and does this "
                            "machine reach it?",
                            host);
    return vitrine_fail(err, VITRINE_ENETWORK, "%s cannot be reached%s%s (%s)", host,
                        *proxy ? " through the proxy " : "", name, detail);
}

int http_fail_proxy(struct vitrine_error *err, long status, const char *url,
                    const char *proxy)
{
    char host[310], name[256];

    http_host(url, host, sizeof(host));
    name_proxy(proxy, name, sizeof(name));
    if (status == 407)
        return vitrine_fail(err, VITRINE_ENETWORK,
                            "%s: the proxy %s wants a login, or does not know the one "
                            "given (407)",
                            host, name);
    return vitrine_fail(err, VITRINE_ENETWORK,
                        "%s: the proxy %s refuses to go there (%ld)", host, name, status);
}

int http_fail(struct vitrine_error *err, CURLcode code, const char *url,
              const char *proxy, const char *detail)
{
    char host[310];

    http_host(url, host, sizeof(host));
    if (!*detail)
        detail = curl_easy_strerror(code);
    switch (http_failure_of(code)) {
    case HTTP_UNTRUSTED:
        return fail_untrusted(err, code, host, detail);
    case HTTP_UNREACHABLE:
        return fail_to_connect(err, code, host, proxy, detail);
    case HTTP_NO_TLS:
        return vitrine_fail(err, VITRINE_ENETWORK,
                            "%s: no TLS connection (%s); if it speaks only http, the "
                            "administrator can allow that with AllowHTTP=yes in the line "
                            "Registry=%s of vitrine.conf",
                            host, detail, host);
    case HTTP_ANSWERED:
    case HTTP_STOPPED:
    case HTTP_WRONG:
    case HTTP_BROKEN:
        break;
    }
    if (code == CURLE_OPERATION_TIMEDOUT)
        return vitrine_fail(err, VITRINE_ENETWORK, "%s does not answer (%s)", host,
                            detail);
    return vitrine_fail(err, VITRINE_ENETWORK, "%s: the transfer broke off (%s)", host,
                        detail);
}
