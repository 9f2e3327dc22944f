/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extended attributes of what is written. Runs as the user. */
#include "sqfswrite/output.h"

#include <sqfs/error.h>
#include <sqfs/xattr_writer.h>
#include <string.h>

bool output_has_xattr(const char *name)
{
    static const char *const prefixes[] = {"user.", "trusted.", "security."};
    static const char *const own[] = {"user.overlay.", "trusted.overlay."};

    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (strncmp(name, own[i], strlen(own[i])) == 0)
            return false;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0 &&
            name[strlen(prefixes[i])])
            return true;
    return false;
}

int output_begin_xattrs(struct output *output, struct vitrine_error *err)
{
    int rc = sqfs_xattr_writer_begin(output->xattrs, 0);

    return rc == 0 ? 0 : output_fail(output, rc, err);
}

int output_add_xattr(struct output *output, const char *name, const void *value,
                     size_t size, struct vitrine_error *err)
{
    int rc = sqfs_xattr_writer_add(output->xattrs, name, value, size);

    return rc == 0 ? 0 : output_fail(output, rc, err);
}

int output_end_xattrs(struct output *output, uint32_t *ret, struct vitrine_error *err)
{
    int rc = sqfs_xattr_writer_end(output->xattrs, ret);

    return rc == 0 ? 0 : output_fail(output, rc, err);
}
