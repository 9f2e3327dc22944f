/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * These files are shell scripts or lists of NAME=VALUE; nothing in them is executed. A
 * line counts if it gives PATH a plain value; one that would need a shell to be
 * understood is passed over.
 */
#include "image/meta.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A file of environment variables is small; a longer one is not read. */
#define META_FILE_MAX 65536

static const char *const sources[] = {
    "/ch/environment",                              /* Charliecloud ch-image */
    "/.singularity.d/env/10-docker2singularity.sh", /* Apptainer, from an OCI image */
    "/etc/environment",                             /* enroot; pam_env(8) */
};

/*
 * The value of one PATH assignment: bare, quoted, or with Apptainer's default syntax,
 * "${PATH:-"VALUE"}". NULL if it is none of these.
 */
static char *plain_value(const char *value, size_t len)
{
    static const char open[] = "${PATH:-";

    while (len > 0 && strchr(" \t\r", value[len - 1]))
        len--;
    for (bool stripped = true; stripped && len >= 2;) {
        stripped = false;
        if ((value[0] == '"' || value[0] == '\'') && value[len - 1] == value[0]) {
            value++;
            len -= 2;
            stripped = true;
        } else if (len > sizeof(open) && strncmp(value, open, sizeof(open) - 1) == 0 &&
                   value[len - 1] == '}') {
            value += sizeof(open) - 1;
            len -= sizeof(open);
            stripped = true;
        }
    }
    if (len == 0 || value[0] != '/')
        return NULL;
    for (size_t i = 0; i < len; i++)
        if (strchr("$`\"'\\;&|<>(){} \t", value[i]) || (unsigned char)value[i] < 0x20)
            return NULL;
    return strndup(value, len);
}

/* The last assignment wins, as it would in a shell. */
static char *find_path(const char *text)
{
    char *found = NULL;

    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        const char *p = line + strspn(line, " \t");

        if (strncmp(p, "export ", 7) == 0)
            p += 7 + strspn(p + 7, " \t");
        if (strncmp(p, "PATH=", 5) == 0 && p + 5 <= line + len) {
            char *value = plain_value(p + 5, (size_t)(line + len - (p + 5)));

            if (value) {
                free(found);
                found = value;
            }
        }
        line += len + (line[len] == '\n');
    }
    return found;
}

char *meta_search_path(int root)
{
    for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
        struct stat st;
        cleanup_free char *text = NULL;
        cleanup_fd int fd = path_open_in_root(root, sources[i], O_RDONLY | O_NONBLOCK);

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
            fd_read_all(fd, META_FILE_MAX, &text, NULL) < 0)
            continue;
        char *found = find_path(text);
        if (found)
            return found;
    }
    return NULL;
}
