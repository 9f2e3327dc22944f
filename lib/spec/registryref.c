/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user or as root, on texts that a user wrote. Only looks at the text. The
 * one place that knows the grammar: imageref.c asks here whether a text is no file.
 */
#include "spec/registryref.h"
#include "base/limits.h"
#include "spec/registryname.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *prefix;
    enum registryref_kind kind;
} kinds[] = {
    {"docker://", REGISTRYREF_REGISTRY},
    {"oci:", REGISTRYREF_OCI_LAYOUT},
    {"docker-archive:", REGISTRYREF_DOCKER_ARCHIVE},
};

/* What other tools accept, and how to get there from it. */
static const struct {
    const char *prefix, *advice;
} foreign[] = {
    {"dockerd://",
     "images cannot be taken from Docker's own store; write the image to a file with "
     "docker save -o FILE and give docker-archive:FILE"},
    {"podman://",
     "images cannot be taken from Podman's own store; write the image to a file with "
     "podman save -o FILE and give docker-archive:FILE"},
    {"oci-archive:",
     "archives of an OCI layout are not supported; unpack it into a directory with tar "
     "-xf and give oci:DIRECTORY, or convert it with skopeo copy to docker-archive:FILE"},
};

/* What a layout's tag consists of: image-spec 1.1, annotations. */
#define LAYOUT_TAG "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:@+/"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool has_prefix(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

bool registryref_is_digest(const char *text)
{
    return registryname_is_digest((struct span){text, strlen(text)});
}

/* --- references --- */

/* enroot's [USER@]REGISTRY#IMAGE: cuts off what is before '#'. */
static bool split_enroot(struct span *name, struct span *ret_user, struct span *ret_host)
{
    size_t n = strcspn(name->text, "#/");
    struct span host = *name;
    const char *at;

    if (n >= name->len || name->text[n] != '#')
        return false;
    *name = span_cut(&host, host.text + n);
    at = span_find_last(host, '@');
    if (at) {
        *ret_user = host;
        host = span_cut(ret_user, at);
    }
    *ret_host = host;
    return true;
}

static int set_user(struct span user, struct registryref *ret, struct vitrine_error *err)
{
    if (user.len == 0)
        return registryname_fail(err, "the user before '@' is empty");
    if (user.len >= sizeof(ret->user))
        return registryname_fail(err, "the user's name is longer than %zu bytes",
                                 sizeof(ret->user) - 1);
    for (size_t i = 0; i < user.len; i++)
        if (isspace((unsigned char)user.text[i]) || user.text[i] == ':')
            return registryname_fail(
                err, "the user's name '%.*s' has white space or a ':' in it",
                span_shown(user), user.text);
    span_copy(ret->user, user);
    return 0;
}

/* IMAGE[:TAG], with or without a digest. */
static int parse_image(struct span name, bool has_digest, struct registryref *ret,
                       struct vitrine_error *err)
{
    const char *slash = span_find_last(name, '/');
    const char *colon = span_find_last(name, ':');

    if (colon && (!slash || colon > slash)) {
        if (registryname_tag(span_cut(&name, colon), ret, err) < 0)
            return -1;
    } else if (!has_digest) {
        (void)strcpy(ret->tag, "latest");
    }
    return registryname_repository(name, ret, err);
}

/* [[USER@]REGISTRY#|REGISTRY/]IMAGE[:TAG][@DIGEST] */
static int parse_name(struct span name, struct registryref *ret,
                      struct vitrine_error *err)
{
    struct span user = {NULL, 0}, host = {REGISTRYNAME_HUB, strlen(REGISTRYNAME_HUB)};
    bool enroot = split_enroot(&name, &user, &host);
    const char *at = span_find(name, '@'), *slash;

    if (has_prefix(name.text, "http://") || has_prefix(name.text, "https://"))
        return registryname_fail(
            err, "write the registry without http:// and https://; which one is "
                 "asked without TLS is up to the administrator");
    if (at && registryname_digest(span_cut(&name, at), ret, err) < 0)
        return -1;
    slash = span_find(name, '/');
    if (!enroot && slash &&
        registryname_is_host((struct span){name.text, (size_t)(slash - name.text)})) {
        host = name;
        name = span_cut(&host, slash);
    }
    if ((user.text && set_user(user, ret, err) < 0) ||
        registryname_host(host, ret, err) < 0)
        return -1;
    return parse_image(name, at != NULL, ret, err);
}

static int set_path(struct span path, struct registryref *ret, struct vitrine_error *err)
{
    if (path.len == 0)
        return registryname_fail(err, "the path is empty");
    if (path.len >= sizeof(ret->path))
        return registryname_fail(err, "the path is longer than %zu bytes",
                                 sizeof(ret->path) - 1);
    span_copy(ret->path, path);
    return 0;
}

/* DIR[:TAG][@DIGEST]. The tag is that of an annotation, which may have more in it than a
 * registry's. */
