/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The only part of vitrine(1) that knows JSON. */
#include "base/cleanup.h"
#include "info.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* U+FFFD, for what is no UTF-8: JSON can hold nothing else. */
#define REPLACEMENT "\xef\xbf\xbd"

/* How many bytes of `text` are one character of UTF-8; 0: none is (RFC 3629). */
static size_t character(const unsigned char *text)
{
    unsigned char c = text[0];
    size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

    if (c >= 0x80 && c < 0xc2)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates, and what is beyond U+10FFFF. */
    if ((c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) ||
        (c == 0xf0 && text[1] < 0x90) || (c == 0xf4 && text[1] > 0x8f))
        return 0;
    return n;
}

/* NULL: no memory, or NULL was given; json-c takes it as null. */
static json_object *make_text(const char *text)
{
    cleanup_free char *clean =
        text ? malloc(strlen(text) * strlen(REPLACEMENT) + 1) : NULL;
    char *out = clean;

    if (!clean)
        return NULL;
    while (*text) {
        size_t n = character((const unsigned char *)text);

        memcpy(out, n > 0 ? text : REPLACEMENT, n > 0 ? n : strlen(REPLACEMENT));
        out += n > 0 ? n : strlen(REPLACEMENT);
        text += n > 0 ? n : 1;
    }
    *out = '\0';
    return json_object_new_string(clean);
}

static json_object *make_list(char *const *list)
{
    json_object *array = json_object_new_array();

    for (; array && list && *list; list++)
        (void)json_object_array_add(array, make_text(*list));
    return array;
}

static void add(json_object *object, const char *key, json_object *value)
{
    (void)json_object_object_add(object, key, value);
}

static void add_label(void *arg, const char *name, const char *value)
{
    json_object *key = make_text(name);

    if (key)
        add(arg, json_object_get_string(key), make_text(value));
    (void)json_object_put(key);
}

static json_object *make_config(const struct info *info)
{
    const struct image_meta *meta = &info->meta;
    json_object *config = json_object_new_object(), *labels = json_object_new_object();

    add(config, "source", make_text(info_source(info)));
    add(config, "env", make_list(meta->env));
    add(config, "entrypoint", meta->entrypoint ? make_list(meta->entrypoint) : NULL);
    add(config, "cmd", meta->cmd ? make_list(meta->cmd) : NULL);
    add(config, "workdir", make_text(meta->workdir));
    add(config, "user", make_text(meta->user));
    add(config, "volumes", make_list(meta->volumes));
    if (info->oci)
        info_labels(info->oci, add_label, labels);
    add(config, "labels", labels);
    return config;
}

static void add_file(const struct info *info, json_object *object)
{
    const struct image_info *image = &info->image;
    time_t made = (time_t)info->made;
    char text[64] = "";
    struct tm tm;

    if (image->kind == IMAGE_DIRECTORY)
        return;
    if (gmtime_r(&made, &tm))
        (void)strftime(text, sizeof(text), "%FT%TZ", &tm);
    add(object, "size", json_object_new_int64((int64_t)info->st.st_size));
    add(object, "offset", json_object_new_int64((int64_t)image->offset));
    add(object, "filesystem_size", json_object_new_int64((int64_t)image->size));
    add(object, "compressor", make_text(image->compressor_name));
    add(object, "block_size", json_object_new_int64(image->block_size));
    add(object, "files", json_object_new_int64(info->inodes));
    add(object, "made", make_text(text));
}

int info_print_json(const struct info *info)
{
    json_object *object = json_object_new_object(), *kernel = json_object_new_object();

    add(object, "path", make_text(info->path));
    add(object, "format", make_text(info_format(info)));
    add_file(info, object);
    add(object, "architecture",
        info->architecture[0] ? make_text(info->architecture) : NULL);
    add(object, "digest", info->digest[0] ? make_text(info->digest) : NULL);
    add(kernel, "trusted", json_object_new_boolean(info->is_trusted));
    add(kernel, "reason", info->is_trusted ? NULL : make_text(info->why_not.text));
    add(object, "kernel_mount", kernel);
    add(object, "config", make_config(info));
    const char *text = json_object_to_json_string_ext(
        object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (text)
        (void)printf("%s\n", text);
    (void)json_object_put(object);
    return text ? 0 : -1;
}

/* The text is an image's: json-c limits how deep it may be nested. */
static json_object *parse(const char *oci)
{
    return json_tokener_parse(oci);
}

void info_labels(const char *oci,
                 void (*tell)(void *arg, const char *name, const char *value), void *arg)
{
    json_object *object = parse(oci), *config, *labels;

    if (json_object_object_get_ex(object, "config", &config) &&
        json_object_object_get_ex(config, "Labels", &labels) &&
        json_object_is_type(labels, json_type_object)) {
        json_object_object_foreach(labels, name, value)
        {
            if (json_object_is_type(value, json_type_string))
                tell(arg, name, json_object_get_string(value));
        }
    }
    (void)json_object_put(object);
}

bool info_oci_architecture(const char *oci, char *ret, size_t size)
{
    json_object *object = parse(oci), *value;
    bool found = json_object_object_get_ex(object, "architecture", &value) &&
                 json_object_is_type(value, json_type_string);

    if (found)
        found = snprintf(ret, size, "%s", json_object_get_string(value)) < (int)size;
    (void)json_object_put(object);
    return found;
}
