/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcurl looks into the process's environment for proxies unless they are set, so they
 * always are. Certificates: SSL_CERT_FILE and SSL_CERT_DIR stand for the system's as in
 * OpenSSL; the administrator's CAFile comes in addition. libcurl takes one file, so the
 * two are joined in memory: CURLOPT_CAINFO_BLOB is not in EL9's version.
 */
#include "registry/http-setup.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "build-config.h"
#include "registry/http-url.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

/* Bundles of certificates: a system's has 150 in 230 KiB. */
#define CA_MAX ((size_t)16 * 1024 * 1024)

const char *http_environ(const char *const *env, const char *name)
{
    size_t n = strlen(name);

    for (; env && *env; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return (*env)[n + 1] ? *env + n + 1 : NULL;
    return NULL;
}

static const char *first_of(const char *const *env, const char *a, const char *b)
{
    const char *value = http_environ(env, a);

    return value ? value : http_environ(env, b);
}

/* HTTP_PROXY is what a web server calls a request's header Proxy:. */
const char *http_proxy(const char *const *env, bool https)
{
    const char *proxy = https ? first_of(env, "https_proxy", "HTTPS_PROXY")
                              : http_environ(env, "http_proxy");

    if (!proxy)
        proxy = first_of(env, "all_proxy", "ALL_PROXY");
    return proxy ? proxy : "";
}

const char *http_no_proxy(const char *const *env)
{
    const char *hosts = first_of(env, "no_proxy", "NO_PROXY");

    return hosts ? hosts : "";
}

/* Where the system has its certificates. */
static const char *system_ca(const struct http_settings *settings)
{
    static const char *const known[] = {
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    };
    const char *file = http_environ(settings->environ, "SSL_CERT_FILE");
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

    if (file)
        return file;
    if (info->age >= CURLVERSION_SEVENTH && info->cainfo &&
        access(info->cainfo, R_OK) == 0)
        return info->cainfo;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (access(known[i], R_OK) == 0)
            return known[i];
    return NULL;
}

static neg_errno append_file(int to, const char *path)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    cleanup_free char *data = NULL;
    size_t size = 0;
    neg_errno rc = fd < 0 ? -errno : fd_read_all(fd, CA_MAX, &data, &size);

    if (rc == 0)
        rc = fd_write_full(to, data, size);
    return rc == 0 ? fd_write_full(to, "\n", 1) : rc;
}

static int join_ca(const struct http_settings *settings, int *ret,
                   struct vitrine_error *err)
{
    const char *system = system_ca(settings);
    cleanup_fd int fd = memfd_create("vitrine-ca", MFD_CLOEXEC);
    neg_errno rc;

    if (fd < 0)
        return vitrine_fail_sys(err, VITRINE_EINTERNAL, "no memory for certificates");
    if (system && (rc = append_file(fd, system)) < 0)
        return error_from(err, VITRINE_ECONFIG, rc, "certificates of %s", system);
    rc = append_file(fd, settings->ca_file);
    if (rc < 0)
        return error_from(err, VITRINE_ECONFIG, rc, "CAFile=%s", settings->ca_file);
    *ret = steal_fd(&fd);
    return 0;
}

static bool set_ca(CURL *easy, const struct http_settings *settings, int ca)
{
    const char *file = http_environ(settings->environ, "SSL_CERT_FILE");
    const char *dir = http_environ(settings->environ, "SSL_CERT_DIR");
    char path[sizeof("/proc/self/fd/") + 12];

    if (ca >= 0) {
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", ca);
        file = path;
    }
    /* libcurl copies the text. */
    return (!file || curl_easy_setopt(easy, CURLOPT_CAINFO, file) == CURLE_OK) &&
           (!dir || curl_easy_setopt(easy, CURLOPT_CAPATH, dir) == CURLE_OK);
}

static bool set_protocols(CURL *easy, bool allow_http)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
                            allow_http ? "http,https" : "https") == CURLE_OK;
#else
    long allowed = CURLPROTO_HTTPS | (allow_http ? CURLPROTO_HTTP : 0);

    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, allowed) == CURLE_OK;
#endif
}

int http_setup(CURL *easy, const struct http_settings *settings, int *ret_ca,
               struct vitrine_error *err)
{
    unsigned patience =
        settings->patience_ms ? settings->patience_ms : LIMIT_HTTP_PATIENCE;
    cleanup_fd int ca = -1;

    if (settings->ca_file && join_ca(settings, &ca, err) < 0)
        return -1;
    if (!set_ca(easy, settings, ca) || !set_protocols(easy, settings->allow_http) ||
        curl_easy_setopt(easy, CURLOPT_NOPROXY, http_no_proxy(settings->environ)) !=
            CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "vitrine/" VITRINE_VERSION) != CURLE_OK)
        return vitrine_fail(err, VITRINE_EINTERNAL,
                            "libcurl does not take what it is told");
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    (void)curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    (void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L * 1024);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)LIMIT_HTTP_CONNECT);
    (void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, LIMIT_HTTP_SPEED);
    (void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)(patience + 999) / 1000);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Whoever stops does not wait for the answer of a name server. */
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    *ret_ca = steal_fd(&ca);
    return 0;
}
