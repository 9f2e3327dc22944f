/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "environ/searchpath.h"
#include "base/cleanup.h"

#include <string.h>

struct writer {
    FILE *out;
    bool any;
};

static void append(struct writer *w, const char *dir, size_t len)
{
    (void)fprintf(w->out, "%s%.*s", w->any ? ":" : "", (int)len, dir);
    w->any = true;
}

static bool list_has(const char *list, const char *dir, size_t len)
{
    for (const char *p = list; p && *p;) {
        size_t n = strcspn(p, ":");

        if (n == len && memcmp(p, dir, n) == 0)
            return true;
        p += n + (p[n] == ':');
    }
    return false;
}

static void append_host(struct writer *w, const char *host, const char *skip,
                        const char *image, searchpath_visible_f visible, void *arg)
{
    for (const char *p = host; *p;) {
        size_t n = strcspn(p, ":");
        cleanup_free char *dir = strndup(p, n);

        if (dir && dir[0] == '/' && !(skip && strcmp(dir, skip) == 0) &&
            !list_has(image, dir, n) && visible(arg, dir))
            append(w, dir, n);
        p += n + (p[n] == ':');
    }
}

char *searchpath_merge(const char *image, const char *host, const char *venv,
                       const char *last, searchpath_visible_f visible, void *arg)
{
    cleanup_free char *text = NULL, *venv_bin = NULL;
    size_t size;
    struct writer w = {.out = open_memstream(&text, &size)};

    if (!w.out)
        return NULL;
    if (!image || !image[0])
        image = SEARCHPATH_DEFAULT;
    if (venv && venv[0] == '/' && asprintf(&venv_bin, "%s/bin", venv) < 0)
        venv_bin = NULL;
    if (host && venv_bin && list_has(host, venv_bin, strlen(venv_bin)) &&
        visible(arg, venv_bin))
        append(&w, venv_bin, strlen(venv_bin));
    append(&w, image, strlen(image));
    if (host)
        append_host(&w, host, venv_bin, image, visible, arg);
    if (last && !list_has(image, last, strlen(last)) &&
        !list_has(host, last, strlen(last)))
        append(&w, last, strlen(last));
    if (fclose(w.out) != 0)
        return NULL;
    return steal_ptr(&text);
}