static int parse_layout(struct span rest, struct registryref *ret,
                        struct vitrine_error *err)
{
    const char *at = span_find_last(rest, '@'), *colon;

    if (at && strncmp(at, "@sha", 4) == 0 && strchr(at, ':') &&
        registryname_digest(span_cut(&rest, at), ret, err) < 0)
        return -1;
    colon = span_find(rest, ':');
    if (colon) {
        struct span tag = span_cut(&rest, colon);

        if (tag.len == 0)
            return registryname_fail(err, "the tag behind ':' is empty");
        if (tag.len >= sizeof(ret->tag))
            return registryname_fail(err, "the tag is longer than %zu bytes",
                                     sizeof(ret->tag) - 1);
        if (span_run(tag, LAYOUT_TAG) < tag.len)
            return registryname_fail(
                err,
                "'%.*s' is not a tag: those of an OCI layout consist of letters, "
                "digits and any of ._-:@+/",
                span_shown(tag), tag.text);
        span_copy(ret->tag, tag);
    }
    return set_path(rest, ret, err);
}

/* FILE[:[REGISTRY/]NAME[:TAG]] */
static int parse_archive(struct span rest, struct registryref *ret,
                         struct vitrine_error *err)
{
    const char *colon = span_find(rest, ':');

    if (colon && parse_name(span_cut(&rest, colon), ret, err) < 0)
        return -1;
    if (ret->digest[0] || ret->user[0])
        return registryname_fail(
            err, "an image in an archive is told by its name and tag only");
    return set_path(rest, ret, err);
}

static int parse(const char *text, struct registryref *ret, struct vitrine_error *err)
{
    ret->kind = REGISTRYREF_REGISTRY;
    for (size_t i = 0; i < COUNT(foreign); i++)
        if (has_prefix(text, foreign[i].prefix))
            return vitrine_fail(err, VITRINE_EUNSUPPORTED, "%s", foreign[i].advice);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (!has_prefix(text, kinds[i].prefix))
            continue;
        ret->kind = kinds[i].kind;
        text += strlen(kinds[i].prefix);
        break;
    }
    struct span rest = {text, strlen(text)};

    if (ret->kind == REGISTRYREF_OCI_LAYOUT)
        return parse_layout(rest, ret, err);
    if (ret->kind == REGISTRYREF_DOCKER_ARCHIVE)
        return parse_archive(rest, ret, err);
    return parse_name(rest, ret, err);
}

int registryref_parse(const char *text, struct registryref *ret,
                      struct vitrine_error *err)
{
    struct registryref ref = {.tag = ""};

    if (strnlen(text, LIMIT_IMAGE_REF + 1) > LIMIT_IMAGE_REF)
        return registryname_fail(err, "the image's name is longer than %d bytes",
                                 LIMIT_IMAGE_REF);
    if (parse(text, &ref, err) < 0)
        return vitrine_wrap(err, "image %.*s%s", REGISTRYNAME_SHOWN, text,
                            strlen(text) > REGISTRYNAME_SHOWN ? "..." : "");
    *ret = ref;
    return 0;
}

bool registryref_is_certain(const char *text)
{
    struct span name = {text, strlen(text)}, user, host;

    for (size_t i = 0; i < COUNT(foreign); i++)
        if (has_prefix(text, foreign[i].prefix))
            return true;
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (has_prefix(text, kinds[i].prefix))
            return true;
    return split_enroot(&name, &user, &host) && name.len > 0 &&
           registryname_is_host(host);
}

bool registryref_is_likely(const char *text)
{
    size_t first = strcspn(text, "/");
    const char *slash = strrchr(text, '/');
    struct registryref ref = {.tag = ""};

    if (registryref_parse(text, &ref, NULL) < 0)
        return false;
    return strchr(slash ? slash : text, ':') || ref.digest[0] ||
           (slash && registryname_is_host((struct span){text, first}));
}

void registryref_print(const struct registryref *ref, char *buf, size_t size)
{
    struct span host = {ref->host, strlen(ref->host)};
    const char *colon = ref->tag[0] ? ":" : "", *at = ref->digest[0] ? "@" : "";

    if (ref->kind == REGISTRYREF_OCI_LAYOUT)
        (void)snprintf(buf, size, "oci:%s%s%s%s%s", ref->path, colon, ref->tag, at,
                       ref->digest);
    else if (ref->kind == REGISTRYREF_DOCKER_ARCHIVE)
        (void)snprintf(buf, size, "docker-archive:%s%s%s%s%s%s%s", ref->path,
                       ref->host[0] ? ":" : "", ref->host,
                       !ref->host[0]                ? ""
                       : registryname_is_host(host) ? "/"
                                                    : "#",
                       ref->repository, colon, ref->tag);
    else
        (void)snprintf(buf, size, "docker://%s%s%s%s%s%s%s", ref->host,
                       registryname_is_host(host) ? "/" : "#", ref->repository, colon,
                       ref->tag, at, ref->digest);
}
