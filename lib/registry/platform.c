/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user. The processor is not asked for its variant (x86-64-v3 and such): the
 * image is chosen where the job is submitted, and must run on nodes that may be older.
 */
#include "registry/platform.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* How uname(2), Debian and others call what Go calls otherwise. */
static const struct {
    const char *name, *architecture, *variant;
} names[] = {
    {"x86_64", "amd64", ""},
    {"x86-64", "amd64", ""},
    {"aarch64", "arm64", ""},
    {"aarch64_be", "arm64be", ""},
    {"i386", "386", ""},
    {"i486", "386", ""},
    {"i586", "386", ""},
    {"i686", "386", ""},
    {"armhf", "arm", "v7"},
    {"armel", "arm", "v6"},
    {"armv8l", "arm", "v7"},
    {"armv7l", "arm", "v7"},
    {"armv7hl", "arm", "v7"},
    {"armv6l", "arm", "v6"},
    {"armv5tel", "arm", "v5"},
    {"armv5tejl", "arm", "v5"},
    {"loongarch64", "loong64", ""},
};

/* Variants that are versions: what is meant by none. */
static const struct {
    const char *architecture, *variant;
} versions[] = {
    {"amd64", "v1"},
    {"arm64", "v8"},
    {"arm", "v7"},
};

static void normalise(const char *name, const char *variant,
                      struct manifest_platform *ret)
{
    const char *architecture = name ? name : "";

    *ret = (struct manifest_platform){.architecture = ""};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (strcasecmp(architecture, names[i].name) != 0)
            continue;
        architecture = names[i].architecture;
        if (!variant || !variant[0])
            variant = names[i].variant;
        break;
    }
    (void)snprintf(ret->architecture, sizeof(ret->architecture), "%s", architecture);
    (void)snprintf(ret->variant, sizeof(ret->variant), "%s", variant ? variant : "");
}

static const char *default_version(const char *architecture)
{
    for (size_t i = 0; i < COUNT(versions); i++)
        if (strcmp(architecture, versions[i].architecture) == 0)
            return versions[i].variant;
    return NULL;
}

/* "v8.1", "8": 801, 800; 0: none. */
static unsigned version_of(const char *text)
{
    unsigned major = 0, minor = 0;

    text += *text == 'v' || *text == 'V';
    while (isdigit((unsigned char)*text) && major < 1000)
        major = major * 10 + (unsigned)(*text++ - '0');
    if (*text == '.')
        for (text++; isdigit((unsigned char)*text) && minor < 100; text++)
            minor = minor * 10 + (unsigned)(*text - '0');
    return *text || minor > 99 ? 0 : major * 100 + minor;
}

bool platform_same_architecture(const char *one, const char *other)
{
    struct manifest_platform a, b;

    normalise(one, NULL, &a);
    normalise(other, NULL, &b);
    return strcmp(a.architecture, b.architecture) == 0;
}

unsigned platform_rank(const struct manifest_platform *platform, const char *architecture,
                       const char *variant)
{
    struct manifest_platform has, want;
    const char *version;

    if (strlen(architecture ? architecture : "") >= sizeof(has.architecture) ||
        strlen(variant ? variant : "") >= sizeof(has.variant))
        return 0;
    normalise(architecture, variant, &has);
    normalise(platform->architecture, platform->variant, &want);
    if (strcmp(has.architecture, want.architecture) != 0)
        return 0;
    version = default_version(want.architecture);
    if (version) {
        unsigned has_version = version_of(has.variant[0] ? has.variant : version);
        unsigned want_version = version_of(want.variant[0] ? want.variant : version);

        if (has_version > 0 && want_version > 0)
            return has_version <= want_version ? has_version : 0;
    }
    if (strcmp(has.variant, want.variant) == 0)
        return 2;
    return !has.variant[0] || !want.variant[0];
}

static bool is_name(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("._-", text[i]))
            return false;
    return len > 0;
}

int manifest_platform(const char *text, struct manifest_platform *ret,
                      struct vitrine_error *err)
{
    struct manifest_platform given = {.architecture = ""};
    struct utsname host;

    if (!text) {
        if (uname(&host) < 0)
            return vitrine_fail_sys(err, VITRINE_EINTERNAL, "cannot ask uname(2)");
        normalise(host.machine, NULL, ret);
        return 0;
    }
    const char *start = strncmp(text, "linux/", 6) == 0 ? text + 6 : text;
    size_t len = strcspn(start, "/");
    const char *variant = start[len] ? start + len + 1 : "";

    if (!is_name(start, len) || len >= sizeof(given.architecture) ||
        (start[len] && !is_name(variant, strlen(variant))) ||
        strlen(variant) >= sizeof(given.variant))
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "'%.100s' is not a platform; give ARCHITECTURE or "
                            "ARCHITECTURE/VARIANT, such as amd64 or arm64/v8",
                            text);
    memcpy(given.architecture, start, len);
    given.architecture[len] = '\0';
    normalise(given.architecture, variant, ret);
    return 0;
}
